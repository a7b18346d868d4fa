import { type CountedApproval, CountersignError, evaluateQuorum } from "@countersign/core";
import { digestOf, signApproval } from "@countersign/evidence";
import type { ApiDependencies } from "../dependencies.ts";
import type { Handler } from "../handler.ts";
import type { KnownPerson, RunRecord } from "../ports.ts";
import { mayDecide } from "../views/permissions.ts";
import { missingOf } from "../views/run.ts";
import { runOf } from "./runs.ts";
import { checkReturned, planToSign, readReturned, statementFor } from "./statements.ts";

/** The plan that waits for approval, and that this person may decide on it; throws what stands in the way. */
async function openPlan(api: ApiDependencies, run: RunRecord, person: KnownPerson, role: string) {
  if (run.state !== "awaiting_approval")
    throw new CountersignError(
      "STATE_CONFLICT",
      `expected a run that waits for approval, got one that is ${run.state}`,
    );
  const { plan, digest } = await planToSign(api, run);
  const approvals = await api.store.approvals(run.id, digest);
  if (approvals.some((approval) => approval.person === person.person)) {
    throw new CountersignError("CONFLICT", "expected one decision per person and plan, you have decided already");
  }
  const { roles, permission } = mayDecide(run, plan, approvals, person, api.now());
  if (!permission.allowed) {
    const over = run.approvalExpiresAt !== null && api.now() >= run.approvalExpiresAt;
    throw new CountersignError(over ? "STATE_CONFLICT" : "FORBIDDEN", permission.why ?? "");
  }
  if (!roles.some((held) => held === role))
    throw new CountersignError(
      "FORBIDDEN",
      `expected one of your roles for this plan (${roles.join(", ")}), got ${role}`,
    );
  return { plan, digest, approvals };
}

export const makeStatement: Handler<"makeStatement"> = async ({ api, params, body, person }) => {
  const run = await runOf(api, params.id);
  const { plan, digest } = await openPlan(api, run, person, body.role);
  const { role, decision, reason } = body;
  // What a statement's expiry limits is the start of the run: the plan says how long an approval stands.
  const { expiresAfterSeconds } = plan.approvals;
  return statementFor(api, { plan, digest, run, person, role, decision, reason, expiresAfterSeconds });
};

export const decide: Handler<"decide"> = async ({ api, params, body, person, request }) => {
  const run = await runOf(api, params.id);
  const returned = readReturned(run, body, request.headers["if-match"]);
  const { bytes, statement, reason } = returned;
  const { decision } = statement;
  if (decision !== "approve" && decision !== "reject")
    throw new CountersignError("INPUT_INVALID", `expected a statement that approves or rejects, got ${decision}`);
  const { plan, digest, approvals } = await openPlan(api, run, person, statement.role);
  const { expiresAfterSeconds } = plan.approvals;
  const needsReason = decision === "reject";
  await checkReturned(api, run, person, { plan, digest }, returned, { expiresAfterSeconds, needsReason });

  const given = { person: person.person, role: statement.role, decision };
  const quorum = evaluateQuorum(plan.approvals, plan.requester, [...approvals, given]);
  const refused = quorum.refused.find((item) => item.person === person.person);
  if (refused !== undefined)
    throw new CountersignError("FORBIDDEN", `expected a decision that counts, this one does not: ${refused.because}`);

  const envelope = await signApproval(bytes, api.sessionKey);
  const statementDigest = digestOf(bytes);
  const at = api.now();
  const isComplete = (earlier: readonly CountedApproval[]) =>
    evaluateQuorum(plan.approvals, plan.requester, [...earlier, given]).met;
  await api.store.decide({
    run: run.id,
    planDigest: digest,
    ...given,
    level: "session",
    statementDigest,
    evidenceDigest: digestOf(envelope),
    reasonDigest: statement.reasonDigest,
    attachments: [
      { digest: statementDigest, kind: "statement", bytes },
      { digest: digestOf(envelope), kind: "envelope", bytes: envelope },
      ...(reason === null ? [] : [reason]),
    ],
    isComplete,
    notBefore: Math.max(at, Date.parse(plan.timing.notBefore)),
    at,
  });
  const state = (await api.store.run(run.id))?.state ?? run.state;
  const missing = missingOf(plan, await api.store.approvals(run.id, digest));
  return { run: run.id, state, person: person.person, decision, statementDigest, missing };
};
