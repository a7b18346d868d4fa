import { type CheckCode, digestOf } from "@countersign/evidence";
import { BY_HAND, LIVES, NEW_KEY, OLD_KEY, OWNER, PLATFORM, REQUESTER, type Run, approved, begin, executed, key, planData, withHand } from "./builder.ts";
import { CLOSE_FORGERIES } from "./close-forgeries.ts";
import { EMERGENCY_FORGERIES } from "./emergency-forgeries.ts";
import { NAMED_FORGERIES } from "./named-forgeries.ts";

/*
 * Runs that broke a rule, in a log whose keys are right: what the log says is signed and proven, and still the claim does
 * not hold. Each is refused by the check that is there for it.
 */

const target = { objectId: "aaaaaaaa-0000-4000-8000-000000000001", appId: "bbbbbbbb-0000-4000-8000-000000000002" };
type Plan = ReturnType<typeof planData>;

async function toOverlap(run: Run, freeze?: (plan: Plan) => void): Promise<Run> {
  await approved(run, freeze);
  executed(run);
  return run;
}

async function toRetiring(run: Run, freeze?: (plan: Plan) => void): Promise<Run> {
  await toOverlap(run, freeze);
  run.step("confirm:batch", { verified: "used" });
  run.log.pass(3600);
  run.gate();
  run.move("retiring");
  return run;
}

/** A run with a step by hand that is retired after what was said. */
async function byHand(say: (run: Run) => unknown): Promise<Run> {
  const run = begin();
  await approved(run, withHand);
  executed(run, true);
  say(run);
  run.step("confirm:batch", { verified: "used" });
  run.log.pass(3600);
  run.gate();
  run.move("retiring");
  return retired(run);
}

function retired(run: Run, keyId = OLD_KEY): Run {
  run.step("retire", { target: { ...target, keyId }, objectIds: { keyId } });
  run.move("completed");
  run.close();
  return run;
}

async function planned(run: Run, freeze?: (plan: Plan) => void): Promise<Run> {
  run.request();
  run.validate("pass");
  run.freeze(freeze);
  return run;
}

async function authorisedBy(people: [string, string][], freeze?: (plan: Plan) => void): Promise<Run> {
  const run = await planned(begin(), freeze);
  const yes: string[] = [];
  for (const [person, role] of people) yes.push(await run.decide(person, role));
  run.move("approved");
  await run.authorise(yes);
  return run;
}

const approvalsOf = (change: Record<string, unknown>) => (plan: Plan) => {
  plan["approvals"] = { ...(planData()["approvals"] as object), ...change } as never;
};

