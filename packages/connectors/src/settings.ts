import type { Clock, SecretValue } from "@countersign/core";
import type { EntraTenant } from "./entra/schema.ts";
import { EntraTenant as EntraTenantSchema } from "./entra/schema.ts";
import { FilesConnection } from "./files/schema.ts";
import { KeyVaultConnection } from "./keyvault/schema.ts";
import type { Waits } from "./kit/twice.ts";
import { PostgresConnection } from "./postgres/schema.ts";

/** Schema of a connection by its kind; core's configuration parser is given this map. */
export const connectionSchemas = {
  "key-vault": KeyVaultConnection,
  files: FilesConnection,
  postgres: PostgresConnection,
} as const;

/** Any connection of the configuration. */
export type Connection = KeyVaultConnection | FilesConnection | PostgresConnection;

/** Schema of a tenant of the configuration. */
export const tenantSchema = EntraTenantSchema;

/** The parts of the configuration that connectors read. */
export interface ConnectorsConfig {
  readonly profile: "demo" | "test" | "production";
  readonly network: {
    /** Extra certificate authorities as PEM texts (the files are read by the caller). */
    readonly ca: readonly string[];
    readonly proxy: string | null;
    readonly loopback: boolean;
  };
  readonly callDeadlineMs: number;
  readonly tenants: readonly EntraTenant[];
  readonly connections: readonly Connection[];
  /** Waits around deciding reads; the defaults fit real directories. */
  readonly waits?: Partial<Waits>;
}

/** What connectors are given by the one place that constructs. */
export interface ConnectorsDeps {
  readonly clock: Clock;
  /** Version of the build, for user agent and evidence. */
  readonly version: string;
  /** Resolves a secret reference (`file:`, `env:`). Throws SECRET_REFERENCE_INVALID. */
  readSecret(reference: string): Promise<SecretValue>;
}
