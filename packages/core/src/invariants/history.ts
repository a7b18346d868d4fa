/**
 * What an invariant is judged on: journal, log, plan and locks of runs, and, where somebody looked, what stands outside.
 * All of it is data; where it was read is the affair of whoever reads it. Times are domain milliseconds.
 */
import type { Entry } from "@countersign/evidence";
import type { Connection } from "../config/config.ts";
import type { Plan } from "../plan/plan.ts";
import type { Facts, VerifyLevel, WorldCredential } from "../ports/index.ts";
import type { RunState } from "../run/states.ts";

/** Everything that was read at one time. */
export interface History {
  /** When it was read. */
  readonly at: number;
  readonly runs: readonly RunHistory[];
  /** Entries of the log that belong to no run and name one: sweeps. */
  readonly beside: readonly LoggedFact[];
  readonly ledger: readonly LedgerFact[];
  /** Where values may be written; null: the configuration is not at hand. */
  readonly scopes: readonly Pick<Connection, "name" | "kind" | "prod" | "scope">[] | null;
  /** What was seen outside; null: nobody looked. */
  readonly outside: Outside | null;
}

/** One run, as of one instant. */
export interface RunHistory {
  readonly id: string;
  readonly state: RunState;
  readonly requester: string;
  readonly notBefore: number | null;
  readonly updatedAt: number;
  readonly planDigest: string | null;
  /** null: there is none, or its bytes are not what the digest says. */
  readonly plan: Plan | null;
  /** Who holds it. `lostForMs`: real time since that worker was gone, or silent beyond its lease; 0 while it lives. */
  readonly holder: { readonly worker: string; readonly lostForMs: number } | null;
  readonly steps: readonly AttemptFact[];
  readonly entries: readonly LoggedFact[];
  readonly locks: readonly { readonly key: string; readonly held: "run" | "effects" }[];
}

/** One row of the step journal. */
export interface AttemptFact {
  readonly step: string;
  readonly direction: "do" | "undo" | "discard";
  readonly attempt: number;
  /** Order of intents. */
  readonly seq: number;
  readonly verb: string;
  readonly fence: number;
  readonly nonce: string;
  readonly intent: Facts;
  readonly intentAt: number;
  readonly outcome: "done" | "failed" | "unknown" | null;
  readonly outcomeAt: number | null;
  /** An unknown creation counts as absent, or its late twin was removed. */
  readonly resolvedAt: number | null;
  readonly objectIds: Facts;
  readonly facts: Facts;
  readonly verified: VerifyLevel | null;
}

/** An entry with its place in the log. */
export interface LoggedFact {
  readonly index: number;
  readonly entry: Entry;
}

/** A line of the ledger that is not gone. */
export interface LedgerFact {
  readonly application: string;
  readonly id: string;
  readonly state: string;
  readonly run: string | null;
  readonly marker: WorldCredential["marker"];
}

/** Facts from outside. Each part is null where its source cannot tell. */
export interface Outside {
  /** Every change of the product, and its reads that identify a target, in the order in which they happened. */
  readonly effects: readonly OutsideEffect[] | null;
  /** Sign-ins of programs that live on a credential. */
  readonly signIns: readonly OutsideSignIn[] | null;
  /** Credentials that exist on the targets that were looked at. */
  readonly credentials: readonly OutsideCredential[] | null;
  /** Newest value of each vault entry that was looked at: records, and copies that consumers read. */
  readonly records: readonly OutsideRecord[] | null;
  /** Values that must stand nowhere (I7). */
  readonly values: readonly string[] | null;
}

/** Ids by which the outside names a target: of an application `objectId` and `appId`, of a database role `role`. */
export type TargetIds = Readonly<Record<string, string>>;

export interface OutsideEffect {
  readonly at: number;
  /** `identify`: a read that shows who answers there, before a write. */
  readonly kind: "create" | "remove" | "write" | "identify";
  readonly target: TargetIds;
  /** Id of the credential that was made or removed. */
  readonly credential: string | null;
  readonly marker: WorldCredential["marker"];
  /** Where a value was written: `host/entry`. */
  readonly place: string | null;
  /** How long what was made is valid. */
  readonly lifetimeSeconds: number | null;
}

export interface OutsideSignIn {
  readonly at: number;
  readonly target: TargetIds;
  readonly program: string;
  readonly credential: string | null;
  readonly worked: boolean;
  /** The directory said that the credential is not valid; any other failure says nothing about it. */
  readonly refused: boolean;
}

export interface OutsideCredential {
  readonly target: TargetIds;
  readonly id: string;
  readonly marker: WorldCredential["marker"];
}

export interface OutsideRecord {
  /** Whose credential its newest value is. */
  readonly target: TargetIds;
  /** Where it stands: `host/entry`. */
  readonly place: string;
  /** Which credential its newest value is; null: that could not be shown. */
  readonly credential: string | null;
  readonly signsIn: boolean | null;
}

/** Ids of the invariants (ARCHITECTURE.md). */
export const invariantIds = ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10", "I11", "I12"] as const;
export type InvariantId = (typeof invariantIds)[number];

/** A broken promise. */
export interface Violation {
  readonly invariant: InvariantId;
  /** null: of no single run. */
  readonly run: string | null;
  /** "expected X, got Y". */
  readonly sentence: string;
}

/** One invariant: what it says and how it is looked for. The texts make docs/invariants.md. */
export interface Invariant {
  readonly id: InvariantId;
  readonly says: string;
  /** Where in the source it is kept. */
  readonly kept: readonly string[];
  /** What is checked, by source. */
  readonly checked: readonly string[];
  /** What no source here can show. */
  readonly unseen: readonly string[];
  /** What a person does when it is reported. */
  readonly remedy: string;
  readonly check: (history: History) => readonly Violation[];
}