/** What was done, the check that refuses it, and the run. */
export const FORGERIES: readonly [string, CheckCode, () => Promise<Run>][] = [
  ...EMERGENCY_FORGERIES,
  ...CLOSE_FORGERIES,
  ...NAMED_FORGERIES,
  ["the requester approves", "quorum", () => authorisedBy([[OWNER, "app-owner"], [REQUESTER, "platform"]])],
  ["the requester approves where the plan forgot to forbid it", "quorum", () => authorisedBy([[OWNER, "app-owner"], [REQUESTER, "platform"]], approvalsOf({ separation: [] }))],
  ["one approval where two are asked", "quorum", () => authorisedBy([[OWNER, "app-owner"]])],
  ["one person in two roles", "quorum", () => authorisedBy([[PLATFORM, "platform"], [PLATFORM, "security"]], approvalsOf({ require: [{ role: "platform", count: 1, people: [PLATFORM] }, { role: "security", count: 1, people: [PLATFORM] }] }))],
  ["a role the plan does not ask for", "quorum", () => authorisedBy([[OWNER, "app-owner"], [PLATFORM, "security"]])],
  ["a person the plan does not name", "quorum", () => authorisedBy([[OWNER, "app-owner"], [PLATFORM, "platform"]], approvalsOf({ require: [{ role: "app-owner", count: 1, people: [OWNER] }, { role: "platform", count: 1, people: [REQUESTER] }] }))],
  ["a level below the plan's", "quorum", () => authorisedBy([[OWNER, "app-owner"], [PLATFORM, "platform"]], approvalsOf({ minLevel: "passkey" }))],
  ["a person not enrolled in that role", "approvals", () => authorisedBy([[OWNER, "platform"]])],
  ["a person nobody enrolled", "approvals", () => authorisedBy([["p_00000000000000ff", "platform"]])],
  ["the same statement logged twice", "approvals", async () => {
    const run = await planned(begin());
    await run.decide(OWNER, "app-owner");
    const { data } = run.log.drafts.find((d) => d.type === "approval.given") as never as { data: never };
    run.add("approval.given", data);
    return run;
  }],
  ["a statement with another identity", "approvals", async () => {
    const run = await planned(begin());
    await run.decide(OWNER, "app-owner", "approve", (s) => ({ ...s, approver: { ...s.approver, sub: "somebody" } }));
    return run;
  }],
  ["a statement about another plan", "approvals", async () => {
    const run = await planned(begin());
    await run.decide(OWNER, "app-owner", "approve", (s) => ({ ...s, subjects: [{ digest: digestOf("other"), kind: "plan" }] }));
    return run;
  }],
  ["a statement about two plans", "approvals", async () => {
    const run = await planned(begin());
    await run.decide(OWNER, "app-owner", "approve", (s) => ({ ...s, subjects: [...s.subjects, { digest: digestOf("other"), kind: "plan" }] }));
    return run;
  }],
  ["a statement about another run", "approvals", async () => {
    const run = await planned(begin());
    await run.decide(OWNER, "app-owner", "approve", (s) => ({ ...s, runId: "run_01k9yyyyyy0123456789abcdef" }));
    return run;
  }],
  ["a no logged as a yes", "approvals", async () => {
    const run = await planned(begin());
    await run.decide(OWNER, "app-owner", "approve", (s) => ({ ...s, decision: "reject" }));
    return run;
  }],
  ["a statement under another policy", "approvals", async () => {
    const run = await planned(begin());
    await run.decide(OWNER, "app-owner", "approve", (s) => ({ ...s, policyDigest: digestOf("lax") }));
    return run;
  }],
  ["a statement that lives longer than the plan allows", "approvals", async () => {
    const run = await planned(begin());
    await run.decide(OWNER, "app-owner", "approve", (s) => ({ ...s, expiresAt: "2027-11-01T00:00:00.000Z" }));
    return run;
  }],
  ["a statement signed by a key that is not trusted", "approvals", async () => {
    const run = await planned(begin());
    run.session = key("stranger");
    await run.decide(OWNER, "app-owner");
    return run;
  }],
  ["one nonce for two decisions", "approvals", async () => {
    const run = await planned(begin());
    await run.decide(OWNER, "app-owner", "approve", (s) => ({ ...s, nonce: "A".repeat(22) }));
    await run.decide(PLATFORM, "platform", "approve", (s) => ({ ...s, nonce: "A".repeat(22) }));
    return run;
  }],
  ["a checkpoint root nobody signed", "anchors", async () => {
    const run = await planned(begin());
    await run.decide(OWNER, "app-owner", "approve", (s) => ({ ...s, checkpoint: { ...s.checkpoint, root: Buffer.alloc(32).toString("base64") } }));
    return run;
  }],
  ["effects after the approvals expired", "authorisation", async () => {
    const run = await planned(begin());
    const yes = [await run.decide(OWNER, "app-owner"), await run.decide(PLATFORM, "platform")];
    run.move("approved");
    run.log.pass(3700);
    await run.authorise(yes);
    return run;
  }],
  ["an authorisation in spite of a rejection", "authorisation", async () => {
    const run = await planned(begin());
    const yes = [await run.decide(OWNER, "app-owner"), await run.decide(PLATFORM, "platform")];
    await run.decide(PLATFORM, "security", "reject");
    run.move("approved");
    await run.authorise(yes);
    return run;
  }],
  ["an authorisation after the approvals were voided", "authorisation", async () => {
    const run = await planned(begin());
    const yes = [await run.decide(OWNER, "app-owner"), await run.decide(PLATFORM, "platform")];
    run.move("approved");
    run.add("approval.voided", { reasons: [{ code: "key-added", observed: "2", required: "1" }] });
    await run.authorise(yes);
    return run;
  }],
  ["an authorisation before anybody could approve", "authorisation", async () => {
    const run = await planned(begin());
    const yes = [await run.decide(OWNER, "app-owner"), await run.decide(PLATFORM, "platform")];
    await run.authorise(yes);
    return run;
  }],
  ["a second authorisation", "authorisation", async () => {
    const run = await authorisedBy([[OWNER, "app-owner"], [PLATFORM, "platform"]]);
    await run.authorise(run.papers.approvals.map((a) => digestOf(a.statement)));
    return run;
  }],
  ["a statement counted that was never given", "authorisation", async () => {
    const run = await planned(begin());
    const yes = [await run.decide(OWNER, "app-owner"), digestOf("made up")];
    run.move("approved");
    await run.authorise(yes);
    return run;
  }],
  ["an approval that no signed checkpoint held yet", "authorisation", async () => {
    const run = await planned(begin());
    const yes = [await run.decide(OWNER, "app-owner"), await run.decide(PLATFORM, "platform")];
    run.move("approved");
    const early = run.papers.approvals[1]?.statement as Uint8Array;
    const { checkpoint } = JSON.parse(Buffer.from(early).toString()) as { checkpoint: never };
    run.add("run.authorised", { checkpoint, kind: "quorum", planDigest: digestOf(run.papers.plan as Uint8Array), statements: yes as never });
    return run;
  }],
  ["a plan for another run", "plan", () => planned(begin(), (p) => { p["run"] = "run_01k9yyyyyy0123456789abcdef"; })],
  ["a plan whose requester is another", "plan", () => planned(begin(), (p) => { p["requester"] = OWNER; })],
  ["a plan for another application than asked for", "plan", () => planned(begin(), (p) => { p["target"] = { ...(p["target"] as object), appId: "dddddddd-0000-4000-8000-000000000009" } as never; })],
  ["a plan in spite of a blocking finding", "plan", async () => {
    const run = begin();
    run.request();
    run.validate("block");
    run.freeze();
    return run;
  }],
  ["a plan of another inventory", "plan", () => planned(begin(), (p) => { p["inventoryDigest"] = digestOf("other"); })],
  ["a plan that removes before it overlaps", "plan", () => planned(begin(), (p) => {
    const steps = p["steps"] as { id: string }[];
    p["steps"] = [{ ...steps[4], id: "early", phase: "execute" }, ...steps] as never;
  })],
  ["two plans", "plan", async () => {
    const run = await planned(begin());
    const { data } = run.log.drafts.find((d) => d.type === "plan.frozen") as never as { data: never };
    run.add("plan.frozen", data);
    return run;
  }],
  ["an effect before the authorisation", "steps", async () => {
    const run = await planned(begin());
    const yes = [await run.decide(OWNER, "app-owner"), await run.decide(PLATFORM, "platform")];
    run.move("approved");
    run.move("executing");
    run.step("create", { objectIds: { keyId: NEW_KEY } });
    await run.authorise(yes);
    return run;
  }],
  ["an effect without any authorisation", "steps", async () => {
    const run = await planned(begin());
    run.move("approved");
    run.move("executing");
    run.step("create");
    return run;
  }],
  ["a step the plan does not have", "steps", async () => {
    const run = begin();
    await approved(run);
    run.step("exfiltrate", { verb: "keyvault.write@1" });
    return run;
  }],
  ["a step with another verb", "steps", async () => {
    const run = begin();
    await approved(run);
    run.step("create", { verb: "entra.add-password@2" });
    return run;
  }],
  ["an outcome without an intent", "steps", async () => {
    const run = begin();
    await approved(run);
    run.step("create");
    const { data } = run.log.drafts.at(-1) as never as { data: { attempt: number } };
    run.add("step.outcome", { ...data, attempt: 9 } as never);
    return run;
  }],
  ["two final outcomes of one call", "steps", async () => {
    const run = begin();
    await approved(run);
    run.step("create");
    const { data } = run.log.drafts.at(-1) as never as { data: never };
    run.add("step.outcome", data);
    return run;
  }],
  ["the same attempt intended twice", "steps", async () => {
    const run = begin();
    await approved(run);
    run.step("create", { outcome: "none" });
    run.step("create");
    return run;
  }],
  ["an effect before the planned start", "steps", async () => {
    const run = begin();
    await approved(run, (p) => { p["timing"] = { ...(p["timing"] as object), notBefore: "2026-12-01T00:00:00.000Z" } as never; });
    run.step("create");
    return run;
  }],
  ["an effect after the approvals were voided", "steps", async () => {
    const run = begin();
    await approved(run);
    run.add("approval.voided", { reasons: [{ code: "key-added", observed: "2", required: "1" }] });
    run.step("create");
    return run;
  }],
  ["a step before the one it waits for", "step-order", async () => {
    const run = begin();
    await approved(run);
    run.step("store");
    return run;
  }],
  ["a step after one that failed", "step-order", async () => {
    const run = begin();
    await approved(run);
    run.step("create", { outcome: "failed" });
    run.step("prove");
    return run;
  }],
  ["a step after what it needs was discarded", "step-order", async () => {
    const run = begin();
    await approved(run);
    run.step("create", { objectIds: { keyId: NEW_KEY } });
    run.step("create", { direction: "discard", objectIds: { keyId: NEW_KEY } });
    run.step("prove");
    return run;
  }],
  ["an undo outside a roll back", "step-order", async () => {
    const run = begin();
    await approved(run);
    run.step("create");
    run.step("create", { direction: "undo" });
    return run;
  }],
  ["retirement while still overlapping", "step-order", async () => {
    const run = await toOverlap(begin());
    run.step("confirm:batch", { verified: "used" });
    run.log.pass(3600);
    run.gate();
    run.step("retire", { target: { ...target, keyId: OLD_KEY } });
    return run;
  }],
  ["retirement before a consumer was confirmed", "step-order", async () => {
    const run = await toOverlap(begin());
    run.log.pass(3600);
    run.gate();
    run.move("retiring");
    return retired(run);
  }],
  ["retirement without the word of an owner on what is done by hand", "confirmations", () => byHand((run) => run)],
  ["retirement after the owner took his word back", "confirmations", () => byHand((run) => { run.word(); run.word("withdrawn"); })],
  ["the word of somebody who owns nothing", "confirmations", () => byHand((run) => { run.word("given", "do", PLATFORM); })],
  ["a word on a step that the product did", "confirmations", () => byHand((run) => { run.word(); run.word("given", "do", OWNER, "store"); })],
  ["a word given twice", "confirmations", () => byHand((run) => { run.word(); run.word(); })],
  ["a word taken back that was never given", "confirmations", () => byHand((run) => { run.word("withdrawn"); run.word(); })],
  ["a word that it was put back while the run goes forward", "confirmations", () => byHand((run) => { run.word(); run.word("given", "undo"); })],
  ["put back by hand without a word", "confirmations", async () => {
    const run = begin();
    await approved(run, withHand);
    executed(run, true);
    run.move("rolling_back", "asked-for");
    run.step("store", { direction: "undo" });
    run.step(BY_HAND, { direction: "undo", verb: "manual.ask@1" });
    run.step("create", { attempt: 2, direction: "discard", objectIds: { keyId: NEW_KEY } });
    run.move("rolled_back");
    run.close();
    return run;
  }],
  ["an overlap cut short", "overlap", async () => {
    const run = await toOverlap(begin());
    run.step("confirm:batch", { verified: "used" });
    run.log.pass(3500);
    run.gate();
    run.move("retiring");
    return retired(run);
  }],
  ["retirement through a shut gate", "retire-gate", async () => {
    const run = await toRetiring(begin());
    run.gate("strong", false);
    return retired(run);
  }],
  ["retirement without asking the gate", "retire-gate", async () => {
    const run = await toOverlap(begin());
    run.step("confirm:batch", { verified: "used" });
    run.log.pass(3600);
    run.move("retiring");
    return retired(run);
  }],
  ["retirement at too low a grade", "retire-gate", async () => {
    const run = await toRetiring(begin());
    run.gate("none");
    return retired(run);
  }],
  ["retirement with a consumer confirmed too weakly", "retire-gate", async () => {
    const run = await toOverlap(begin());
    run.step("confirm:batch", { verified: "accepted" });
    run.log.pass(3600);
    run.gate();
    run.move("retiring");
    return retired(run);
  }],
  ["retirement of a credential never shown to be the stored one", "retire-gate", async () =>
    retired(await toRetiring(begin(), (p) => { p["old"] = { ...(p["old"] as object), binding: "unproven" } as never; }))],
  ["another credential removed than planned", "removed-credential", async () => retired(await toRetiring(begin()), "99999999-aaaa-4bbb-8ccc-222222222222")],
  ["a removal that does not say of what", "removed-credential", async () => {
    const run = await toRetiring(begin());
    run.step("retire", { target });
    run.move("completed");
    run.close();
    return run;
  }],
  ["a removal at another application", "removed-credential", async () => {
    const run = await toRetiring(begin());
    run.step("retire", { target: { ...target, objectId: "elsewhere", keyId: OLD_KEY } });
    return run;
  }],
  ["the old credential discarded as if it were ours", "removed-credential", async () => {
    const run = begin();
    await approved(run);
    run.step("create", { objectIds: { keyId: NEW_KEY } });
    run.step("create", { direction: "discard", objectIds: { keyId: OLD_KEY } });
    return run;
  }],
  ["a completed run whose last step is missing", "result", async () => {
    const run = await toRetiring(begin());
    run.move("completed");
    run.close();
    return run;
  }],
  ["a rolled back run with an effect left", "result", async () => {
    const run = begin();
    await approved(run);
    run.step("create", { objectIds: { keyId: NEW_KEY } });
    run.move("rolling_back", "asked-for");
    run.move("rolled_back");
    run.close();
    return run;
  }],
  ["a rejected run that nobody rejected", "result", async () => {
    const run = await planned(begin());
    run.move("rejected");
    run.close();
    return run;
  }],
  ["a move the table does not have", "state-moves", async () => {
    const run = begin();
    run.request();
    run.move("executing");
    return run;
  }],
  ["a run closed in a state that is not final", "state-moves", async () => {
    const run = begin();
    await approved(run);
    run.close();
    return run;
  }],
  ["a run closed in another state than it is in", "state-moves", async () => {
    const run = begin();
    run.request();
    run.move("withdrawn");
    run.add("run.closed", { entries: 3, state: "completed" });
    return run;
  }],
  ["a wrong count at the end", "run-chain", async () => {
    const run = begin();
    run.request();
    run.move("withdrawn");
    run.add("run.closed", { entries: 7, state: "withdrawn" });
    return run;
  }],
  ["something after the end", "run-chain", async () => {
    const run = await LIVES.blocked();
    run.add("notice.sent", { attempt: 1, channel: "mail", kind: "run.blocked", outcome: "done", status: 250 });
    return run;
  }],
  ["a clock that was turned back", "time-order", async () => {
    const run = begin();
    run.request();
    run.log.pass(-60);
    run.validate("pass");
    return run;
  }],
  ["another origin at the beginning", "genesis", async () => {
    const run = begin("home", { origin: "elsewhere.test/log1" });
    run.request();
    return run;
  }],
  ["another profile at the beginning", "genesis", async () => {
    const run = begin("home", { profile: "demo" });
    run.request();
    return run;
  }],
];

