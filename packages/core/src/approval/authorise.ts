import {
  CLOCK_SKEW_MS_MAX,
  CLOSE_ASKERS,
  CLOSE_CONFIRMER,
  digestOf,
  EvidenceError,
  type Trust,
  verifyApproval,
} from "@countersign/evidence";
import { CountersignError } from "../errors.ts";
import type { FrozenPlan, Plan } from "../plan/plan.ts";
import { type CountedApproval, evaluateQuorum } from "./quorum.ts";

/** An approval as stored: bytes that a stranger may have written. */
export interface StoredApproval {
  readonly statement: Uint8Array;
  readonly envelope: Uint8Array;
}

/** A proven authorisation for one plan digest (I4). */
export interface Authorisation {
  readonly kind: "quorum" | "break-glass";
  readonly planDigest: string;
  readonly statements: readonly string[];
  /** Earliest expiry of the counted statements, ms: limits the start and nothing later. */
  readonly expiresAt: number;
}

/** Which approvals this plan must have had, as the executor's own policy says it now. */
export type RequiredRoles = readonly { readonly role: string; readonly count: number }[];

const level = { session: 0, idp: 1, passkey: 2 } as const;

/** Terms that every plan must have before anything of it may be done, whoever said so. */
function checkTerms({ plan }: FrozenPlan, trust: Trust, refuse: Refuse): void {
  if (!trust.policies.has(plan.policyDigest))
    refuse(`expected a policy that the trust file names, got ${plan.policyDigest}`);
  if (!trust.solo && !plan.approvals.separation.includes("requester-cannot-approve"))
    refuse("expected a plan under which nobody approves what they asked for, got one that allows it");
  if (plan.prod && (trust.solo || plan.approvals.minLevel === "session"))
    refuse("expected approvals above level session by several people for prod, got less");
  const people = plan.approvals.require.reduce((sum, item) => sum + item.count, 0);
  if (plan.emergency !== undefined && plan.prod && people < 2)
    refuse("expected two people to decide on an emergency in prod, got one");
}

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
  const refuse = refuser(plan.run);
  checkTerms(frozen, trust, refuse);
  for (const { role, count } of required) {
    const asked = plan.approvals.require.find((item) => item.role === role)?.count ?? 0;
    if (asked < count) refuse(`expected the plan to ask for ${count} x ${role}, got ${asked}`);
  }

  const counted: CountedApproval[] = [];
  const statements: string[] = [];
  const nonces = new Set<string>();
  let expiresAt = Number.POSITIVE_INFINITY;
  for (const stored of approvals) {
    const word = proveWord(frozen, stored, trust, plan.approvals, at);
    const { decision, nonce } = word.statement;
    if (decision !== "approve" && decision !== "reject") return refuse(`expected a yes or no, got ${decision}`);
    if (nonces.has(nonce)) return refuse("expected each statement with a nonce of its own, got a copy");
    nonces.add(nonce);
    counted.push({ person: word.person, role: word.statement.role, decision });
    statements.push(word.digest);
    expiresAt = Math.min(expiresAt, Date.parse(word.statement.expiresAt));
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

/**
 * Proves that one person may start exactly this plan alone: named by the plan, in a role that this executor's own policy
 * still lets do so (`roles`), with a reason, unexpired at `at` (null: consumed already), and in prod signed by that person.
 */
export function authoriseBreakGlass(
  frozen: FrozenPlan,
  grant: StoredApproval,
  trust: Trust,
  roles: readonly string[],
  at: number | null,
): Authorisation & { readonly person: string } {
  const { plan } = frozen;
  const refuse = refuser(plan.run);
  checkTerms(frozen, trust, refuse);
  const terms = plan.breakGlass;
  if (terms === undefined) return refuse("expected a plan that allows break-glass, got one that does not");
  const { statement, person, level: signedAt, digest } = proveWord(frozen, grant, trust, terms, at);
  if (statement.decision !== "break-glass")
    return refuse(`expected a break-glass grant, got the word ${statement.decision}`);
  if (!isNamed(terms.grant, person, statement.role))
    return refuse(`expected one whom the plan lets start alone, got ${person} as ${statement.role}`);
  if (!roles.includes(statement.role))
    return refuse(`expected a role that policy lets start alone, got ${statement.role}`);
  if (statement.reasonDigest === null) return refuse("expected a break-glass grant with a reason, got none");
  if (plan.prod && signedAt === "session")
    return refuse("expected a grant in prod signed by the person, got level session");
  const expiresAt = Date.parse(statement.expiresAt);
  if (at !== null && at >= expiresAt) return refuse("expected a grant that has not expired, got an expired one");
  return { kind: "break-glass", planDigest: frozen.digest, statements: [digest], expiresAt, person };
}

/** Proves that a second person, whom the plan names, confirmed what `granter` started alone. Returns who. */
export function proveConfirmation(
  frozen: FrozenPlan,
  stored: StoredApproval,
  trust: Trust,
  granter: string,
): { readonly person: string; readonly digest: string } {
  const { plan } = frozen;
  const refuse = refuser(plan.run);
  const terms = plan.breakGlass;
  if (terms === undefined) return refuse("expected a plan that allows break-glass, got one that does not");
  const bounds = { minLevel: terms.minLevel, expiresAfterSeconds: plan.approvals.expiresAfterSeconds };
  const { statement, person, digest } = proveWord(frozen, stored, trust, bounds, null);
  if (statement.decision !== "confirm") return refuse(`expected a confirmation, got the word ${statement.decision}`);
  if (!isNamed(terms.confirm, person, statement.role))
    return refuse(`expected one whom the plan lets confirm, got ${person} as ${statement.role}`);
  if (person === granter) return refuse("expected a second person to confirm, got the first one again");
  return { person, digest };
}

/**
 * Proves that two people agreed to close a held run as it stands: one of its owners or operators asked, with a reason, and
 * another one of security confirmed; both signed the digest of the same list of what remains, unexpired at `at` (ms).
 */
export function proveClose(
  frozen: FrozenPlan,
  words: { readonly asked: StoredApproval; readonly confirmed: StoredApproval },
  trust: Trust,
  remains: string,
  at: number,
): void {
  const { plan } = frozen;
  const refuse = refuser(plan.run);
  const { minLevel, expiresAfterSeconds } = plan.approvals;
  const word = (stored: StoredApproval, decision: "close" | "close-confirm", roles: readonly string[]) => {
    const proven = proveWord(frozen, stored, trust, { minLevel, expiresAfterSeconds }, at, remains);
    const { statement, person } = proven;
    if (statement.decision !== decision) refuse(`expected the word ${decision}, got ${statement.decision}`);
    if (!roles.includes(statement.role)) refuse(`expected ${roles.join(" or ")}, got ${statement.role}`);
    if (statement.role === "app-owner" && !plan.baseline.owners.includes(person))
      refuse(`expected an owner of the application, got ${person}`);
    if (at >= Date.parse(statement.expiresAt)) refuse("expected a word that has not expired, got an expired one");
    return proven;
  };
  const asked = word(words.asked, "close", CLOSE_ASKERS);
  if (asked.statement.reasonDigest === null) refuse("expected a reason for closing the run as it stands, got none");
  const confirmed = word(words.confirmed, "close-confirm", [CLOSE_CONFIRMER]);
  if (asked.person === confirmed.person) refuse("expected a second person to confirm, got the first one again");
  if (asked.statement.nonce === confirmed.statement.nonce) refuse("expected each word with a nonce of its own");
}

function isNamed(allowed: NonNullable<Plan["breakGlass"]>["grant"], person: string, role: string): boolean {
  return allowed.some((item) => item.role === role && item.people.includes(person));
}

type Refuse = (message: string) => never;

function refuser(run: string): Refuse {
  return (message) => {
    throw new CountersignError("AUTHORISATION_INVALID", message, { run });
  };
}

/** Proves that an enrolled person signed these bytes about exactly this plan, at a level that counts. */
function proveWord(
  frozen: FrozenPlan,
  stored: StoredApproval,
  trust: Trust,
  bounds: { readonly expiresAfterSeconds: number; readonly minLevel: keyof typeof level },
  at: number | null,
  remains?: string,
) {
  const { plan } = frozen;
  const refuse = refuser(plan.run);
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
  const subjects = statement.subjects.map(({ kind, digest }) => `${kind} ${digest}`);
  const asked = [`plan ${frozen.digest}`, ...(remains === undefined ? [] : [`remains ${remains}`])];
  if (subjects.length !== asked.length || subjects.some((subject, i) => subject !== asked[i]))
    return refuse(`expected a statement about ${asked.join(" and ")}, got another subject`);
  const issuedAt = Date.parse(statement.issuedAt);
  if (at !== null && issuedAt > at + CLOCK_SKEW_MS_MAX)
    return refuse("expected a statement that was issued before now, got one from the future");
  const lifeSeconds = (Date.parse(statement.expiresAt) - issuedAt) / 1000;
  if (lifeSeconds > bounds.expiresAfterSeconds)
    return refuse(`expected a statement that expires within ${bounds.expiresAfterSeconds} s, got ${lifeSeconds} s`);
  if (level[approval.level] < level[person.level])
    return refuse(`expected ${person.person} to approve at level ${person.level}, got ${approval.level}`);
  if (level[approval.level] < level[bounds.minLevel])
    return refuse(`expected level ${bounds.minLevel}, got ${approval.level}`);
  return { statement, person: person.person, level: approval.level, digest: digestOf(approval.bytes) };
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
