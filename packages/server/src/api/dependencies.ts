import type { ConnectionView, WebhookView } from "@countersign/contract";
import type { InventoryRow } from "@countersign/core";
import type { PopulationAsk } from "@countersign/engine";
import type { Signer } from "@countersign/evidence";
import type { LocalSignIn } from "../signin/local.ts";
import type { Sessions } from "../signin/sessions.ts";
import type { HooksDependencies } from "../triggers/hooks.ts";
import type { IdempotencyStore } from "./idempotency.ts";
import type { ApiStore, Installation, KnownPerson, Readiness } from "./ports.ts";

/** Everything the API is composed from; server/main.ts gives it. */
export interface ApiDependencies {
  readonly installation: Installation;
  readonly store: ApiStore;
  readonly sessions: Sessions;
  readonly idempotency: IdempotencyStore;
  /** Null: no local sign-in here (profile production). */
  readonly local: LocalSignIn | null;
  readonly people: readonly KnownPerson[];
  /** Rows of the accepted inventory, and what policy calls production. */
  readonly inventory: () => {
    readonly rows: readonly InventoryRow[];
    readonly digest: string | null;
    readonly policyDigest: string | null;
    readonly isProd: (environment: string) => boolean;
  };
  /** The session-attestation key: signs what a signed-in person decided, at level `session`. */
  readonly sessionKey: Signer;
  /** Domain time, ms. */
  readonly now: () => number;
  /** Advances the virtual clock by seconds of domain time; null when there is none. Resolves with the new time, ms. */
  readonly advance: ((seconds: number) => Promise<number>) | null;
  readonly readiness: () => Promise<Readiness>;
  /** Makes the scanner scan now; it may be another process. */
  readonly askScan: (person: string) => Promise<void>;
  /** Deterministic zip of a run's bundle. Error: RECORD_UNSIGNED. */
  readonly bundle: (run: string) => Promise<Uint8Array>;
  /** Deterministic zip of a period's. Errors: INPUT_INVALID (too much for one), RECORD_UNSIGNED. */
  readonly population: (ask: PopulationAsk) => Promise<Uint8Array>;
  readonly log: (event: {
    readonly level: "info" | "warn" | "error";
    readonly message: string;
    readonly [key: string]: unknown;
  }) => void;
  /** Sign-ins one address may try per minute. */
  readonly signInsPerMinuteMax: number;
  /** A finding of the fleet is accepted for so many days at most. */
  readonly acceptanceDaysMax: number;
  /** Ways in for events from outside. */
  readonly hooks: HooksDependencies | null;
  /** The systems outside that the configuration names. */
  readonly outside: {
    /** `writer`: client id of who changes credentials; `reaches`: where its calls go, sign-in and directory. */
    readonly directories: readonly {
      readonly name: string;
      readonly id: string;
      readonly writer: string;
      readonly reaches: readonly string[];
    }[];
    readonly connections: readonly (Omit<ConnectionView, "reach"> & { readonly reach: string | null })[];
    readonly webhooks: readonly Pick<WebhookView, "name" | "kind" | "keys" | "perMinuteMax">[];
  };
  /** Folder of the built console; null serves the API alone. */
  readonly consoleDir: string | null;
}
