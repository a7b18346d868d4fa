import { type CheckCode, digestOf } from "@countersign/evidence";
import {
  LEFT,
  NEW_KEY,
  OLD_KEY,
  OTHER_KEY,
  OWNER,
  PLATFORM,
  REQUESTER,
  type Run,
  approved,
  begin,
  broken,
  confirmed,
  cut,
  executed,
  inEmergency,
  planData,
  retired,
  reviewed,
  revoked,
  withGlass,
} from "./builder.ts";

/* What only an emergency and only a break-glass use may do, done by others or beyond their bounds. */

type Plan = ReturnType<typeof planData>;

const changed = (freeze: (plan: Plan) => void, change: (plan: Plan) => void) => (plan: Plan) => {
  freeze(plan);
  change(plan);
};

async function emergency(change: (plan: Plan) => void): Promise<Run> {
  const run = begin();
  await cut(run, changed(inEmergency, change));
  return run;
}

const terms = (change: object) =>
  changed(withGlass, (plan) => {
    plan["breakGlass"] = { ...(plan["breakGlass"] as object), ...change } as never;
  });

const urgency = (change: object) => (plan: Plan) => {
  plan["emergency"] = { ...(plan["emergency"] as object), ...change } as never;
};

/** What was done, the check that refuses it, and the run. */
export const EMERGENCY_FORGERIES: readonly [string, CheckCode, () => Promise<Run>][] = [
  ["a plan without overlap that is no emergency", "plan", async () => {
    const run = begin();
    await approved(run, (p) => { p["timing"] = { ...(p["timing"] as object), overlapSeconds: 0 } as never; });
    return run;
  }],
  ["another procedure that calls itself an emergency", "plan", () => emergency((p) => {
    p["procedure"] = { ...(p["procedure"] as object), name: "entra-client-secret" } as never;
  })],
  ["an emergency that does not say what it may do", "plan", () => emergency((p) => { delete p["emergency"]; })],
  ["an emergency without a compromise", "plan", async () => {
    const run = begin();
    run.procedure = "emergency-revoke";
    await approved(run, inEmergency);
    return run;
  }],
  ["an emergency that leaves the record behind", "plan", () => emergency(urgency({ leaveBehind: ["store"] }))],
  ["an emergency that revokes what no step removes", "plan", () => emergency(urgency({ revoke: [OLD_KEY, OTHER_KEY, "third"] }))],
  ["an emergency that spares the old credential", "plan", () => emergency(urgency({ revoke: [OTHER_KEY, OLD_KEY] }))],
  ["a consumer confirmed after the retirement in an ordinary plan", "plan", async () => {
    const run = begin();
    await approved(run, (p) => { p["steps"] = (p["steps"] as { phase: string }[]).map((s) => (s.phase === "overlap" ? { ...s, phase: "restore" } : s)) as never; });
    return run;
  }],
  ["an emergency in prod on one approval", "quorum", async () => {
    const run = begin();
    run.procedure = "emergency-revoke";
    run.trigger = "compromise";
    run.request();
    run.validate("pass");
    run.freeze(changed(inEmergency, (p) => {
      p["prod"] = true;
      p["approvals"] = { ...(planData()["approvals"] as object), require: [{ role: "platform", count: 1, people: [PLATFORM] }] } as never;
    }));
    const yes = [await run.decide(PLATFORM, "platform")];
    run.move("approved");
    await run.authorise(yes);
    return run;
  }],
  ["a cut before a consumer was tried", "step-order", async () => {
    const run = begin();
    run.procedure = "emergency-revoke";
    run.trigger = "compromise";
    await approved(run, inEmergency);
    run.step("create", { objectIds: { keyId: NEW_KEY } });
    run.step("prove");
    run.step("store", { objectIds: { version: "v2" } });
    run.move("overlapping");
    run.move("retiring");
    revoked(run);
    return run;
  }],
  ["a cut before the new value was stored", "step-order", async () => {
    const run = begin();
    run.procedure = "emergency-revoke";
    run.trigger = "compromise";
    await approved(run, inEmergency);
    run.step("create", { objectIds: { keyId: NEW_KEY } });
    run.step("prove");
    run.step("store", { outcome: "failed" });
    run.step(LEFT, { outcome: "failed", verb: "keyvault.copy@1" });
    return run;
  }],
  ["an emergency that removes a third credential", "removed-credential", async () => {
    const run = begin();
    await cut(run);
    run.step("revoke", { verb: "entra.remove-password@1", objectIds: { keyId: "third" } });
    return run;
  }],
  ["an emergency that ends with a consumer left behind", "result", async () => {
    const run = begin();
    await cut(run);
    revoked(run);
    run.step("confirm:batch", { verified: "used" });
    run.move("completed");
    run.close();
    return run;
  }],
  ["an emergency that was never shown to be contained", "step-order", async () => {
    const run = begin();
    await cut(run);
    run.step("confirm:batch", { verified: "used" });
    return run;
  }],
  ["a break-glass start under a plan that has none", "approvals", async () => {
    const run = begin();
    await broken(run, undefined, () => {});
    return run;
  }],
  ["the glass broken by somebody the plan does not name", "approvals", async () => {
    const run = begin();
    await broken(run, undefined, withGlass, [PLATFORM, "platform"]);
    return run;
  }],
  ["a grant without a reason", "approvals", async () => {
    const run = begin();
    await broken(run, (s) => ({ ...s, reasonDigest: null }));
    return run;
  }],
  ["an ordinary yes taken for a grant", "approvals", async () => {
    const run = begin();
    await broken(run, (s) => ({ ...s, decision: "approve" }));
    return run;
  }],
  ["a grant that lives longer than the plan allows", "approvals", async () => {
    const run = begin();
    await broken(run, (s) => ({ ...s, expiresAt: "2026-11-02T08:00:00.000Z" }));
    return run;
  }],
  ["a grant below the plan's level", "approvals", async () => {
    const run = begin();
    await broken(run, undefined, terms({ minLevel: "passkey" }));
    return run;
  }],
  ["a grant in prod that only the server attests", "approvals", async () => {
    const run = begin();
    await broken(run, undefined, changed(withGlass, (p) => { p["prod"] = true; }));
    return run;
  }],
  ["a quorum claimed for a grant", "authorisation", async () => {
    const run = begin();
    run.request();
    run.validate("pass");
    run.freeze(withGlass);
    const grant = await run.sign(OWNER, "app-owner", "break-glass");
    run.add("breakglass.granted", grant);
    run.move("approved");
    await run.authorise([grant.statementDigest]);
    return run;
  }],
  ["a grant claimed for a yes", "authorisation", async () => {
    const run = begin();
    run.request();
    run.validate("pass");
    run.freeze(withGlass);
    const yes = await run.decide(OWNER, "app-owner");
    run.move("approved");
    await run.authorise([yes], "break-glass");
    return run;
  }],
  ["a grant used after it expired", "authorisation", async () => {
    const run = begin();
    run.request();
    run.validate("pass");
    run.freeze(withGlass);
    const grant = await run.sign(OWNER, "app-owner", "break-glass");
    run.add("breakglass.granted", grant);
    run.log.pass(3_700);
    run.move("approved", "break-glass");
    await run.authorise([grant.statementDigest], "break-glass");
    return run;
  }],
  ["a second person who is the first", "approvals", async () => {
    const run = begin();
    await broken(run);
    await confirmed(run, OWNER, "app-owner");
    return run;
  }],
  ["a second person whom the plan does not name", "approvals", async () => {
    const run = begin();
    await broken(run);
    await confirmed(run, REQUESTER, "platform");
    return run;
  }],
  ["a confirmation that nobody signed", "approvals", async () => {
    const run = begin();
    await broken(run);
    const word = await run.sign(PLATFORM, "platform", "confirm");
    run.add("breakglass.confirmed", { ...word, statementDigest: digestOf("made up") });
    return run;
  }],
  ["a retirement that no second person confirmed", "break-glass", async () => {
    const run = begin();
    await broken(run);
    executed(run);
    retired(run);
    return run;
  }],
  ["a review by who broke the glass", "approvals", async () => {
    const run = begin();
    await broken(run);
    executed(run);
    await confirmed(run);
    retired(run);
    await reviewed(run, "accepted", OWNER, "app-owner");
    return run;
  }],
  ["an objection shown as a good review", "approvals", async () => {
    const run = begin();
    await broken(run);
    const word = await run.sign(PLATFORM, "platform", "object");
    run.log.add("breakglass.reviewed", { ...word, of: run.log.drafts.find((d) => d.run !== null && d.type === "breakglass.granted")?.run ?? "", result: "accepted" });
    return run;
  }],
];
