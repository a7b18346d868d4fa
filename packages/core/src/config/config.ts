import type { NotifyConfig, TicketsConfig } from "./notify.ts";
import type { ConfigForm } from "./schema.ts";

/** A place a value may be written to (I12). `settings` is what the schema of its kind made of the whole entry. */
export interface Connection {
  readonly name: string;
  readonly kind: string;
  readonly environment: string;
  readonly prod: boolean;
  /** Tenant the connection belongs to; null for kinds without one. */
  readonly tenant: string | null;
  /** Patterns of entries, paths or roles that may be written; empty = none. */
  readonly scope: readonly string[];
  readonly settings: unknown;
}

/** countersign.yaml, checked. Durations are milliseconds; secrets are references (`file:`, `env:`) and nothing else. */
export interface Config extends Readonly<Omit<ConfigForm, "connections" | "clock" | "signIn" | "notify" | "tickets">> {
  /** Address of the virtual clock; null = the real clock. */
  readonly clock: { readonly url: string } | null;
  readonly connections: readonly Connection[];
  /** Where people are told; every channel and ticket system has a name of its own. */
  readonly notify: readonly NotifyConfig[];
  readonly tickets: readonly TicketsConfig[];
  /** People who sign in locally; empty outside profiles demo and test. */
  readonly signIn: { readonly local: NonNullable<ConfigForm["signIn"]>["local"] };
}
