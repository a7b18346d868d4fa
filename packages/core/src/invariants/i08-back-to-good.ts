import { goesBackTo } from "../plan/plan.ts";
import type { History, Invariant, RunHistory } from "./history.ts";
import {
  attempts,
  changesOf,
  createStep,
  credentialIds,
  eachRun,
  Findings,
  instant,
  isTarget,
  madeBy,
  planned,
  recordPlace,
  sameId,
  spansOf,
  storeStep,
  told,
} from "./reading.ts";

/** I8: a rollback ends at what worked before, and has an overlap of its own. */
export const backToGood: Invariant = {
  id: "I8",
  says: "Rollback has its own overlap: the new credential stays valid until every consumer that could have read it has had its pick-up delay to return. Automatic only if the old one still has policy's minimum left; otherwise hold with both valid. Twice is once.",
  kept: [
    "packages/engine/src/execution/phases/roll-back.ts",
    "packages/engine/src/execution/judging-guard.ts (beforeRollBack)",
  ],
  checked: [
    "log: a published credential is taken back only after the longest pick-up delay since the last undo, nothing is undone once a retirement was intended, and nobody went back by himself with less than the minimum left",
    "log: a run that is rolled back has undone every step that may have had an effect",
    "outside: nothing that the run made exists after it, the old credential does, and the record does not hold what was taken away",
  ],
  unseen: [
    "Whether a program that reads its secret once at start was restarted: its declared pick-up delay is believed.",
  ],
  remedy:
    "Look whether the record holds a credential that exists. If not, request a rotation at once: a new one is made, stored and verified.",
  check: (history) => [...byLog(history), ...outside(history)],
};

const byLog = eachRun("I8", (run, must) => {
  const { plan } = run;
  if (plan === null) return;
  const retired = told(run, "step.intent").find(
    ({ data }) => data.direction === "do" && plan.steps.some(({ id, phase }) => id === data.step && phase === "retire"),
  );
  const undone = told(run, "step.intent").filter(({ data }) => data.direction === "undo");
  const last = undone.at(-1);
  must(
    retired === undefined || last === undefined || last.index < retired.index,
    () => `expected nothing to be undone after retirement was intended, got ${last?.data.step}`,
  );
  minimumLeft(run, undone[0], must);
  if (attempts(run, storeStep, "undo").length > 0) {
    const pickupMs = Math.max(0, ...plan.consumers.map(({ pickupSeconds }) => pickupSeconds)) * 1_000;
    const back = told(run, "step.outcome").findLast(({ data }) => data.direction === "undo" && data.outcome === "done");
    const published = publishedAttempt(run);
    for (const { at, data } of told(run, "step.intent")) {
      if (data.direction !== "discard" || data.step !== createStep || data.attempt !== published) continue;
      must(
        back !== undefined && at >= back.at + pickupMs,
        () =>
          `expected the new credential to stay for ${pickupMs / 1_000} s after the last undo, it was taken back at ${instant(at)}`,
      );
    }
  }
  if (run.state !== "rolled_back") return;
  for (const step of plan.steps) {
    if (step.phase !== "execute" || !step.undoable || step.id === createStep) continue;
    const done = attempts(run, step.id, "do").some(({ outcome }) => outcome === "done");
    must(
      !done || attempts(run, step.id, "undo").some(({ outcome }) => outcome === "done") || isByHand(run, step.id),
      () => `expected ${step.id} of a run that was rolled back to be undone, it was not`,
    );
  }
});

/** An owner has said that it was put back. */
function isByHand(run: RunHistory, step: string): boolean {
  return told(run, "step.confirmed").some(
    ({ data }) => data.step === step && data.direction === "undo" && data.confirmation === "given",
  );
}

/** Going back by itself needs an old credential that lives long enough. */
function minimumLeft(
  run: RunHistory,
  first: { readonly at: number; readonly index: number } | undefined,
  must: (holds: boolean, sentence: () => string) => void,
): void {
  const { plan } = run;
  const back = plan === null ? null : goesBackTo(plan);
  if (first === undefined || plan === null || back?.expiresAt === null) return;
  const move = told(run, "run.moved").findLast(({ index, data }) => index < first.index && data.to === "rolling_back");
  if (move === undefined || move.data.because?.code === "asked-for") return;
  // Nobody goes by himself back to what is not known.
  const leftSeconds = back === null ? 0 : (Date.parse(back.expiresAt) - first.at) / 1_000;
  must(
    leftSeconds >= plan.timing.rollbackMinRemainingSeconds,
    () =>
      `expected ${plan.timing.rollbackMinRemainingSeconds} s to be left of the old credential, got ${leftSeconds} s`,
  );
}

/** Number of the attempt whose value was in the record before it was put back. */
function publishedAttempt(run: RunHistory): number | undefined {
  const store = attempts(run, storeStep, "do").findLast(({ outcome }) => outcome !== "failed");
  return attempts(run, createStep, "do").findLast(({ seq, outcome }) => outcome === "done" && seq < (store?.seq ?? 0))
    ?.attempt;
}

function outside(history: History) {
  const findings = new Findings("I8");
  const { credentials, records } = history.outside ?? { credentials: null, records: null };
  for (const run of planned(history)) {
    const { plan } = run;
    // Whoever sees every effect lists every credential; otherwise a target was looked at when its record was. What a role's
    // password is cannot be listed.
    const isListed =
      credentials !== null &&
      plan.target.kind === "entra-application" &&
      (history.outside?.effects != null || (records ?? []).some(({ target }) => isTarget(plan, target)));
    const here = (credentials ?? []).filter(({ target }) => isTarget(plan, target));
    const isNewest =
      run ===
      planned(history)
        .filter((other) => other.plan.target.name === plan.target.name)
        .toSorted((a, b) => began(a) - began(b))
        .at(-1);
    if (run.state === "rolled_back" && isNewest && isListed) {
      const left = here.filter(({ marker }) => marker?.run === run.id);
      findings.must(
        left.length === 0,
        run.id,
        () => `expected nothing of a run that was rolled back, got ${left.map(({ id }) => id).join(", ")}`,
      );
      findings.must(
        here.some(({ id }) => sameId(id, plan.old.id)),
        run.id,
        () => `expected the old credential ${plan.old.id} to exist, it does not`,
      );
      const place = recordPlace(plan);
      const record = (records ?? []).find((one) => one.place === place);
      const took = attempts(run, createStep, "do").flatMap(credentialIds);
      findings.must(
        record?.credential == null || !took.some((id) => sameId(id, record.credential ?? "")),
        run.id,
        () => `expected the record to hold the old credential, got ${record?.credential}`,
      );
    }
    const made = madeBy(run);
    const back = spansOf(run).find(({ state }) => state === "rolling_back");
    if (back === undefined || made === undefined) continue;
    const gone = changesOf(history).find(
      ({ kind, credential, at }) =>
        kind === "remove" && credential !== null && sameId(credential, made) && at >= back.at,
    );
    findings.must(
      gone === undefined || run.steps.some((row) => row.direction === "discard"),
      run.id,
      () => `expected ${made} to be taken back under an intent, it went at ${instant(gone?.at ?? 0)}`,
    );
  }
  return findings.found;
}

function began(run: RunHistory): number {
  return run.entries[0]?.index ?? 0;
}
