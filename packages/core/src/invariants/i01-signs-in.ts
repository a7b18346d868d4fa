import { goesBackTo } from "../plan/plan.ts";
import type { History, Invariant, OutsideRecord, OutsideSignIn, RunHistory } from "./history.ts";
import {
  attempts,
  authorisedAt,
  createStep,
  credentialIds,
  Findings,
  instant,
  isTarget,
  type Planned,
  placeOf,
  planned,
  sameId,
  storeStep,
  told,
} from "./reading.ts";

/** I1: every consumer holds a credential that signs in. */
export const signsIn: Invariant = {
  id: "I1",
  says: "At every instant every consumer holds a credential that signs in (within its declared pick-up delay), also during and after a rollback.",
  kept: [
    "packages/core/src/procedure (prove before store, retire last)",
    "packages/engine/src/execution/phases/overlap.ts, retire.ts, roll-back.ts",
    "packages/connectors/src/entra/gate.ts",
  ],
  checked: [
    "journal: what was last written to a record was not removed afterwards",
    "outside, read: the newest value of the record, and of each copy that was written, is of a credential that exists and signs in",
    "outside, sign-ins (tests): no program was refused its credential from the moment a run began on; in an emergency a consumer may be, until it was written and its pick-up delay has passed",
    "log: a completed emergency has seen every consumer on the new credential",
  ],
  unseen: [
    "In production nobody watches each sign-in: a refusal between two looks is seen by the consumer's own alarms and the directory's log only.",
    "A program that no inventory names and that has not signed in since the log begins.",
  ],
  remedy:
    "Somebody may be without a working credential now. Open the run; if it overlaps or holds, roll back while the old one still signs in. If the old one is gone, request a rotation at once and tell the owners.",
  check: (history) => {
    const findings = new Findings("I1");
    removedWhileStored(history, findings);
    for (const run of planned(history)) restored(run, findings);
    for (const record of history.outside?.records ?? []) stands(history, record, findings);
    for (const signIn of history.outside?.signIns ?? []) {
      if (!signIn.refused) continue;
      const run = planned(history)
        .filter(({ plan }) => isTarget(plan, signIn.target))
        .filter((one) => (authorisedAt(one)?.at ?? Number.POSITIVE_INFINITY) <= signIn.at)
        .findLast(({ plan }) => !plan.emergency || plan.consumers.some(({ name }) => name === signIn.program));
      findings.must(
        run === undefined || isCutOff(run, signIn),
        run?.id ?? null,
        () => `expected ${signIn.program} to sign in, got a refusal at ${instant(signIn.at)}`,
      );
    }
    return findings.found;
  },
};

/** What stands in a place that the target's newest run has written, or put back, is alive. */
function stands(history: History, { target, place, credential, signsIn: works }: OutsideRecord, findings: Findings) {
  const run = newest(history, target);
  const step = run?.plan.steps.find((one) => placeOf(one) === place);
  if (run === undefined || step === undefined) return;
  // Not written before the cut of an emergency: its consumer waits for that.
  if (run.plan.emergency?.leaveBehind.includes(step.id) === true && !Number.isFinite(doneAt(run, step.id))) return;
  findings.must(works !== false, run.id, () => `expected the newest value at ${place} to sign in, got a refusal`);
  if (credential === null || history.outside?.credentials == null) return;
  const live = history.outside.credentials.filter((one) => sameTarget(one.target, target));
  findings.must(
    live.some(({ id }) => sameId(id, credential)),
    run.id,
    () =>
      `expected ${credential}, whose value stands at ${place}, to exist, got ${live.map(({ id }) => id).join(", ") || "none"}`,
  );
}

/**
 * An emergency ends the compromised credential at once: a consumer that it may leave behind is refused until it was
 * written, any consumer until its pick-up delay has passed after that, and none once it was seen on the new one.
 */
function isCutOff(run: Planned, { program, at, credential }: OutsideSignIn): boolean {
  const { plan } = run;
  const consumer = plan.consumers.find(({ name }) => name === program);
  const restore = plan.steps.find(({ phase, params }) => phase === "restore" && params.consumer === program);
  if (plan.emergency === undefined || consumer === undefined || restore === undefined) return false;
  if (credential !== null && !plan.emergency.revoke.some((id) => sameId(id, credential))) return false;
  if (at > doneAt(run, restore.id)) return false;
  const update = String(restore.params.update);
  const written = doneAt(run, update);
  return at < written ? plan.emergency.leaveBehind.includes(update) : at <= written + consumer.pickupSeconds * 1_000;
}

/** When a step was done; Infinity while it is not. */
function doneAt(run: RunHistory, step: string): number {
  const done = told(run, "step.outcome").find(
    ({ data }) => data.step === step && data.direction === "do" && data.outcome === "done",
  );
  return done?.at ?? Number.POSITIVE_INFINITY;
}

/** A completed emergency has seen every consumer on the new credential. */
function restored(run: Planned, findings: Findings): void {
  if (run.state !== "completed") return;
  const open = run.plan.steps.filter(({ id, phase }) => phase === "restore" && !Number.isFinite(doneAt(run, id)));
  findings.must(
    open.length === 0,
    run.id,
    () => `expected every consumer of a completed emergency to be restored, got ${open.map(({ id }) => id).join(", ")}`,
  );
}

function sameTarget(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  return Object.keys(a).some((key) => a[key] !== undefined && a[key] === b[key]);
}

/** The run of a target that began last. */
function newest(history: History, target: Readonly<Record<string, string>>): Planned | undefined {
  return planned(history)
    .filter((run) => isTarget(run.plan, target) && authorisedAt(run) !== undefined)
    .toSorted((a, b) => (authorisedAt(a)?.index ?? 0) - (authorisedAt(b)?.index ?? 0))
    .at(-1);
}

/** By the log alone: writes to the record and removals, in order. */
function removedWhileStored(history: History, findings: Findings): void {
  const stored = new Map<string, string>();
  const outcomes = planned(history)
    .flatMap((run) => told(run, "step.outcome").map((outcome) => ({ run, outcome })))
    .filter(({ outcome }) => outcome.data.outcome === "done")
    .toSorted((a, b) => a.outcome.index - b.outcome.index);
  for (const { run, outcome } of outcomes) {
    const { step, direction, attempt } = outcome.data;
    const target = run.plan.target.name;
    if (step === storeStep && direction === "do") {
      const made = attempts(run, createStep, "do").findLast(
        (row) => row.outcome === "done" && row.seq < seqOf(run, step, attempt),
      );
      const id = made === undefined ? undefined : credentialIds(made)[0];
      if (id !== undefined) stored.set(target, id);
    }
    if (step === storeStep && direction === "undo") {
      const back = goesBackTo(run.plan);
      if (back === null) stored.delete(target);
      else stored.set(target, back.id);
    }
    const removes =
      direction === "discard" ||
      (direction === "do" && run.plan.steps.some(({ id, phase }) => id === step && phase === "retire"));
    if (!removes) continue;
    const now = stored.get(target);
    const removed = run.steps.find(
      (row) => row.step === step && row.direction === direction && row.attempt === attempt,
    );
    findings.must(
      now === undefined || removed === undefined || !credentialIds(removed).some((id) => sameId(id, now)),
      run.id,
      () => `expected the credential that the record holds to stay, ${direction} of ${step} removed ${now}`,
    );
  }
}

function seqOf(run: RunHistory, step: string, attempt: number): number {
  return attempts(run, step, "do").find((row) => row.attempt === attempt)?.seq ?? Number.POSITIVE_INFINITY;
}
