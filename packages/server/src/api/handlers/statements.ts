import { randomBytes } from "node:crypto";
import type { Answer, Plan } from "@countersign/contract";
import { CountersignError } from "@countersign/core";
import {
  type ApprovalStatement,
  approvalChallenge,
  buildStatement,
  type Digest,
  digestOf,
  fromBase64,
  parseStatement,
  toBase64,
} from "@countersign/evidence";
import type { ApiDependencies } from "../dependencies.ts";
import type { KnownPerson, NewAttachment, RunRecord } from "../ports.ts";
import { newReason, readReason } from "../views/reason.ts";
import { planOf } from "../views/run.ts";
import { iso } from "../views/time.ts";

/** A plan as people sign it. */
export interface OpenPlan {
  readonly plan: Plan;
  readonly digest: string;
}

/** The run's plan, with the digest that was recomputed from its stored text. Throws STATE_CONFLICT, PLAN_DRIFTED. */
export async function planToSign(api: ApiDependencies, run: RunRecord): Promise<OpenPlan> {
  const text = run.planDigest === null ? null : await api.store.plan(run.planDigest);
  const plan = planOf(text);
  if (run.planDigest === null || plan === null || text === null)
    throw new CountersignError("STATE_CONFLICT", `expected a run with a plan, got one that is ${run.state}`);
  if (digestOf(new TextEncoder().encode(text)) !== run.planDigest)
    throw new CountersignError("PLAN_DRIFTED", "expected the stored plan to have its digest, got other content");
  return { plan, digest: run.planDigest };
}

/** The exact bytes that a person would sign about a plan; stores nothing. */
export async function statementFor(
  api: ApiDependencies,
  about: OpenPlan & {
    readonly run: RunRecord;
    readonly person: KnownPerson;
    readonly role: string;
    readonly decision: ApprovalStatement["decision"];
    readonly reason: string | undefined;
    readonly expiresAfterSeconds: number;
    /** Digest of what remains, where the word closes the run: a second subject. */
    readonly remains?: string;
  },
): Promise<Answer<"makeStatement">> {
  const checkpoint = await api.store.checkpoint();
  if (checkpoint === null)
    throw new CountersignError(
      "STATE_CONFLICT",
      "expected a signed checkpoint, there is none yet: the executor has not started",
    );
  const { plan, digest, run, person } = about;
  const now = api.now();
  const expiresAt = now + about.expiresAfterSeconds * 1_000;
  const reason = about.reason === undefined ? null : newReason(about.reason);
  const statement = buildStatement({
    approver: { iss: person.iss, sub: person.sub },
    checkpoint: { origin: checkpoint.origin, root: checkpoint.root, size: checkpoint.size },
    decision: about.decision,
    expiresAt: iso(expiresAt),
    issuedAt: iso(now),
    nonce: randomBytes(16).toString("base64url"),
    policyDigest: plan.policyDigest as Digest,
    reasonDigest: (reason?.digest ?? null) as Digest | null,
    role: about.role,
    rpId: api.installation.rpId,
    runId: run.id,
    subjects: subjectsOf(digest, about.remains),
  });
  return {
    statement: toBase64(statement),
    digest: digestOf(statement),
    challenge: toBase64(approvalChallenge(statement)),
    planDigest: digest,
    expiresAt: iso(expiresAt),
    reasonAttachment: reason === null ? null : toBase64(reason.bytes),
  };
}

/** What a word is about: the plan, and what remains of it where the run is closed. */
function subjectsOf(plan: string, remains: string | undefined): ApprovalStatement["subjects"] {
  const subjects: ApprovalStatement["subjects"][number][] = [{ digest: plan as Digest, kind: "plan" }];
  if (remains !== undefined) subjects.push({ digest: remains as Digest, kind: "remains" });
  return subjects;
}

/** A statement that came back, and the reason that belongs to it. */
export interface Returned {
  readonly bytes: Uint8Array;
  readonly statement: ApprovalStatement;
  readonly reason: NewAttachment | null;
}

/** Reads a statement that a person sends back to be signed. Throws INPUT_INVALID, PLAN_DRIFTED. */
export function readReturned(
  run: RunRecord,
  body: { readonly statement: string; readonly planDigest: string; readonly reasonAttachment: string | null },
  ifMatch: unknown,
): Returned {
  if (ifMatch !== `"${body.planDigest}"`) {
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
  const reason =
    body.reasonAttachment === null ? null : readReason(fromBase64(body.reasonAttachment, "reasonAttachment"));
  return { bytes, statement: parseStatement(bytes), reason };
}

/** A statement says who decides what; every word of it must be true here and now before our key attests it. */
export async function checkReturned(
  api: ApiDependencies,
  run: RunRecord,
  person: KnownPerson,
  { plan, digest }: OpenPlan,
  { statement, reason }: Returned,
  terms: { readonly expiresAfterSeconds: number; readonly needsReason: boolean; readonly remains?: string },
): Promise<void> {
  const now = iso(api.now());
  const size = await api.store.logSize();
  const lifeMs = Date.parse(statement.expiresAt) - Date.parse(statement.issuedAt);
  const claims: [boolean, string][] = [
    [
      statement.approver.iss === person.iss && statement.approver.sub === person.sub,
      "the approver to be the person signed in",
    ],
    [statement.runId === run.id, "this run's id"],
    [
      JSON.stringify(statement.subjects.map(({ kind, digest: of }) => [kind, of])) ===
        JSON.stringify(subjectsOf(digest, terms.remains).map(({ kind, digest: of }) => [kind, of])),
      terms.remains === undefined ? "this plan's digest as the only subject" : "this plan and what remains as subjects",
    ],
    [statement.policyDigest === plan.policyDigest, "the plan's policy digest"],
    [statement.rpId === api.installation.rpId, `rpId ${api.installation.rpId}`],
    [statement.issuedAt <= now && now < statement.expiresAt, "a statement that is not expired"],
    [lifeMs <= terms.expiresAfterSeconds * 1_000, "a statement that ends when the time to decide does"],
    [
      statement.checkpoint.origin === api.installation.origin && statement.checkpoint.size <= size,
      "a checkpoint of this log",
    ],
    [statement.reasonDigest === (reason?.digest ?? null), "the reason attachment that the statement names"],
    [!terms.needsReason || reason !== null, `a reason for ${statement.decision}`],
  ];
  for (const [holds, expected] of claims)
    if (!holds)
      throw new CountersignError("INPUT_INVALID", `expected ${expected}, got something else in the statement`);
}
