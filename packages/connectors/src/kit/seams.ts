/**
 * What connectors offer one another. They never import each other; index.ts hands these over.
 */
import {
  type Consumer,
  consumerTarget,
  type Facts,
  type RecordRef,
  type SecretValue,
  type VerifyLevel,
  type World,
} from "@countersign/core";
import type { Leave } from "./leave.ts";

/** One version of an entry in a system of record. */
export interface StoredVersion {
  readonly version: string;
  readonly value: SecretValue;
  readonly tags: Readonly<Record<string, string>>;
  readonly contentType: string | null;
  /** Seconds since the epoch, informational. */
  readonly expiresAt: number | null;
}

/** A system of record or a second store that holds versions. */
export interface RecordStore {
  readonly prod: boolean;
  /** Immutable identity of the entry (I11). */
  identity(leave: Leave, name: string): Promise<Facts>;
  /** The newest version with its value; null when there is none. */
  latest(leave: Leave, name: string): Promise<StoredVersion | null>;
  /** That version with its value. Throws OUTSIDE_NOT_FOUND, or OUTSIDE_FORBIDDEN when it is disabled. */
  version(leave: Leave, name: string, version: string): Promise<StoredVersion>;
  /** The reference that a consumer pinned to this version holds. */
  reference(name: string, version: string): string;
}

/** Finds a record store by the name of its connection. Throws CONFIG_INVALID. */
export type Records = (connection: string) => RecordStore;

/** One sign-in with a client secret as the directory logged it. */
export interface SignIn {
  readonly id: string;
  /** Domain time, ms. */
  readonly at: number;
  /** Which credential was used; null when the log does not say. */
  readonly keyId: string | null;
  readonly address: string | null;
}

/** What the sign-in log of an application says; `null` when it cannot be read (licence, permission, cloud). */
export interface SignIns {
  readonly lines: readonly SignIn[];
  /** True when older lines were left unread. */
  readonly cut: boolean;
}

/** Finds who signed in as an application since `since` (domain ms). */
export type SignInLog = (leave: Leave, tenant: string, appId: string, since: number) => Promise<SignIns | null>;

/** Addresses with a session of `role` now; null where the server does not tell addresses. */
export type Sessions = (leave: Leave, server: string, role: string) => Promise<readonly (string | null)[]>;

/** How a consumer's target looks to a reader. */
export interface TargetReading {
  readonly exists: boolean;
  readonly identity: Facts;
  readonly identityKind: "immutable" | "name-only";
  /** Reference or version it holds; never a value. */
  readonly holds: string | null;
  /** Is it what the record's newest version holds? null where the value cannot be compared. */
  readonly matchesRecord: boolean | null;
  /**
   * The outside's own mark of the last write (`updated_at`, revision); null where it has none. A write leaves the same
   * mark among its object ids: another one means another writer.
   */
  readonly stamp?: string | null;
  /** How far reading can show the new value here, where that depends on more than the kind. */
  readonly shows?: VerifyLevel;
  /** Why it can or may not be written although it is there. */
  readonly refused?: NonNullable<World["consumers"][number]["refused"]>;
  /** It follows the record by itself and has not caught up: no mismatch yet, within its pick-up delay. */
  readonly behind?: boolean;
}

/** Where a consumer's target stands and which record it should match. */
export interface TargetQuestion {
  readonly kind: Consumer["kind"];
  /** As the consumer's kind names it, with its connection. */
  readonly target: Readonly<Record<string, unknown>>;
  readonly record: { readonly connection: string; readonly name: string };
}

/** Reads a consumer's target and compares it with the record. */
export type TargetReader = (
  leave: Leave,
  question: TargetQuestion,
  latest: StoredVersion | null,
) => Promise<TargetReading>;

/** Reads the targets of some kinds of consumers; each connector brings its own. */
export type TargetReaders = Readonly<Partial<Record<Consumer["kind"], TargetReader>>>;

/** The question that a consumer's row asks. */
export function questionOf(consumer: Consumer, record: RecordRef): TargetQuestion {
  return { kind: consumer.kind, target: consumerTarget(consumer, record), record };
}
