/**
 * What the API needs from the rest: data by functions of the database user `cs_api`, and a few facts of the
 * installation. The API holds no provider, store or log credential; it cannot move a run except by these functions.
 * Times are milliseconds of domain time unless a name says otherwise.
 */

import type {
  ChannelView,
  Credential,
  Delivery,
  FailedScan,
  HookEventView,
  ListedFinding,
  Reach,
  ScanView,
  Status,
  Unread,
} from "@countersign/contract";
import type { InventoryRow, RunState } from "@countersign/core";
import type {
  AuditChangeRow,
  ChangeCount,
  ChangeFilter,
  ChangePlace,
  FleetCount,
  FleetFilter,
  LedgerCount,
  LedgerFilter,
  ListedChangeRow,
  Store,
} from "@countersign/engine";

/** A run as its row has it. */
export interface RunRecord {
  readonly id: string;
  /** Name of the inventory row. */
  readonly row: string;
  readonly procedure: string;
  readonly tenant: string;
  readonly environment: string;
  readonly state: RunState;
  readonly trigger: string;
  /** Person id, or `system:<service>`. */
  readonly requester: string;
  readonly requestedAt: number;
  readonly changedAt: number;
  readonly notBefore: number | null;
  readonly because: { readonly code: string; readonly [key: string]: unknown } | null;
  readonly planDigest: string | null;
  /** Approvals may be given until then; null before there is a plan. */
  readonly approvalExpiresAt: number | null;
  /** What a person has asked of the executor and it has not yet done. */
  readonly asked: string | null;
  readonly replaces: string | null;
  readonly replacedBy: string | null;
}

export interface RunFilter {
  readonly state?: RunState;
  readonly open?: boolean;
  readonly row?: string;
  /** The last run of the page before (newest first). */
  readonly before?: { readonly requestedAt: number; readonly id: string };
  readonly limit: number;
}

/** An approval as stored. */
export interface StoredApproval {
  readonly person: string;
  readonly role: string;
  readonly decision: "approve" | "reject";
  readonly statementDigest: string;
  readonly level: "session" | "idp" | "passkey";
  readonly at: number;
  readonly reasonDigest: string | null;
}

/** One log entry as stored. */
export interface StoredEntry {
  readonly index: number;
  readonly run: string | null;
  readonly text: string;
}

/** Bytes kept by their digest, erasable: reasons, statements, envelopes. */
export interface NewAttachment {
  readonly digest: string;
  readonly kind: "reason" | "statement" | "envelope";
  readonly bytes: Uint8Array;
}

export interface Decision {
  readonly run: string;
  readonly planDigest: string;
  readonly person: string;
  readonly role: string;
  readonly decision: "approve" | "reject";
  readonly level: "session";
  readonly statementDigest: string;
  readonly evidenceDigest: string;
  readonly reasonDigest: string | null;
  readonly attachments: readonly NewAttachment[];
  /** Whether this decision and the earlier ones are enough; asked again when others decided meanwhile. */
  isComplete(earlier: readonly Pick<StoredApproval, "person" | "role" | "decision">[]): boolean;
  /** Earliest start once approved. */
  readonly notBefore: number;
  readonly at: number;
}

/** Somebody's word on a break-glass use, as stored. */
export interface StoredWord {
  readonly person: string;
  readonly role: string;
  readonly at: number;
  readonly reasonDigest: string | null;
}

/** A run that one person started alone. */
export interface StoredUse extends StoredWord {
  readonly run: string;
  readonly confirmUntil: number;
  readonly confirmed: StoredWord | null;
  readonly reviewUntil: number;
  readonly reviews: readonly (StoredWord & { readonly result: "accepted" | "objected" })[];
}

/** A signed word on a break-glass use. */
export interface WordOnUse {
  readonly run: string;
  readonly planDigest: string;
  readonly person: string;
  readonly role: string;
  readonly word: "break-glass" | "confirm" | "accept" | "object";
  readonly level: "session";
  readonly statement: Uint8Array;
  readonly envelope: Uint8Array;
  readonly reason: NewAttachment | null;
  /** Earliest start, for who starts alone. */
  readonly notBefore: number;
  readonly at: number;
}

/** A word about closing a held run as it stands, as stored. */
export interface StoredCloseWord extends StoredWord {
  readonly statementDigest: string;
  /** Until when it counts; 0 where its statement was erased. */
  readonly expiresAt: number;
}

/** A signed word about closing a held run as it stands. */
export interface WordOnClose {
  readonly run: string;
  readonly planDigest: string;
  readonly person: string;
  readonly role: string;
  readonly kind: "asked" | "confirmed";
  readonly level: "session";
  readonly statement: Uint8Array;
  readonly envelope: Uint8Array;
  /** The list of what remains, as canonical bytes. */
  readonly remains: Uint8Array;
  readonly reason: NewAttachment | null;
  readonly at: number;
}

