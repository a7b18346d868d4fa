import { type CallShape, fits } from "../crash/points.ts";
import { consumersOf, programOf } from "../crash/stage/names.ts";
import type { Directory } from "../crash/stage/simulator.ts";
import type { Seen } from "./look.ts";
import { desksCount } from "./told.ts";

/** A broken promise, and in which cell. */
export interface Violation {
  readonly cell: string;
  /** The invariant (ARCHITECTURE.md), `reached`, `end`, `notice`, `ticket`, `stage` or `evidence`. */
  readonly rule: string;
  readonly sentence: string;
}

/**
 * How a run may come to rest when something outside goes wrong. `overdue`: in its overlap behind a shut gate, both
 * credentials valid and its owners told; it goes on by itself once the gate can be read.
 */
const ends: ReadonlySet<string> = new Set(["completed", "rolled_back", "held", "blocked", "expired", "overdue"]);
/** The same before anything was changed outside. */
const untouched: ReadonlySet<string> = new Set(["blocked", "expired"]);

type Must = (holds: boolean, rule: string, sentence: string) => void;

/** How often the run made the call. */
export function timesMade({ row, effects }: Seen, shape: CallShape, directory: Directory): number {
  return effects.filter((effect) => effect.workload === null && fits(shape, effect, row, directory)).length;
}

/** A call that the undisturbed run had made was not made so often: nothing went wrong here, so nothing was shown. */
export function notReached({ cell, state, entries }: Seen, nth: number, made: number): Violation {
  const moved = entries.findLast((entry) => entry.type === "run.moved");
  const because = JSON.stringify(moved?.data ?? null);
  const sentence = `expected the call to be made ${nth} times, got ${made} of them until the run was ${state} (${because})`;
  return { cell, rule: "reached", sentence };
}

/** What must hold whatever went wrong. */
export function judge(seen: Seen): Violation[] {
  const found: Violation[] = [];
  const must: Must = (holds, rule, sentence) => {
    if (!holds) found.push({ cell: `${seen.cell}${seen.mended ? " (mended)" : ""}`, rule, sentence });
  };
  judgeEnd(seen, must);
  judgeCredentials(seen, must);
  if (seen.run !== null) must(seen.bundle === "proven", "evidence", `expected a proven bundle, got ${seen.bundle}`);
  judgeTold(seen, must);
  return found;
}

/** Where a run may end when a call goes wrong: this suite's own rules. */
function judgeEnd({ state, mended, entries }: Seen, must: Must): void {
  must(ends.has(state), "end", `expected the run to come to rest, got ${state}`);
  if (mended)
    must(
      state === "completed" || state === "rolled_back",
      "end",
      `expected a held run to end once the fault was mended, got ${state}`,
    );
  if (untouched.has(state))
    must(!entries.some(({ type }) => type === "step.intent"), "I4", `expected no effect of a run that is ${state}`);
}

/** Who can sign in with what, by the tenant's own word. */
function judgeCredentials(seen: Seen, must: Must): void {
  const { row, state, live, stays, inRecord, plan } = seen;
  const left = live.filter((id) => id !== stays);
  const names = [...consumersOf(row).map(({ name }) => name), programOf(row)];
  const failed = seen.effects.filter(
    ({ op, workload, effect }) =>
      (op === "token" || op === "postgres.connect") && workload !== null && names.includes(workload) && !effect,
  );
  must(failed.length === 0, "I1", `expected no failed sign-in, got ${failed.length}: ${failed[0]?.code ?? ""}`);
  must(
    inRecord !== null && live.includes(inRecord),
    "I1",
    `expected the record to hold a credential that signs in, got ${inRecord} of ${live.join(", ")}`,
  );
  must(seen.orphans.length === 0, "I3", `expected no orphan, got ${seen.orphans.length}`);

  const old = plan?.old.id ?? null;
  // Once its removal was intended only the outcome counts: a run that holds then may have retired it.
  const retireIntended = seen.entries.some(({ type, data }) => type === "step.intent" && data.step === "retire");
  const removed = seen.effects.filter(({ op, effect }) => op === "application.removePassword" && effect);
  if (state === "completed") {
    must(old !== null && !live.includes(old), "I5", "expected a completed run to have retired the old credential");
    must(left.length === 1, "I3", `expected one credential after a completed run, got ${left.length}`);
  } else if (old !== null && !retireIntended) {
    must(live.includes(old), "I5", `expected the old credential to sign in while the run is ${state}, it does not`);
    must(
      !removed.some(({ target }) => target.keyId === old),
      "I5",
      "expected the old credential to stay, it was removed",
    );
  }
  if (state === "rolled_back" && plan !== null)
    must(
      left.length === 1 && left[0] === old && inRecord === (stays ?? old),
      "I8",
      `expected only the old credential, got ${live.join(", ")}`,
    );
  must(stays === null || live.includes(stays), "I5", `expected ${stays} to stay, which nobody has named, it did not`);

  const authorised = seen.entries.findIndex(({ type }) => type === "run.authorised");
  const intended = seen.entries.findIndex(({ type }) => type === "step.intent");
  must(intended < 0 || (authorised >= 0 && authorised < intended), "I4", "expected run.authorised before any intent");
  const made = seen.effects.filter(({ op, effect }) => op === "application.addPassword" && effect).length;
  const creates = seen.entries.filter(
    ({ type, data }) => type === "step.intent" && data.step === "create" && data.direction === "do",
  );
  must(made <= creates.length, "I6", `expected an intent for each addPassword, got ${made} for ${creates.length}`);
}

/** Nobody has to find out by himself: what did not complete was told over every channel, and is a ticket at each desk. */
function judgeTold({ run, state, told }: Seen, must: Must): void {
  if (state === "completed" || run === null) return;
  const wanted = noticeOf(state);
  must(
    told.notices.includes(wanted),
    "notice",
    `expected the notice ${wanted}, got ${told.notices.join(", ") || "none"}`,
  );
  must(told.messages > 0, "notice", "expected a message in the room, got none");
  must(
    told.tickets.length === desksCount,
    "ticket",
    `expected a ticket at both desks, got ${told.tickets.join(", ") || "none"}`,
  );
}

/** The kind of the notice that tells of this state. */
export function noticeOf(state: string): string {
  return `run.${state.replaceAll("_", "-")}`;
}
