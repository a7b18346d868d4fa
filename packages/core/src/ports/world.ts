import type { InventoryRow } from "../inventory/row.ts";
import type { Capabilities, Clock, Facts, VerifyLevel } from "./verb.ts";

/** Only reads leave through it; used while planning, by drift checks and by scans. */
export interface ReadContext {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** One live credential of the target as the outside lists it. */
export interface WorldCredential {
  /** keyId, or the role's name. */
  readonly id: string;
  readonly kind: "client-secret" | "certificate" | "role";
  readonly startsAt: number | null;
  readonly expiresAt: number | null;
  /** Our marker, when it carries one; foreign otherwise. */
  readonly marker: { readonly run: string; readonly attempt: number; readonly nonce: string } | null;
}

/** The last use of a credential from one address, as the directory's log has it. */
export interface CredentialUse {
  readonly credential: string;
  readonly address: string | null;
  /** Domain time, ms. */
  readonly at: number;
}

/** A picture of everything a plan depends on, read from the outside without changing it. */
export interface World {
  readonly readAt: number;
  /** The target's immutable identity (I11), e.g. `{tenantId, objectId, appId}`. */
  readonly target: Facts;
  readonly credentials: readonly WorldCredential[];
  readonly record: {
    /** Identity of the system of record's entry, e.g. `{vault, name}`. */
    readonly identity: Facts;
    /** Version that is `latest` now; null when the entry is empty or missing. */
    readonly version: string | null;
    /** Does the store still return that version's value? Rollback depends on it. */
    readonly readable: boolean;
  };
  /** Which credential the stored value is, by evidence: our ledger and tag, first characters, or not shown. */
  readonly binding: { readonly id: string | null; readonly by: "ours" | "hint" | "unproven" };
  /** Does the stored value sign in now? Rollback and I1 depend on it. */
  readonly recordSignsIn: boolean | null;
  readonly consumers: readonly {
    readonly name: string;
    readonly exists: boolean;
    readonly identity: Facts;
    readonly identityKind: Capabilities["identity"];
    /** What it points at or holds, as a reference, a version or the outside's mark of its last write; never a value. */
    readonly holds: string | null;
    /** Is it what the record holds? null when that cannot be read. */
    readonly matchesRecord: boolean | null;
    /** How far reading it can show the new value, where that depends on more than its kind. */
    readonly shows?: VerifyLevel;
    /** Why it can or may not be written although it is there. */
    readonly refused?: "immutable" | "kept-by-another";
  }[];
  /** Who used which live credential when last; null: the log is not to be had. Only where it was asked for. */
  readonly uses?: readonly CredentialUse[] | null;
  /** Directory owners by id: shown to approvers; eligibility never comes from them. */
  readonly directoryOwners: readonly string[];
  readonly limits: { readonly credentialsMax: number | null; readonly lifetimeSecondsMax: number | null };
}

/** Reads the world for one inventory row; one per credential kind. */
export interface WorldReader {
  readonly procedure: string;
  read(ctx: ReadContext, row: InventoryRow, oldCredentialTag: (id: string) => boolean): Promise<World>;
  /** The last uses of each credential; null where no log can be had. Read for emergencies only: it is slow. */
  uses?(ctx: ReadContext, row: InventoryRow): Promise<readonly CredentialUse[] | null>;
  /** Whether the value that the record held in this version signs in; null when it cannot be shown. Asked before a roll back, never after a cut-over is final. */
  versionSignsIn(ctx: ReadContext, row: InventoryRow, version: string): Promise<boolean | null>;
}
