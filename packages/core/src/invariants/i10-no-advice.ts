import { procedures } from "../procedure/index.ts";
import { procedureDigest } from "../procedure/procedure.ts";
import { checks } from "../validation/validate.ts";
import type { Invariant } from "./history.ts";
import { eachRun, told } from "./reading.ts";

const rules: ReadonlySet<string> = new Set(checks.map(({ code }) => code));
const released = procedures.map((procedure) => ({ ...procedure, digest: procedureDigest(procedure) }));
/** Parts of the product that may ask by themselves. */
const askers: ReadonlySet<string> = new Set(["system:scanner", "system:webhook", "system:audit"]);

/** I10: what a model says decides nothing. */
export const noAdvice: Invariant = {
  id: "I10",
  says: "AI output is never an input to a finding, a plan, an authorisation or an effect.",
  kept: [
    "packages/core/src/validation/input.ts, packages/core/src/plan/make.ts (closed inputs)",
    "tools/lint/layers.mjs: where findings and plans are computed (core) nothing can be imported that reaches a network, a file or another process",
    "no package depends on a client of a model; whatever an event from outside says is data for a routing rule, and can at most ask",
  ],
  checked: [
    "structure: the lint rule about imports, with a planted breach (`npm run check`)",
    "log: every request comes from a person, the scanner, a routed webhook or a routed change of the directory's log, every finding from a rule of the closed list",
    "plan: its procedure is a released one by digest, its steps are of that procedure's lines, its rules and risks are findings of the validation that preceded it, under the same policy and inventory",
    "log: every approval is of a person whom the plan names",
  ],
  unseen: [
    "Where a person's request, reason or document came from: whoever copies a model's words by hand makes them his own, and signs.",
    "Data that outside systems serve (names, tags): they are facts to be judged, whoever wrote them.",
  ],
  remedy:
    "Reject or roll back the run. Something that is no rule, no released procedure and no person has had a say: compare the build with the released one (`countersign doctor`), and reinstall it.",
  check: eachRun("I10", (run, must) => {
    const { plan } = run;
    const isPerson = (id: string) => id.startsWith("p_");
    for (const requester of [run.requester, ...told(run, "run.requested").map(({ data }) => data.requester)])
      must(
        isPerson(requester) || askers.has(requester),
        () => `expected a person, the scanner or a webhook to ask, got ${requester}`,
      );
    const validated = told(run, "run.validated");
    for (const { data } of validated) {
      const strange = data.findings.filter(({ code }) => !rules.has(code));
      must(
        strange.length === 0,
        () => `expected findings of known rules, got ${strange.map(({ code }) => code).join(", ")}`,
      );
    }
    if (plan === null) return;
    const { name, major, digest } = plan.procedure;
    const procedure = released.find((one) => one.name === name && one.major === major);
    must(procedure?.digest === digest, () => `expected the released procedure ${name}@${major}, got digest ${digest}`);
    const odd = plan.steps.find((step) =>
      procedure?.shape.every((line) => line.verb !== step.verb || line.phase !== step.phase),
    );
    must(odd === undefined, () => `expected steps of ${name}@${major}, got ${odd?.id} (${odd?.verb})`);
    const frozen = told(run, "plan.frozen")[0];
    const basis = validated.findLast(({ index }) => frozen === undefined || index < frozen.index)?.data;
    must(
      basis?.policyDigest === plan.policyDigest && basis.inventoryDigest === plan.inventoryDigest,
      () => "expected the plan to be of the policy and inventory that were validated, got others",
    );
    const known = new Set(basis?.findings.map(({ code, result }) => `${code} ${result}`));
    const invented = plan.rules.find(({ rule, result }) => !known.has(`${rule} ${result}`));
    must(invented === undefined, () => `expected each rule of the plan among the findings, got ${invented?.rule}`);
    const allowed = new Set(plan.approvals.require.flatMap(({ people }) => people));
    for (const { data } of told(run, "approval.given"))
      must(allowed.has(data.person), () => `expected an approval of a person whom the plan names, got ${data.person}`);
  }),
};
