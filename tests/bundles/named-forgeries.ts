import type { CheckCode } from "@countersign/evidence";
import { NAMED_KEY, OLD_KEY, OTHER_KEY, OWNER, type Run, begin, byName, planData, replaced, replacing, withGlass } from "./builder.ts";

/* What may be done to a credential that a request names, and to no other. */

type Plan = ReturnType<typeof planData>;
type Steps = { id: string; phase: string; params: object }[];

const changed = (change: (plan: Plan) => void) => (plan: Plan) => {
  byName(plan);
  change(plan);
};

/** A run under such a plan with one thing changed, to its end. */
async function under(change: (plan: Plan) => void): Promise<Run> {
  const run = begin();
  await replacing(run, changed(change));
  replaced(run);
  return run;
}

const stepping = (change: (steps: Steps) => Steps) => (plan: Plan) => {
  plan["steps"] = change(plan["steps"] as unknown as Steps) as never;
};

/** What was done, the check that refuses it, and the run. */
export const NAMED_FORGERIES: readonly [string, CheckCode, () => Promise<Run>][] = [
  ["another secret removed than the one that is named", "removed-credential", async () => {
    const run = begin();
    await replacing(run);
    replaced(run, "used", OLD_KEY);
    return run;
  }],
  ["a plan that removes what the record held beside the one that is named", "plan", () =>
    under(stepping((steps) => [...steps, { ...(steps.at(-1) as Steps[number]), id: "retire:2", params: { keyId: OLD_KEY } }]))],
  ["a plan that names one secret and removes another", "plan", () =>
    under(stepping((steps) => steps.map((s) => (s.id === "retire" ? { ...s, params: { ...s.params, keyId: OLD_KEY } } : s))))],
  ["a plan for another secret than the one that was asked for", "plan", async () => {
    const run = begin();
    run.credential = OTHER_KEY;
    await replacing(run);
    replaced(run);
    return run;
  }],
  ["a secret that is named by an ordinary plan", "plan", () =>
    under((plan) => { plan["procedure"] = { ...(plan["procedure"] as object), name: "entra-client-secret" } as never; })],
  ["a named secret replaced without a yes of security being asked", "plan", () =>
    under((plan) => { plan["approvals"] = planData()["approvals"] as never; })],
  ["a named secret replaced although security has not said yes", "quorum", async () => {
    const run = begin();
    run.procedure = "entra-replace-foreign";
    run.trigger = "event";
    run.credential = NAMED_KEY;
    run.request();
    run.validate("pass");
    run.freeze(byName);
    const yes = [await run.decide(OWNER, "app-owner")];
    run.move("approved");
    await run.authorise(yes);
    return run;
  }],
  ["a named secret whose replacement one person may start alone", "plan", () => under(withGlass)],
  ["a plan in which nobody is asked to move what lives on it", "plan", () => under(stepping((steps) => steps.filter(({ id }) => id !== "switch")))],
  ["a plan in which nobody looks whether it was moved", "plan", () => under(stepping((steps) => steps.filter(({ id }) => id !== "switched")))],
  ["a plan that asks for no evidence of its last use", "plan", () =>
    under((plan) => { plan["retire"] = { ...(plan["retire"] as object), minGrade: "none" } as never; })],
  ["removed before an owner's word", "confirmations", async () => {
    const run = begin();
    await replacing(run, byName, false);
    replaced(run);
    return run;
  }],
  ["removed on the owner's word alone, before its holder was seen on the new one", "retire-gate", async () => {
    const run = begin();
    // Policy is content with an accepted write of its consumers; of a holder that was seen that is not enough.
    await replacing(run, changed((plan) => { plan["retire"] = { minGrade: "weak", consumerLevel: "accepted" }; }));
    replaced(run, "accepted");
    return run;
  }],
  ["removed while it is still used", "retire-gate", async () => {
    const run = begin();
    await replacing(run);
    run.step("confirm:batch", { verified: "used" });
    run.step("switched", { verb: "consumer.confirm@1", verified: "used" });
    run.log.pass(3600);
    run.gate("none", false);
    run.move("retiring");
    run.step("retire", { objectIds: { keyId: NAMED_KEY } });
    return run;
  }],
  ["the named secret taken back as if this run had made it", "removed-credential", async () => {
    const run = begin();
    await replacing(run);
    run.step("create", { attempt: 1, direction: "discard", objectIds: { keyId: NAMED_KEY } });
    return run;
  }],
];
