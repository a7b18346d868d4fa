import type { History, Invariant, OutsideEffect, RunHistory } from "./history.ts";
import {
  authorisedAt,
  changesOf,
  changeText,
  closedAt,
  eachRun,
  entriesOf,
  Findings,
  instant,
  isTarget,
  placeOf,
  planned,
  sameId,
  told,
} from "./reading.ts";

const withEffects: ReadonlySet<string> = new Set([
  "executing",
  "overlapping",
  "retiring",
  "rolling_back",
  "completed",
  "rolled_back",
]);

/** I4: no outside effect without an authorisation for this plan. */
export const authorised: Invariant = {
  id: "I4",
  says: "No outside effect without a verified authorisation for this plan digest: quorum, standing approval or break-glass grant. It is consumed in a log entry at the start; undo steps stay authorised for ever.",
  kept: [
    "packages/engine/src/execution/guard.ts, judging-guard.ts, judge.ts",
    "packages/core/src/approval",
    "packages/engine/src/execution/phases/start.ts",
  ],
  checked: [
    "log: `run.authorised` stands before the first intent, for the digest that was frozen and that the run carries",
    "log: the statements it names were given before it, by enough distinct people of each role that the plan asks for, or a break-glass grant",
    "log: nothing new is intended after the approvals were voided",
    "outside: each change belongs to the target or a place of a plan whose run was authorised before it and was still open, or to a sweep",
  ],
  unseen: [
    "Signatures: they are proven by the executor before the first effect and by `countersign verify` of the bundle, not here.",
    "What somebody does with our credentials and without our product carries our name outside.",
  ],
  remedy:
    "Freeze. Verify the run's bundle (`countersign verify`). An effect without authorisation means that a process or its credentials are in other hands: revoke the writer application's own credential and read the directory's audit log.",
  check: (history) => [...runs(history), ...outside(history)],
};

const runs = eachRun("I4", (run, must) => {
  const [first] = told(run, "step.intent");
  const consumed = authorisedAt(run);
  if (consumed === undefined) {
    must(
      first === undefined && run.steps.length === 0,
      () => "expected run.authorised before the first intent, got none",
    );
    must(!withEffects.has(run.state), () => `expected an authorisation behind state ${run.state}, got none`);
    return;
  }
  must(
    first === undefined || consumed.index < first.index,
    () => "expected run.authorised before the first intent, got it after",
  );
  const frozen = told(run, "plan.frozen")[0]?.data.planDigest;
  must(
    consumed.data.planDigest === frozen && frozen === run.planDigest,
    () =>
      `expected one plan digest, got ${frozen} frozen, ${consumed.data.planDigest} authorised, ${run.planDigest} in the run`,
  );
  const voided = told(run, "approval.voided")[0];
  const late =
    voided === undefined
      ? undefined
      : told(run, "step.intent").find(({ index, data }) => index > voided.index && data.direction === "do");
  must(late === undefined, () => `expected nothing new after the approvals were voided, got ${late?.data.step}`);
  counted(run, must);
});

/** Who stands behind it, by the log's word. */
function counted(run: RunHistory, must: (holds: boolean, sentence: () => string) => void): void {
  const consumed = authorisedAt(run);
  if (consumed === undefined || run.plan === null) return;
  const { statements, kind } = consumed.data;
  const named: readonly string[] = statements;
  const isNamed = (digest: string) => named.includes(digest);
  if (kind === "break-glass") {
    const granted = told(run, "breakglass.granted").some(
      ({ index, data }) => index < consumed.index && isNamed(data.statementDigest),
    );
    must(granted, () => "expected the grant that the authorisation names, got none");
    return;
  }
  const given = told(run, "approval.given").filter(
    ({ index, data }) => index < consumed.index && data.decision === "approve" && isNamed(data.statementDigest),
  );
  for (const { role, count, people } of run.plan.approvals.require) {
    const who = new Set(
      given.filter(({ data }) => data.role === role && people.includes(data.person)).map(({ data }) => data.person),
    );
    must(who.size >= count, () => `expected ${count} of role ${role} behind the authorisation, got ${who.size}`);
  }
}

function outside(history: History) {
  const findings = new Findings("I4");
  for (const effect of changesOf(history)) {
    const mine = planned(history).filter((run) => concerns(run, effect));
    const covered = mine.some(
      (run) => (authorisedAt(run)?.at ?? Number.POSITIVE_INFINITY) <= effect.at && effect.at <= closedAt(run),
    );
    findings.must(
      covered || isSwept(history, effect),
      mine.at(-1)?.id ?? null,
      () => `expected an authorised, open run behind the ${changeText(effect)} at ${instant(effect.at)}, got none`,
    );
  }
  return findings.found;
}

/** Whether a change is to this run's target or to a place of its plan. */
function concerns({ plan }: RunHistory, { kind, target, place }: OutsideEffect): boolean {
  if (plan === null) return false;
  return kind === "write" ? plan.steps.some((step) => placeOf(step) === place) : isTarget(plan, target);
}

/** A late twin that the sweep took away, perhaps after its run had closed. */
function isSwept(history: History, { kind, credential, at }: OutsideEffect): boolean {
  return (
    kind === "remove" &&
    entriesOf(history.beside, "sweep.intent").some(
      (intent) => intent.at <= at && sameId(intent.data.credential, credential ?? ""),
    )
  );
}
