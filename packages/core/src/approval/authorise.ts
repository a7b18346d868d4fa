import { CLOCK_SKEW_MS_MAX, digestOf, EvidenceError, type Trust, verifyApproval } from "@countersign/evidence";
import { CountersignError } from "../errors.ts";
import type { FrozenPlan } from "../plan/plan.ts";
import { type CountedApproval, evaluateQuorum } from "./quorum.ts";

/** An approval as stored: bytes that a stranger may have written. */
export interface StoredApproval {
  readonly statement: Uint8Array;
  readonly envelope: Uint8Array;
}

/** A proven authorisation for one plan digest (I4). */
export interface Authorisation {
  readonly kind: "quorum";
  readonly planDigest: string;
  readonly statements: readonly string[];
  /** Earliest expiry of the counted statements, ms: limits the start and nothing later. */
  readonly expiresAt: number;
}

/** Which approvals this plan must have had, as the executor's own policy says it now. */
export type RequiredRoles = readonly { readonly role: string; readonly count: number }[];

const level = { session: 0, idp: 1, passkey: 2 } as const;

/**
 * Proves that the stored approvals authorise exactly this plan, or throws AUTHORISATION_INVALID saying which check
 * failed. Nothing is taken from the database on trust: signatures and people come from the trust file, roles needed
 * from the executor's own policy. Whatever is accepted here, the offline verifier accepts too (evidence,
 * verify/approvals.ts): a run that was allowed to start must never fail its audit for that.
 *
 * `at` is the domain time in ms at which the first effect is to happen; null for later steps, which an authorisation
 * that was consumed covers until it is withdrawn.
 */
export function authorise(
  frozen: FrozenPlan,
  approvals: readonly StoredApproval[],
  trust: Trust,
  required: RequiredRoles,
  at: number | null,
): Authorisation {
  const { plan } = frozen;
  const refuse = (message: string): never => {
    throw new CountersignError("AUTHORISATION_INVALID", message, { run: plan.run });
  };
  if (!trust.policies.has(plan.policyDigest))
    refuse(`expected a policy that the trust file names, got ${plan.policyDigest}`);
  if (!trust.solo && !plan.approvals.separation.includes("requester-cannot-approve"))
    refuse("expected a plan under which nobody approves what they asked for, got one that allows it");
  if (plan.prod && (trust.solo || plan.approvals.minLevel === "session"))
    refuse("expected approvals above level session by several people for prod, got less");
  for (const { role, count } of required) {
    const asked = plan.approvals.require.find((item) => item.role === role)?.count ?? 0;
    if (asked < count) refuse(`expected the plan to ask for ${count} x ${role}, got ${asked}`);
  }

  const counted: CountedApproval[] = [];
  const statements: string[] = [];
  const nonces = new Set<string>();
  let expiresAt = Number.POSITIVE_INFINITY;
  for (const stored of approvals) {
    const approval = prove(stored, trust);
    const { statement } = approval;
    const person = trust.people.find(
      (candidate) => candidate.iss === statement.approver.iss && candidate.sub === statement.approver.sub,
    );
    if (person === undefined) return refuse("expected an enrolled approver, got a stranger");
    if (!person.roles.includes(statement.role))
      return refuse(`expected an approver with role ${statement.role}, got one without`);
    if (statement.runId !== plan.run)
      return refuse(`expected a statement for ${plan.run}, got one for ${statement.runId}`);
    if (statement.policyDigest !== plan.policyDigest)
      return refuse("expected a statement under the plan's policy, got another");
    if (statement.subjects.length !== 1 || statement.subjects[0]?.digest !== frozen.digest)
      return refuse(`expected a statement about ${frozen.digest}, got another subject`);
    if (nonces.has(statement.nonce)) return refuse("expected each statement with a nonce of its own, got a copy");
    nonces.add(statement.nonce);
    const issuedAt = Date.parse(statement.issuedAt);
    if (at !== null && issuedAt > at + CLOCK_SKEW_MS_MAX)
      return refuse("expected a statement that was issued before now, got one from the future");
    const lifeSeconds = (Date.parse(statement.expiresAt) - issuedAt) / 1000;
    if (lifeSeconds > plan.approvals.expiresAfterSeconds)
      return refuse(
        `expected a statement that expires within ${plan.approvals.expiresAfterSeconds} s, got ${lifeSeconds} s`,
      );
    if (level[approval.level] < level[person.level])
      return refuse(`expected ${person.person} to approve at level ${person.level}, got ${approval.level}`);
    if (level[approval.level] < level[plan.approvals.minLevel])
      return refuse(`expected level ${plan.approvals.minLevel}, got ${approval.level}`);
    counted.push({ person: person.person, role: statement.role, decision: statement.decision });
    statements.push(digestOf(approval.bytes));
    expiresAt = Math.min(expiresAt, Date.parse(statement.expiresAt));
  }
  const quorum = evaluateQuorum(plan.approvals, plan.requester, counted);
  if (quorum.rejected) refuse("expected no reject, got one");
  const extra = quorum.refused[0];
  if (extra !== undefined) refuse(`expected every approval to count, got one refused: ${extra.because}`);
  const missing = quorum.missing[0];
  if (missing !== undefined) refuse(`expected ${missing.count} more approval(s) by ${missing.role}, got none`);
  if (at !== null && at >= expiresAt) refuse("expected approvals that have not expired, got an expired one");
  return { kind: "quorum", planDigest: frozen.digest, statements, expiresAt };
}

function prove(stored: StoredApproval, trust: Trust) {
  try {
    return verifyApproval(stored.statement, stored.envelope, trust.sessionKeys);
  } catch (error) {
    if (error instanceof EvidenceError)
      throw new CountersignError("AUTHORISATION_INVALID", `expected a signed statement, got ${error.message}`);
    throw error;
  }
}