/** What a person asks of a run; the executor does it, never the API. */
export interface Ask {
  readonly run: string;
  readonly what: "roll-back" | "retry" | "roll-forward";
  readonly person: string;
  readonly reason: NewAttachment;
  readonly at: number;
}

/** An owner's word about a step that is done by hand. */
export interface StepConfirmation {
  readonly run: string;
  readonly step: string;
  readonly direction: "do" | "undo";
  readonly person: string;
  /** false: it is taken back. */
  readonly given: boolean;
  readonly at: number;
}

/** All reads and writes of the API. Every write refuses with CONFLICT or STATE_CONFLICT when its ground has moved. */
export interface ApiStore {
  run(id: string): Promise<RunRecord | null>;
  runs(filter: RunFilter): Promise<readonly RunRecord[]>;
  countRuns(filter: Omit<RunFilter, "limit" | "before">): Promise<number>;
  /** Canonical plan text by its digest. */
  plan(digest: string): Promise<string | null>;
  approvals(run: string, planDigest: string): Promise<readonly StoredApproval[]>;
  attachment(digest: string): Promise<Uint8Array | null>;
  entries(from: number, limit: number): Promise<readonly StoredEntry[]>;
  runEntries(run: string, fromSeq: number, limit: number): Promise<readonly StoredEntry[]>;
  logSize(): Promise<number>;
  checkpoint(): Promise<{
    readonly origin: string;
    readonly size: number;
    readonly root: string;
    readonly note: string;
  } | null>;
  /** Credentials of rows of the inventory, what expires soonest first; those that are gone outside only when asked for. */
  credentialsOf(rows: readonly InventoryRow[], withRetired: boolean): Promise<readonly Credential[]>;
  /** A page of the whole ledger, and counts by every word that can be filtered by. */
  ledger(query: {
    readonly filter: LedgerFilter;
    readonly now: number;
    /** Where an earlier page ended; INPUT_INVALID if it is no such place. */
    readonly after: string | null;
    readonly limit: number;
  }): Promise<{
    readonly items: readonly Credential[];
    readonly next: string | null;
    readonly counts: readonly LedgerCount[];
  }>;
  /** What expires in the weeks after an instant: by row, and null for what the inventory does not list. */
  expiryWeeks(
    now: number,
    weeks: number,
  ): Promise<readonly { readonly week: number; readonly row: string | null; readonly count: number }[]>;
  /** A page of what is said of the fleet, and counts by every word that can be filtered by. */
  fleetFindings(query: {
    readonly filter: FleetFilter;
    readonly now: number;
    /** Where an earlier page ended; INPUT_INVALID if it is no such place. */
    readonly after: string | null;
    readonly limit: number;
  }): Promise<{
    readonly items: readonly StoredFinding[];
    readonly next: string | null;
    readonly counts: readonly FleetCount[];
    readonly unread: readonly Unread[];
  }>;
  /** See the store's. */
  inventoryCompared: Store["inventoryCompared"];
  inventoryCounts: Store["inventoryCounts"];
  inventoryStandings: Store["inventoryStandings"];
  usesFound: Store["usesFound"];
  vaultReadings: Store["vaultReadings"];
  /** How many objects with live credentials no inventory lists, by tenant; without what people have accepted. */
  unlisted(now: number): Promise<ReadonlyMap<string, number>>;
  /** A page of the changes of credentials that directories log, and counts by every word that can be filtered by. */
  auditChanges(query: {
    readonly filter: ChangeFilter;
    /** Where an earlier page ended; INPUT_INVALID if it is no such place. */
    readonly after: string | null;
    readonly limit: number;
  }): Promise<{
    readonly items: readonly ListedChangeRow[];
    readonly next: string | null;
    readonly counts: readonly ChangeCount[];
  }>;
  auditChange(of: Omit<ChangePlace, "at">): Promise<AuditChangeRow | null>;
  /** A person says what a change was that no run had done. Errors: NOT_FOUND, STATE_CONFLICT. */
  explainChange(
    of: Omit<ChangePlace, "at"> & { readonly person: string; readonly reason: NewAttachment; readonly at: number },
  ): Promise<void>;
  /** Tenants that have not been listed as a whole for too long. */
  lateScans(): Promise<readonly string[]>;
  /** Scans of these tenants that failed when they were last tried. */
  failedScans(tenants: readonly string[]): Promise<readonly FailedScan[]>;
  freeze(): Promise<{ readonly since: number; readonly by: string | null } | null>;
  undeliveredNotices(): Promise<number>;
  /** Notices on their way, the newest first. */
  deliveries(of: {
    readonly run?: string;
    readonly channel?: string;
    readonly undelivered?: boolean;
    readonly limit: number;
  }): Promise<readonly Delivery[]>;
  channels(): Promise<readonly ChannelView[]>;
  /** How every address outside last answered, whoever called it. */
  reaches(): Promise<readonly Reach[]>;
  /** The newest scans of all tenants. */
  scans(limit: number): Promise<readonly ScanView[]>;
  /** What the webhooks have taken: the newest events, and how many of each outcome since an instant. */
  hookEvents(limit: number): Promise<readonly HookEventView[]>;
  hookCounts(
    since: number,
  ): Promise<readonly { readonly hook: string; readonly outcome: string; readonly count: number }[]>;
  /** The next domain instant at which a row is due. */
  nextDue(): Promise<number | null>;
  /** When a scan last came through. */
  lastScanAt(): Promise<number | null>;

