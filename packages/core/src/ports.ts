/**
 * What the domain asks of the outside, as interfaces only. Connectors offer verbs; the order of a rotation lives in the
 * procedure (procedure/), never here.
 */
import type { Json } from "@countersign/evidence";
import type { z } from "zod";
import type { InventoryRow } from "./inventory/row.ts";
import type { SecretValue } from "./secret-value.ts";

/** Domain time: windows, overlap, expiry, entry times, backoff. Liveness never uses it. */
export interface Clock {
  /** Now, in milliseconds since the epoch. */
  now(): number;
  /** Resolves when domain time has passed `ms`; rejects with the signal's reason when it is aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** A JSON object without secrets; goes to the journal and into evidence. */
export type Facts = { readonly [name: string]: Json };

/** How far a consumer or a written entry was shown to hold the new credential; each level includes those before it. */
export const verifyLevels = ["accepted", "metadata-changed", "value-matched", "used"] as const;
export type VerifyLevel = (typeof verifyLevels)[number];

/** How a call may be repeated: `safe` reads, `idempotent` writes, `once` = never without looking first. */
export type RetryClass = "safe" | "idempotent" | "once";

/** What a connector can honestly do. Shown to approvers; policy may refuse a plan for it. */
export interface Capabilities {
  /** Does `identify` return something that a name re-used by somebody else would not have? (I11) */
  readonly identity: "immutable" | "name-only";
  readonly readable: "value" | "fingerprint" | "metadata" | "none";
  readonly writeScope: "entry" | "whole-container";
  readonly concurrency: "token" | "timestamp" | "none";
  readonly verify: readonly VerifyLevel[];
  readonly valueBytesMax: number;
}

/** The answer of one outside act that is believed. */
export interface Done {
  /** Ids the outside gave to what was made or changed (keyId, version, request ids apart). */
  readonly objectIds: Facts;
  /** Other facts worth evidence: status, times, counts. No free text from the outside. */
  readonly facts: Facts;
  readonly requestIds: readonly string[];
  /** Only from a verb that `yields` one. */
  readonly value?: SecretValue;
}

/** What reading the outside says of an attempt whose outcome is not known. */
export type Reconciled =
  | { readonly kind: "done"; readonly done: Done }
  /**
   * It did not happen, or its value is lost: the verb may be tried again with a new attempt. `left` says what attempts of
   * this step were found to have made although nobody holds its value; the executor discards it, with an intent of its own.
   */
  | { readonly kind: "not-done"; readonly facts: Facts; readonly left?: readonly Left[] }
  /** It cannot be found out, and need not be: the same again does no harm. */
  | { readonly kind: "repeat" }
  /** Not believed either way yet; `lookAgainMs` of domain time from now. */
  | { readonly kind: "unknown"; readonly lookAgainMs: number; readonly facts: Facts };

/** What one attempt was found to have left behind. */
export interface Left {
  readonly attempt: number;
  readonly objectIds: Facts;
}

export type Verified =
  | { readonly kind: "verified"; readonly level: VerifyLevel; readonly facts: Facts }
  /** Not yet: look again after `lookAgainMs` of domain time, until the step's deadline. */
  | { readonly kind: "not-yet"; readonly lookAgainMs: number; readonly facts: Facts }
  /** Shown to be wrong (another writer, another value): never retried. */
  | { readonly kind: "refuted"; readonly code: string; readonly facts: Facts };

/** A journaled attempt as its verb sees it after a crash. */
export interface PastAttempt {
  readonly attempt: number;
  /** The attempt's committed nonce, as in its marker. */
  readonly nonce: string;
  readonly direction: "do" | "undo" | "discard";
  readonly intent: Facts;
  readonly outcome: "done" | "failed" | "unknown" | null;
  readonly objectIds: Facts;
  readonly facts: Facts;
  /** Domain time at which the intent was committed, ms. */
  readonly intentAt: number;
}

/** A person's word that a step was done by hand, while it stands. */
export interface Confirmation {
  readonly person: string;
  /** Domain time at which it was given, ms. */
  readonly at: number;
}

/**
 * The way out for a verb. Every call passes the lease check and a deadline (design: lease and self-fencing).
 * `act` is used at most once per attempt and only after the executor has committed the intent.
 */
export interface VerbContext {
  readonly run: string;
  readonly tenantId: string;
  readonly step: string;
  readonly attempt: number;
  readonly direction: "do" | "undo" | "discard";
  readonly clock: Clock;
  /** This attempt's committed 128-bit nonce (hex): goes into the marker of whatever is created. */
  readonly nonce: string;
  /** `cs:<run>:<attempt>:<nonce>`: the marker that everything we create carries for ever (I3). */
  readonly marker: string;
  readonly signal: AbortSignal;
  /** All attempts of this step, oldest first. */
  readonly past: readonly PastAttempt[];
  /** What another step of this run made; undefined when it is not done. */
  outcomeOf(step: string): Done | undefined;
  /** Whether a person has confirmed that a step was done (or put back) by hand; null when nobody has, or took it back. */
  confirmed(step: string, direction: "do" | "undo"): Promise<Confirmation | null>;
  /** The value held in memory for this run (from the verb that yields it); throws VALUE_NOT_HELD when there is none. */
  value(): SecretValue;
  /** Throws LEASE_LOST unless the last accepted beat is fresh. Verbs call it right before a request leaves; the HTTP kit does so by itself. */
  assertAlive(): void;
  /** Says that a request is an effect (not a read), just before it leaves; test probes hang on it. */
  readonly effectSent: () => Promise<void>;
  /** Says that an effect was not refused: it stands, or may, whatever fails after it. The HTTP kit does so by itself. */
  readonly effectMayStand?: () => void;
}

/**
 * One verb of a connector, `name@major`. Parameters and identity come from the plan and nowhere else.
 * A verb never decides order, retries no `once` call and swallows no error.
 */
export interface Verb<P = unknown> {
  readonly id: string;
  /** The connector that offers it, with its exact version (goes into evidence per step). */
  readonly connector: { readonly id: string; readonly version: string };
  readonly params: z.ZodType<P>;
  /** `create` leaves a value in memory only; `publish` makes the value durable in the system of record. */
  readonly value: "yields" | "stores" | "uses" | "none";
  /** `look` verbs change nothing outside (prove, confirm): no effect is journaled as intent of change. */
  readonly effect: "change" | "look";
  readonly retry: RetryClass;
  /** A person does it by hand and confirms: `do` only asks; it is undone by a person's confirmation, and waited for. */
  readonly asks?: true;
  /**
   * Its target follows the record by itself, at the latest after so long (ms): it may hold what the record held even where
   * this step was never done. Undone after the record was.
   */
  readonly follows?: { readonly withinMs: number };
  /**
   * There is one place for what it makes: each attempt replaces what the one before has made. So no other attempt may be
   * made while a stalled holder may still publish the value of an earlier one.
   */
  readonly replaces?: true;
  /** The call's name in journal and evidence, e.g. `application.addPassword`. */
  readonly call: string;
  /** Reads back the target's immutable identity; the executor compares it with the plan's before do, undo and discard. */
  identify(ctx: VerbContext, params: P): Promise<Facts>;
  /** Facts committed with the intent (no secrets), before anything leaves. */
  intent?(ctx: VerbContext, params: P): Facts;
  do(ctx: VerbContext, params: P): Promise<Done>;
  /** Asked after `unknown` or after a crash between intent and outcome, of the direction `do`. Required for `once`. It only looks. */
  reconcile?(ctx: VerbContext, params: P): Promise<Reconciled>;
  verify?(ctx: VerbContext, params: P, done: Done): Promise<Verified>;
  /** Reverses the step; twice is once. */
  undo?(ctx: VerbContext, params: P, done: Done): Promise<Done>;
  /** For steps that cannot be undone: may it be done now? A shut gate never retires. */
  gate?(ctx: VerbContext, params: P): Promise<GateReading>;
  /** Takes away what an attempt made whose value was lost before it was stored; twice is once. For `yields` verbs. */
  discard?(ctx: VerbContext, params: P, objectIds: Facts): Promise<Done>;
}

/** How sure we are that nobody uses the old credential any more. */
export type Grade = "strong" | "weak" | "none";

/** What the retire gate saw. `open: false` never retires. */
export interface GateReading {
  readonly grade: Grade;
  readonly open: boolean;
  /** Closed codes, e.g. `old-key-used`, `report-unavailable`, `quiet-too-short`. */
  readonly reasons: readonly string[];
  readonly facts: Facts;
}

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

/** A credential as a listing shows it. Times in milliseconds. */
export interface ScannedCredential {
  readonly id: string;
  readonly kind: WorldCredential["kind"];
  readonly startsAt: number | null;
  readonly expiresAt: number | null;
  readonly marker: WorldCredential["marker"];
}

/** A directory object that may carry credentials, as a listing shows it. */
export interface ScannedObject {
  readonly kind: "application" | "service-principal";
  readonly objectId: string;
  readonly appId: string;
  readonly name: string;
  readonly createdAt: number | null;
  readonly audience: string | null;
  readonly disabled: boolean;
  /** What the directory names as its record in a service catalogue. */
  readonly serviceRef: string | null;
  readonly credentials: readonly ScannedCredential[];
}

/** One page of a listing. */
export interface ScanPage {
  readonly objects: readonly ScannedObject[];
  /** Ids of what was listed in a form that nobody documented: nothing is concluded about it. */
  readonly unreadable: readonly string[];
  /** Link to the next page; null: this was the last one. */
  readonly next: string | null;
}

/** What has changed since a link was given. */
export interface ScanChanges {
  /** As they are now: each was read again, since a change names only what has changed. */
  readonly objects: readonly ScannedObject[];
  readonly unreadable: readonly string[];
  readonly removed: readonly string[];
  /** Where the next look begins. */
  readonly link: string;
}

/** Who owns a directory object. */
export interface ObjectOwners {
  readonly objectId: string;
  readonly owners: readonly {
    readonly id: string;
    readonly kind: "user" | "service-principal" | "other";
    /** How the directory shows it; personal data. */
    readonly name: string | null;
    /** Null: not said. */
    readonly enabled: boolean | null;
  }[];
}

/** When a credential was last used to sign in, as the directory's own report says. */
export interface LastUse {
  readonly id: string;
  readonly lastUsedAt: number | null;
}

/** Sign-ins of one application that its directory refused for the secret they came with, summed up. */
export interface SignInFailure {
  readonly appId: string;
  /** Null: the log does not say with which. */
  readonly credential: string | null;
  /** The directory's own number, without AADSTS. */
  readonly error: number;
  /** Milliseconds. */
  readonly firstAt: number;
  readonly lastAt: number;
  readonly count: number;
  /** Where they came from, in order, at most four. */
  readonly addresses: readonly string[];
}

export interface FailedSignIns {
  readonly found: readonly SignInFailure[];
  readonly pages: number;
  /** Not all of the time was read, or not every line could be: what is not named may have failed too. */
  readonly cut: boolean;
}

/** How long a policy of the directory itself lets a secret live. */
export interface LifetimePolicy {
  /** Empty: the tenant's default for this kind; one of its own takes its place. */
  readonly objectId: string;
  readonly kind: ScannedObject["kind"];
  /** Null: it lifts the default. */
  readonly secretSecondsMax: number | null;
  /** It holds for what was created then or later, ms. */
  readonly createdFrom: number;
}

/** An address that signed in with a client secret of the application. */
export interface CallerFound {
  readonly address: string;
  /** Milliseconds. */
  readonly lastAt: number;
}

/** Lists the credentials of one tenant. Reading rights are all it has. */
export interface Scanner {
  readonly tenant: string;
  /** The queries as sent, for evidence. */
  readonly query: string;
  readonly collections: readonly string[];
  /** appIds under which we act ourselves: what owns for them is of interest also where it holds nothing. */
  readonly ownAppIds: readonly string[];
  /** A link from which on changes can be asked for; null: this server keeps none. */
  latest(ctx: ReadContext, collection: string): Promise<string | null>;
  /** One page; `link` null: the first. Error: OUTSIDE_INVALID when the link is not known any more. */
  page(ctx: ReadContext, collection: string, link: string | null): Promise<ScanPage>;
  /** Null: the link is too old, a whole listing is due. */
  changes(ctx: ReadContext, collection: string, link: string): Promise<ScanChanges | null>;
  /** One page of the owners of what a collection holds; `link` null: the first. */
  owners(
    ctx: ReadContext,
    collection: string,
    link: string | null,
  ): Promise<{ readonly found: readonly ObjectOwners[]; readonly next: string | null }>;
  /** The owners of these objects, each asked for by its id; one that is gone is left out. */
  ownersOf(
    ctx: ReadContext,
    objects: readonly Pick<ScannedObject, "kind" | "objectId">[],
  ): Promise<readonly ObjectOwners[]>;
  /** The directory's own policies. Null: they are not to be had. */
  policies(ctx: ReadContext): Promise<readonly LifetimePolicy[] | null>;
  /** One page of when credentials were last used. Null: the report is not to be had. */
  uses(
    ctx: ReadContext,
    link: string | null,
  ): Promise<{ readonly found: readonly LastUse[]; readonly next: string | null } | null>;
  /** Sign-ins since a time that failed for their secret. Null: the log is not to be had. */
  failures(ctx: ReadContext, since: number): Promise<FailedSignIns | null>;
  /** Addresses that signed in with a client secret of an application since a time, the last first. Null: the log is not to be had. */
  callers(ctx: ReadContext, appId: string, since: number): Promise<readonly CallerFound[] | null>;
}

/** Who the directory says has changed something. */
export interface AuditActor {
  readonly kind: "person" | "application" | "unnamed";
  /** Object id of a person, appId of an application; never a name: people and programs are renamed. */
  readonly id: string | null;
}

/** A change of one credential as the directory's own audit log has it; what it had refused is no change. */
export interface AuditChange {
  /** The directory's own id of the entry. */
  readonly entry: string;
  /** When the directory says it happened, ms. */
  readonly at: number;
  /** What the directory calls it, spelled in one way. */
  readonly activity: string;
  readonly correlation: string | null;
  readonly actor: AuditActor;
  readonly objectId: string;
  readonly holder: ScannedObject["kind"];
  /** `unreadable`: it says that credentials were changed, in a form that does not tell which. */
  readonly act: "added" | "removed" | "unreadable";
  /** Null only for `unreadable`. */
  readonly credential: string | null;
  readonly kind: "client-secret" | "certificate" | "other";
  readonly marker: WorldCredential["marker"];
}

/** One page of the directory's audit log. */
export interface AuditPage {
  readonly changes: readonly AuditChange[];
  /** Entries of the page, whatever they are about. */
  readonly seen: number;
  /** Entries without an id or a time: nothing can be said of them. */
  readonly unreadable: number;
  readonly next: string | null;
}

/** Reads the audit log of one tenant's directory. Reading rights are all it has. */
export interface AuditLog {
  readonly tenant: string;
  /** The query as sent, with `{from}` and `{to}` where the times stand. */
  readonly query: string;
  /** appIds under which we act ourselves. */
  readonly ownAppIds: readonly string[];
  /**
   * One page of what happened from `from` to `to` (ms, both included); `link` null: the first. Null: this tenant has no such
   * log for us. Error: OUTSIDE_INVALID when the link is not known any more.
   */
  page(
    ctx: ReadContext,
    span: { readonly from: number; readonly to: number },
    link: string | null,
  ): Promise<AuditPage | null>;
}

/** The verbs and readers a build has; composed once, in server/main.ts. */
export interface Connectors {
  readonly verbs: ReadonlyMap<string, Verb<never>>;
  readonly worlds: ReadonlyMap<string, WorldReader>;
  readonly scanners: readonly Scanner[];
  readonly audits: readonly AuditLog[];
}
