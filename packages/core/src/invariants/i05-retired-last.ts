import type { Plan } from "../plan/plan.ts";
import { verifyLevels } from "../ports/index.ts";
import type { History, Invariant, RunHistory } from "./history.ts";
import {
  attempts,
  authorisedAt,
  changesOf,
  createStep,
  credentialIds,
  eachRun,
  entriesOf,
  Findings,
  instant,
  isTarget,
  namedForRemoval,
  planned,
  sameId,
  told,
} from "./reading.ts";

const grades = ["none", "weak", "strong"] as const;

/** I5: the old credential goes last, by its id. */
export const retiredLast: Invariant = {
  id: "I5",
  says: "An old credential is removed only by the exact id in the plan, after every consumer is verified to the level policy asks, the overlap has passed (zero only in an emergency) and the retire gate is open. What we did not create is never touched unless the approved plan names it.",
  kept: [
    "packages/engine/src/execution/phases/overlap.ts, gate.ts, retire.ts",
    "packages/connectors/src/entra/remove-password.ts, gate.ts",
    "packages/core/src/procedure",
  ],
  checked: [
    "log: before a retirement was intended, the overlap of the plan had passed, the gate's last word was open at the plan's grade, and every consumer was confirmed at the plan's level",
    "log and journal: retirements name the ids of the plan, and nothing that was taken back was one of them",
    "outside: each removed credential is one that the plan names or one that we made; the named one went after the overlap, and every program that had used it was seen on another one before",
  ],
  unseen: [
    "A program that signs in more rarely than the log reaches back: the gate grades its evidence for that, and says so.",
  ],
  remedy:
    "The old credential cannot be brought back. Look whether every consumer signs in (the run names them); for one that does not, request a rotation at once. Then find out why the executor believed that it might.",
  check: (history) => [...byLog(history), ...outside(history)],
};

const byLog = eachRun("I5", (run, must) => {
  const { plan } = run;
  if (plan === null) return;
  const removable = namedForRemoval(plan);
  for (const row of run.steps) {
    const names = credentialIds(row);
    if (row.direction === "discard")
      must(
        !names.some((id) => removable.some((old) => sameId(old, id))),
        () => `expected never to take back ${plan.old.id}, got it in attempt ${row.attempt}`,
      );
    const isRetirement =
      row.direction === "do" && plan.steps.some(({ id, phase }) => id === row.step && phase === "retire");
    if (isRetirement && row.step !== "refused")
      must(
        names.every((id) => removable.some((old) => sameId(old, id))),
        () => `expected to retire ${removable.join(", ")}, got ${names.join(", ")}`,
      );
  }
  if (plan.emergency !== undefined) return;
  const retirements = told(run, "step.intent").filter(
    ({ data }) => data.direction === "do" && plan.steps.some(({ id, phase }) => id === data.step && phase === "retire"),
  );
  for (const { index, at } of retirements) {
    const since = overlapSince(run, index);
    must(
      since !== null && at - since >= plan.timing.overlapSeconds * 1_000,
      () =>
        `expected an overlap of ${plan.timing.overlapSeconds} s, got ${since === null ? "none" : `${(at - since) / 1_000} s`}`,
    );
    const gate = told(run, "gate.checked").findLast((word) => word.index < index)?.data;
    must(
      gate?.open === true && grades.indexOf(gate.grade) >= grades.indexOf(plan.retire.minGrade),
      () =>
        `expected an open gate of grade ${plan.retire.minGrade}, got ${gate === undefined ? "none" : `${gate.open ? "open" : "shut"}, ${gate.grade}`}`,
    );
    must(
      plan.old.binding !== "unproven",
      () => "expected no retirement of a credential that was never shown to be the stored one",
    );
    for (const step of plan.steps.filter(({ phase }) => phase === "overlap")) {
      // Of what lives on a named credential the plan says itself how far it can be seen.
      const own = plan.old.binding === "named" && step.id === "switched" ? step.params.level : undefined;
      const wanted = verifyLevels.find((one) => one === own) ?? plan.retire.consumerLevel;
      const level = told(run, "step.outcome").findLast(
        (word) => word.index < index && word.data.step === step.id && word.data.outcome === "done",
      )?.data.verified;
      must(
        level != null && verifyLevels.indexOf(level) >= verifyLevels.indexOf(wanted),
        () => `expected ${step.id} at level ${wanted}, got ${level ?? "none"}`,
      );
    }
  }
});

/** When old and new began to be valid side by side: the first move to `overlapping` after the last to `executing`. */
function overlapSince(run: RunHistory, before: number): number | null {
  let since: number | null = null;
  for (const { index, at, data } of told(run, "run.moved")) {
    if (index >= before) break;
    if (data.to === "executing") since = null;
    if (data.to === "overlapping") since ??= at;
  }
  return since;
}

function outside(history: History) {
  const findings = new Findings("I5");
  const made = new Set(
    [
      ...changesOf(history).flatMap(({ kind, credential }) =>
        kind === "create" && credential !== null ? [credential] : [],
      ),
      ...history.runs.flatMap((run) => attempts(run, createStep, "do").flatMap(credentialIds)),
      ...entriesOf(history.beside, "sweep.intent").map(({ data }) => data.credential),
    ].map((id) => id.toLowerCase()),
  );
  for (const { kind, credential, target, at } of changesOf(history)) {
    if (kind !== "remove" || credential === null) continue;
    const run = planned(history).findLast(
      ({ plan }) => isTarget(plan, target) && namedForRemoval(plan).some((id) => sameId(id, credential)),
    );
    findings.must(
      made.has(credential.toLowerCase()) || run !== undefined,
      run?.id ?? null,
      () => `expected only what a plan names or what we made to be removed, got ${credential} at ${instant(at)}`,
    );
    if (run === undefined || run.plan.emergency !== undefined) continue;
    const intended = told(run, "step.intent").find(({ data }) =>
      run.plan.steps.some(({ id, phase }) => id === data.step && phase === "retire"),
    );
    const since = overlapSince(run, intended?.index ?? Number.POSITIVE_INFINITY);
    const isEarly = since === null || at - since < run.plan.timing.overlapSeconds * 1_000;
    // What one run made, a later one replaces: only this plan's own retirement is judged here.
    if (made.has(credential.toLowerCase()) && intended === undefined) continue;
    findings.must(
      !isEarly,
      run.id,
      () =>
        `expected ${credential} to stay for ${run.plan.timing.overlapSeconds} s beside the new one, it went at ${instant(at)}`,
    );
    for (const program of stillOn(history, run.plan, credential, authorisedAt(run)?.at ?? 0, at))
      findings.must(
        false,
        run.id,
        () => `expected ${program} on another credential before ${credential} went, got it on the old one`,
      );
  }
  return findings.found;
}

/** Programs that had not left what is removed: a declared one for good, any other for as long as the plan wants quiet. */
function stillOn(history: History, plan: Plan, credential: string, since: number, before: number): string[] {
  const signIns = (history.outside?.signIns ?? []).filter(
    ({ target, at, worked }) => worked && at >= since && at <= before && isTarget(plan, target),
  );
  return [...Map.groupBy(signIns, ({ program }) => program)].flatMap(([program, own]) => {
    const last = own.at(-1);
    const isDeclared = plan.consumers.some(({ name }) => name === program);
    const isRecent = last !== undefined && before - last.at < plan.timing.quietSeconds * 1_000;
    return last?.credential != null && sameId(last.credential, credential) && (isDeclared || isRecent) ? [program] : [];
  });
}