  /** Files a request: for a row that has no open run, or for a compromised credential. */
  request(input: {
    readonly id: string;
    readonly row: InventoryRow;
    readonly person: string;
    readonly reason: NewAttachment;
    readonly at: number;
    /** Which credential somebody else may hold, and since when that is known; null: an ordinary rotation. */
    readonly compromised: { readonly credential: string; readonly reportedAt: string } | null;
    /** Which credential is to be replaced, whatever the record holds; null: what the record holds. */
    readonly named: string | null;
  }): Promise<void>;
  decide(decision: Decision): Promise<void>;
  /** The use with which a run began; null: nobody broke the glass. */
  breakGlass(run: string): Promise<StoredUse | null>;
  /** Uses that no review has accepted, by row, the oldest of each. */
  unreviewed(): Promise<ReadonlyMap<string, Pick<StoredUse, "run" | "person" | "at" | "reviewUntil">>>;
  /** Stores a signed word on a use; returns the statement's digest. Errors: NOT_FOUND, STATE_CONFLICT, FORBIDDEN. */
  sayOnUse(word: WordOnUse): Promise<string>;
  /** Every word about closing this run, oldest first. */
  closeWords(run: string): Promise<readonly StoredCloseWord[]>;
  /** Stores a signed word about closing a held run; returns the statement's digest. Errors: NOT_FOUND, STATE_CONFLICT, FORBIDDEN. */
  sayOnClose(word: WordOnClose): Promise<string>;
  withdraw(input: { readonly run: string; readonly person: string; readonly at: number }): Promise<void>;
  ask(ask: Ask): Promise<void>;
  /** STATE_CONFLICT when nothing waits for it; FORBIDDEN for somebody whom the plan does not name as an owner. */
  confirm(confirmation: StepConfirmation): Promise<void>;
  /** Puts a test message for one channel into the outbox. */
  testChannel(input: { readonly channel: string; readonly person: string; readonly at: number }): Promise<void>;
  /** See the store's. */
  askAcceptances: Store["acceptanceAsk"];
  confirmAcceptances: Store["acceptanceConfirm"];
  withdrawAcceptances: Store["acceptanceWithdraw"];
  /** Who asked for these, each once. */
  acceptancesAskedBy: Store["acceptancesAskedBy"];
  setFreeze(input: { readonly person: string; readonly at: number }): Promise<void>;
  liftFreeze(input: { readonly person: string; readonly at: number }): Promise<void>;
}

/** A finding as it is kept: its acceptance without the words that depend on who asks. */
export type StoredFinding = Omit<ListedFinding, "acceptance"> & {
  readonly acceptance:
    | (Omit<NonNullable<ListedFinding["acceptance"]>, "reason" | "you"> & { readonly reasonDigest: string })
    | null;
};

/** A person of the installation as the API knows him. */
export interface KnownPerson {
  readonly person: string;
  readonly name: string;
  readonly iss: string;
  readonly sub: string;
  readonly roles: readonly string[];
}

/** Facts of the installation, and the few acts that are not the database's. */
export interface Installation {
  readonly profile: "demo" | "test" | "production";
  readonly clock: "system" | "virtual";
  readonly separation: "none" | "roles";
  readonly build: string;
  /** Log origin; also the statement's `rpId` host until passkeys exist. */
  readonly origin: string;
  /** Address that browsers use: its origin is the only one allowed to send changes. */
  readonly url: string;
  readonly rpId: string;
}

export interface Readiness {
  readonly mode: Status["readiness"]["mode"];
  readonly reasons: readonly { readonly code: string; readonly sentence: string }[];
}
