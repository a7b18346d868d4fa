import { canonicalBytes, type Json } from "./canonical.ts";
import type { Entry } from "./entry.ts";
import type { EntryData } from "./entry-types.ts";
import type { PlanFacts, PlanStepFacts } from "./plan.ts";
import type { RunView } from "./run-view.ts";

/** `_type` of the list of what remains. */
export const REMAINS_TYPE = "countersign/remains/v1";

/**
 * The words about closing that stand now: the last that was asked since the run's last move, with nothing begun after it,
 * and its confirmation. An executor that goes by this is believed by the verifier.
 */
export function openClose(run: Pick<RunView, "entries">): {
  readonly asked: EntryData<"close.asked"> | undefined;
  readonly confirmed: EntryData<"close.confirmed"> | undefined;
} {
  let asked: EntryData<"close.asked"> | undefined;
  let confirmed: EntryData<"close.confirmed"> | undefined;
  for (const { entry } of run.entries) {
    const begun = entry.type === "step.intent" || (entry.type === "step.outcome" && entry.data.outcome !== "unknown");
    if (begun || entry.type === "run.moved" || entry.type === "close.asked")
      [asked, confirmed] = [undefined, undefined];
    if (entry.type === "close.asked") asked = entry.data;
    if (entry.type === "close.confirmed" && asked !== undefined) confirmed = entry.data;
  }
  return { asked, confirmed };
}

type Intent = Extract<Entry, { type: "step.intent" }>["data"];
type Outcome = Extract<Entry, { type: "step.outcome" }>["data"];

/** One attempt, as far as the log tells. */
interface Told {
  readonly intent: Intent;
  outcome: Outcome | null;
  takenBack: boolean;
  /** Something was begun to take it back, and what came of it is not known. */
  unclear: boolean;
}

/**
 * What a run leaves outside when it is closed as it stands, from its plan and entries alone, as canonical bytes: the old
 * credential, every attempt that may have made or written something and was not taken back, by id and place, and the
 * consumers with how far each was confirmed. Two people sign its digest; the verifier makes it again.
 */
export function remainsOf(run: Pick<RunView, "id" | "entries">, plan: PlanFacts): Uint8Array {
  const attempts = attemptsOf(run.entries.map(({ entry }) => entry));
  const left = attempts.filter(({ intent, takenBack }) => {
    const step = stepOf(plan, intent);
    return step?.phase === "execute" && step.undoable && !takenBack;
  });
  const removals = attempts.filter(({ intent }) => stepOf(plan, intent)?.phase === "retire");
  const list = {
    _type: REMAINS_TYPE,
    consumers: consumersOf(plan).map((name) => ({ name, verified: verifiedOf(attempts, name) })),
    left: left.flatMap(leftOf),
    old: { expiresAt: plan.old.expiresAt, id: plan.old.id, standing: oldStanding(removals) },
    run: run.id,
  };
  return canonicalBytes(list as unknown as Json);
}

function stepOf(plan: PlanFacts, { step }: Pick<Intent, "step">): PlanStepFacts | undefined {
  return plan.steps.find(({ id }) => id === step);
}

/** Every `do` attempt in the order of the log, with its last outcome and whether it was taken back since. */
function attemptsOf(entries: readonly Entry[]): Told[] {
  const told: Told[] = [];
  const find = (data: Pick<Intent, "step" | "attempt" | "call">) =>
    told.find(
      ({ intent }) => intent.step === data.step && intent.attempt === data.attempt && intent.call === data.call,
    );
  // An undo takes back all attempts of its step; a discard the one whose number it has.
  const takenBackBy = (data: Pick<Intent, "step" | "attempt" | "direction">) =>
    told.filter(
      ({ intent }) => intent.step === data.step && (data.direction === "undo" || intent.attempt === data.attempt),
    );
  for (const entry of entries) {
    if (entry.type === "step.intent" && entry.data.direction === "do")
      told.push({ intent: entry.data, outcome: null, takenBack: false, unclear: false });
    else if (entry.type === "step.intent") for (const attempt of takenBackBy(entry.data)) attempt.unclear = true;
    else if (entry.type === "step.outcome" && entry.data.direction === "do") {
      const attempt = find(entry.data);
      if (attempt !== undefined) attempt.outcome = entry.data;
    } else if (entry.type === "step.outcome" && entry.data.outcome !== "unknown") {
      for (const attempt of takenBackBy(entry.data)) {
        attempt.unclear = false;
        attempt.takenBack ||= entry.data.outcome === "done";
      }
    }
  }
  return told;
}

/** What an attempt left; nothing where it is known to have failed without a trace. */
function leftOf({ intent, outcome, unclear }: Told) {
  const ids = outcome?.objectIds ?? {};
  if (outcome?.outcome === "failed" && Object.keys(ids).length === 0 && !leftTraces(outcome)) return [];
  const { attempt, step, target } = intent;
  const marker = intent.facts["displayName"];
  return [
    {
      attempt,
      ids,
      // The name that the attempt gave what it made: by it, it is found where its id is not known.
      marker: typeof marker === "string" ? marker : null,
      standing: outcome?.outcome === "done" && !unclear ? "done" : "unknown",
      step,
      target,
    },
  ];
}

/** Performed and then not verified, found to have landed, or closed only so that it may be repeated: not proven absent. */
function leftTraces({ facts }: Outcome): boolean {
  return facts["performed"] === true || facts["landed"] === true || facts["reconciled"] === "repeat";
}

function oldStanding(removals: readonly Told[]): "untouched" | "removed" | "unknown" {
  if (removals.some(({ outcome }) => outcome?.outcome === "done")) return "removed";
  return removals.every(({ outcome }) => outcome?.outcome === "failed") ? "untouched" : "unknown";
}

/** Consumers by the names that their steps have: `update:NAME`, `confirm:NAME`. */
function consumersOf(plan: PlanFacts): string[] {
  return [...new Set(plan.steps.flatMap(({ id }) => /^(?:update|confirm):(.+)$/u.exec(id)?.[1] ?? []))];
}

/** How the newest done confirmation of a consumer saw it; null: it was never confirmed on the new credential. */
function verifiedOf(attempts: readonly Told[], name: string): string | null {
  const own = attempts.filter(({ intent }) => intent.step === `confirm:${name}`);
  return own.findLast(({ outcome }) => outcome?.outcome === "done")?.outcome?.verified ?? null;
}
