import type { Clock, Config, SecretValue, TenantConfig } from "@countersign/core";
import type { z } from "zod";
import { AppServiceConnection } from "./appservice/schema.ts";
import { DevopsConnection } from "./devops/schema.ts";
import { FilesConnection } from "./files/schema.ts";
import { GithubConnection } from "./github/schema.ts";
import { KeyVaultConnection } from "./keyvault/schema.ts";
import type { Observe } from "./kit/reach.ts";
import type { Waits } from "./kit/twice.ts";
import { KubernetesConnection } from "./kubernetes/schema.ts";
import { PostgresConnection } from "./postgres/schema.ts";
import { RestConnection } from "./rest/schema.ts";

/** Schema of a connection entry (without `kind`) by kind; core's configuration parser is given this map. */
export const connectionKinds: ReadonlyMap<string, z.ZodType> = new Map<string, z.ZodType>([
  ["key-vault", KeyVaultConnection],
  ["files", FilesConnection],
  ["postgres", PostgresConnection],
  ["devops", DevopsConnection],
  ["app-service", AppServiceConnection],
  ["github", GithubConnection],
  ["kubernetes", KubernetesConnection],
  ["rest", RestConnection],
]);

/** The parts of the configuration that connectors read. */
export interface ConnectorsConfig {
  readonly profile: "demo" | "test" | "production";
  readonly network: {
    /** Extra certificate authorities as PEM texts (the files are read by the caller). */
    readonly ca: readonly string[];
    readonly proxy: string | null;
    readonly loopback: boolean;
  };
  /** Longest time one outside call may take, real ms. */
  readonly callDeadlineMs: number;
  readonly tenants: readonly TenantConfig[];
  readonly connections: readonly Pick<Config["connections"][number], "name" | "kind" | "settings">[];
  /** Waits of domain time around deciding reads; the defaults fit real directories. */
  readonly waits?: Partial<Waits>;
}

/** What connectors are given by the one place that constructs. */
export interface ConnectorsDeps {
  readonly clock: Clock;
  /** Version of the build, for user agent and evidence. */
  readonly version: string;
  /** Resolves a secret reference (`file:`, `env:`). Throws SECRET_REFERENCE_INVALID. */
  readSecret(reference: string): Promise<SecretValue>;
  /** Told how each address answers. */
  readonly observe?: Observe;
}
