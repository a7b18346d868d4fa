import { randomBytes } from "node:crypto";
import type { Plan } from "@countersign/contract";
import { type CountedApproval, CountersignError, evaluateQuorum } from "@countersign/core";
import {
  type ApprovalStatement,
  approvalChallenge,
  buildStatement,
  type Digest,
  digestOf,
  fromBase64,
  parseStatement,
  signApproval,
  toBase64,
} from "@countersign/evidence";
import type { ApiDependencies } from "../dependencies.ts";
import type { Handler } from "../handler.ts";
import type { KnownPerson, NewAttachment, RunRecord } from "../ports.ts";
import { mayDecide } from "../views/permissions.ts";
import { newReason, readReason } from "../views/reason.ts";
import { missingOf, planOf } from "../views/run.ts";
import { iso } from "../views/time.ts";
import { runOf } from "./runs.ts";

/** The plan that waits for approval, and that this person may decide on it; throws what stands in the way. */
async function openPlan(api: ApiDependencies, run: RunRecord, person: KnownPerson, role: string) {
  const text = run.planDigest === null ? null : await api.store.plan(run.planDigest);
  const plan = planOf(text);
  if (run.planDigest === null || plan === null || text === null || run.state !== "awaiting_approval") {
    throw new CountersignError(
      "STATE_CONFLICT",
      `expected a run that waits for approval, got one that is ${run.state}`,
    );
  }
  if (digestOf(new TextEncoder().encode(text)) !== run.planDigest) {
    throw new CountersignError("PLAN_DRIFTED", "expected the stored plan to have its digest, got other content");
  }
  const approvals = await api.store.approvals(run.id, run.planDigest);
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
  return { plan, digest: run.planDigest, approvals };
}

export const makeStatement: Handler<"makeStatement"> = async ({ api, params, body, person }) => {
  const run = await runOf(api, params.id);
  const { plan, digest } = await openPlan(api, run, person, body.role);
  const checkpoint = await api.store.checkpoint();
  if (checkpoint === null)
    throw new CountersignError(
      "STATE_CONFLICT",
      "expected a signed checkpoint, there is none yet: the executor has not started",
    );
  const now = api.now();
  // What a statement's expiry limits is the start of the run: the plan says how long an approval stands.
  const expiresAt = now + plan.approvals.expiresAfterSeconds * 1_000;
  const reason = body.reason === undefined ? null : newReason(body.reason);
  const statement = buildStatement({
    approver: { iss: person.iss, sub: person.sub },
    checkpoint: { origin: checkpoint.origin, root: checkpoint.root, size: checkpoint.size },
    decision: body.decision,
    expiresAt: iso(expiresAt),
    issuedAt: iso(now),
    nonce: randomBytes(16).toString("base64url"),
    policyDigest: plan.policyDigest as Digest,
    reasonDigest: (reason?.digest ?? null) as Digest | null,
    role: body.role,
    rpId: api.installation.rpId,
    runId: run.id,
    subjects: [{ digest: digest as Digest, kind: "plan" }],
  });
  return {
    statement: toBase64(statement),
    digest: digestOf(statement),
    challenge: toBase64(approvalChallenge(statement)),
    planDigest: digest,
    expiresAt: iso(expiresAt),
    reasonAttachment: reason === null ? null : toBase64(reason.bytes),
  };
};

export const decide: Handler<"decide"> = async ({ api, params, body, person, request }) => {
  const run = await runOf(api, params.id);
  if (request.headers["if-match"] !== `"${body.planDigest}"`) {
    throw new CountersignError(
      "INPUT_INVALID",
      "expected If-Match to be the plan digest in double quotes, as in the body",
      { status: 428 },
    );
  }
  if (run.planDigest !== null && body.planDigest !== run.planDigest) {
    throw new CountersignError(
      "PLAN_DRIFTED",
      `expected the current plan ${run.planDigest}, got a decision on ${body.planDigest}`,
    );
  }
  const bytes = fromBase64(body.statement, "statement");
  const statement = parseStatement(bytes);
  const { decision } = statement;
  if (decision !== "approve" && decision !== "reject")
    throw new CountersignError("INPUT_INVALID", `expected a statement that approves or rejects, got ${decision}`);
  const reason =
    body.reasonAttachment === null ? null : readReason(fromBase64(body.reasonAttachment, "reasonAttachment"));
  const { plan, digest, approvals } = await openPlan(api, run, person, statement.role);
  await check(api, run, person, plan, digest, statement, reason);

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

/** A statement says who decides what; every word of it must be true here and now before our key attests it. */
async function check(
  api: ApiDependencies,
  run: RunRecord,
  person: KnownPerson,
  plan: Plan,
  digest: string,
  statement: ApprovalStatement,
  reason: NewAttachment | null,
): Promise<void> {
  const now = iso(api.now());
  const [subject, ...others] = statement.subjects;
  const size = await api.store.logSize();
  const claims: [boolean, string][] = [
    [
      statement.approver.iss === person.iss && statement.approver.sub === person.sub,
      "the approver to be the person signed in",
    ],
    [statement.runId === run.id, "this run's id"],
    [others.length === 0 && subject?.digest === digest, "this plan's digest as the only subject"],
    [statement.policyDigest === plan.policyDigest, "the plan's policy digest"],
    [statement.rpId === api.installation.rpId, `rpId ${api.installation.rpId}`],
    [statement.issuedAt <= now && now < statement.expiresAt, "a statement that is not expired"],
    [
      Date.parse(statement.expiresAt) - Date.parse(statement.issuedAt) <= plan.approvals.expiresAfterSeconds * 1_000,
      "a statement that ends when the time to approve does",
    ],
    [
      statement.checkpoint.origin === api.installation.origin && statement.checkpoint.size <= size,
      "a checkpoint of this log",
    ],
    [statement.reasonDigest === (reason?.digest ?? null), "the reason attachment that the statement names"],
    [statement.decision === "approve" || reason !== null, "a reason for a reject"],
  ];
  for (const [holds, expected] of claims)
    if (!holds)
      throw new CountersignError("INPUT_INVALID", `expected ${expected}, got something else in the statement`);
}
