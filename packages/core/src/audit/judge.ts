import type { AuditChange, WorldCredential } from "../ports/index.ts";

/** Whose doing a change of a credential is. `unknown`: it cannot be told, and `because` says why. */
export const auditVerdicts = ["ours", "break-glass", "out-of-band", "unknown"] as const;
export type AuditVerdict = (typeof auditVerdicts)[number];

/** Why a change is judged as it is, once, with what it means. */
export const auditReasons = {
  "made-by-attempt": "a committed attempt of a run made it, by our own application",
  "removed-by-attempt": "a committed attempt of a run removed it, by our own application",
  "left-over-removed": "our own application took away what an attempt had made and nobody could use",
  "by-person": "a person changed it, not a run",
  "by-application": "another program changed it, not a run",
  "actor-unnamed": "no run of ours changed it, and the directory does not say who did",
  "own-application-without-intent":
    "our own application changed it, and no run had said that it would: its credential may be in other hands",
  "marker-without-intent": "it carries a marker of ours that no attempt has committed: somebody made it look like ours",
  "marker-elsewhere": "it carries the marker of an attempt on another application",
  "marker-by-another": "it carries the marker of an attempt of ours, and somebody else made it",
  "attempt-unnamed-actor": "it fits an attempt of ours, and the directory does not say who did it",
  "before-its-intent": "it fits an attempt of ours that was committed only after it",
  "attempt-failed": "it fits an attempt of ours that the outside had refused",
  "change-unreadable": "the directory says that credentials were changed, in a form that does not tell which",
} as const;
export type AuditReason = keyof typeof auditReasons;
/** All of them. */
export const auditReasonCodes = Object.keys(auditReasons) as [AuditReason, ...AuditReason[]];

/** A committed attempt of ours that a change may be the effect of. */
export interface AuditAttempt {
  readonly run: string;
  readonly step: string;
  readonly direction: "do" | "undo" | "discard";
  readonly attempt: number;
  /** When its intent was committed, ms of domain time. */
  readonly intentAt: number;
  readonly outcome: "done" | "failed" | "unknown" | null;
  /** Application that the run is about. */
  readonly objectId: string | null;
  /** Whether one person alone had started the run. */
  readonly breakGlass: boolean;
}

/** What our own journal knows of a changed credential. */
export interface AuditFacts {
  /** The attempt that committed the nonce of the credential's marker. */
  readonly made: AuditAttempt | null;
  /** Attempts that said beforehand that they would remove it, newest first. */
  readonly removals: readonly AuditAttempt[];
}

export interface AuditJudgement {
  readonly verdict: AuditVerdict;
  readonly because: AuditReason;
  readonly by: AuditAttempt | null;
}

/** The directory's clock and ours may differ by so much. */
const clockSlackMs = 5 * 60_000;

/**
 * Whose doing a change is, from the directory's word and our own journal. Ours is only what an attempt had committed to
 * before, on that very application, carried out by an application of ours: a name or a marker alone proves nothing.
 */
export function judgeAudit(change: AuditChange, facts: AuditFacts, ownAppIds: readonly string[]): AuditJudgement {
  if (change.act === "unreadable" || change.credential === null) return unknown("change-unreadable", null);
  const own = isOwn(change, ownAppIds);
  return change.act === "added" ? judgeAdded(change, facts, own) : judgeRemoved(change, facts, own);
}

type Own = "own" | "another" | "unnamed";

function isOwn({ actor }: AuditChange, ownAppIds: readonly string[]): Own {
  if (actor.id === null || actor.kind === "unnamed") return "unnamed";
  if (actor.kind === "person") return "another";
  const id = actor.id.toLowerCase();
  return ownAppIds.some((one) => one.toLowerCase() === id) ? "own" : "another";
}

function judgeAdded(change: AuditChange, { made }: AuditFacts, own: Own): AuditJudgement {
  if (change.marker === null) return stranger(change, own);
  if (made === null || !names(made, change.marker)) return outOfBand("marker-without-intent", null);
  if (made.objectId === null || !same(made.objectId, change.objectId)) return outOfBand("marker-elsewhere", made);
  if (own === "another") return outOfBand("marker-by-another", made);
  if (own === "unnamed") return unknown("attempt-unnamed-actor", made);
  return fits(change, made, "made-by-attempt");
}

function judgeRemoved(change: AuditChange, { made, removals }: AuditFacts, own: Own): AuditJudgement {
  // The newest one that was committed by then; a later one found it gone.
  const here = removals.filter(({ objectId }) => objectId !== null && same(objectId, change.objectId));
  const removal = here.find(({ intentAt }) => intentAt <= change.at + clockSlackMs) ?? here.at(-1) ?? null;
  if (own === "another") return stranger(change, own);
  if (removal !== null)
    return own === "unnamed" ? unknown("attempt-unnamed-actor", removal) : fits(change, removal, "removed-by-attempt");
  // What an attempt left behind is taken away by its marker, perhaps long after its run has closed.
  const left = made !== null && made.outcome !== "done" && names(made, change.marker) ? made : null;
  if (left !== null && left.objectId !== null && same(left.objectId, change.objectId))
    return own === "unnamed" ? unknown("attempt-unnamed-actor", left) : fits(change, left, "left-over-removed");
  return stranger(change, own);
}

/** An attempt of ours it is, unless the times or its own outcome speak against it. */
function fits(change: AuditChange, by: AuditAttempt, because: AuditReason): AuditJudgement {
  if (by.intentAt > change.at + clockSlackMs) return unknown("before-its-intent", by);
  if (by.outcome === "failed" && because !== "left-over-removed") return unknown("attempt-failed", by);
  return { verdict: by.breakGlass ? "break-glass" : "ours", because, by };
}

function stranger({ actor }: AuditChange, own: Own): AuditJudgement {
  if (own === "own") return outOfBand("own-application-without-intent", null);
  if (own === "unnamed") return outOfBand("actor-unnamed", null);
  return outOfBand(actor.kind === "person" ? "by-person" : "by-application", null);
}

function names(made: AuditAttempt, marker: WorldCredential["marker"]): boolean {
  return marker !== null && made.run === marker.run && made.attempt === marker.attempt;
}

const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();
const unknown = (because: AuditReason, by: AuditAttempt | null): AuditJudgement => ({
  verdict: "unknown",
  because,
  by,
});
const outOfBand = (because: AuditReason, by: AuditAttempt | null): AuditJudgement => ({
  verdict: "out-of-band",
  because,
  by,
});
