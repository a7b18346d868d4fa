import { type BundleFiles, envelopeFile, fileOf, statementFile } from "../bundle/layout.ts";
import { type Digest, digestHex, digestOf } from "../digest.ts";
import { show } from "../errors.ts";
import { CLOCK_SKEW_MS_MAX } from "../limits.ts";
import type { PlanFacts } from "../plan.ts";
import { firstOf, ofType, type PlacedEntry, type RunView } from "../run-view.ts";
import { type ApprovalStatement, type VerifiedApproval, verifyApproval } from "../statement.ts";
import type { Trust, TrustedPerson } from "../trust.ts";
import { prove } from "./report.ts";

/** An approval entry with the statement that was signed. */
export interface ProvenApproval extends VerifiedApproval {
  readonly given: PlacedEntry<"approval.given">;
  readonly person: TrustedPerson;
}

/** How sure a level makes us of who signed. */
export const LEVEL_RANK = { session: 0, idp: 1, passkey: 2 } as const;

/** What an entry says of a word that a person signed. */
export interface SignedWord {
  readonly evidenceDigest: string;
  readonly level: keyof typeof LEVEL_RANK;
  readonly person: string;
  readonly role: string;
  readonly statementDigest: string;
}

/**
 * Every decision in the log is what its person signed, about this plan. Statements that were erased are left out: they
 * prove nothing any more, so they cannot be counted either.
 */
export function checkApprovals(
  files: BundleFiles,
  run: RunView,
  plan: PlanFacts | undefined,
  erased: ReadonlyMap<string, string>,
  trust: Trust,
): ProvenApproval[] {
  const given = ofType(run, "approval.given");
  if (given.length > 0) prove(plan !== undefined, "expected approvals only of a plan");
  // Duplicates are refused before anything is counted, so that copies of one approval never reach a quorum.
  const digests = given.map(({ entry }) => entry.data.statementDigest);
  prove(new Set(digests).size === digests.length, "expected each statement once in the log");
  const proven: ProvenApproval[] = [];
  for (const entry of given) {
    const digest = entry.entry.data.statementDigest;
    if (!files.has(statementFile(digestHex(digest))) && erased.has(digest)) continue;
    const { data, at } = entry.entry;
    const { expiresAfterSeconds } = (plan as PlanFacts).approvals;
    const said = { data, at, index: entry.index, decision: data.decision, expiresAfterSeconds };
    proven.push({ ...proveWord(files, run, plan as PlanFacts, said, trust), given: entry });
  }
  const nonces = proven.map((a) => a.statement.nonce);
  prove(new Set(nonces).size === nonces.length, "expected each approval to have a nonce of its own");
  return proven;
}

/** Proves that the person an entry names signed exactly this word about exactly this plan. */
export function proveWord(
  files: BundleFiles,
  run: RunView,
  plan: PlanFacts,
  said: {
    readonly data: SignedWord;
    readonly at: string;
    readonly index: number;
    readonly decision: ApprovalStatement["decision"];
    readonly expiresAfterSeconds: number;
    /** What remains, where the word closes a held run: the second subject. */
    readonly remains?: string;
  },
  trust: Trust,
): VerifiedApproval & { readonly person: TrustedPerson } {
  const { data, at, index } = said;
  const hex = digestHex(data.statementDigest as Digest);
  const who = `the approval of ${data.person}`;
  const bytes = fileOf(files, statementFile(hex));
  const envelope = fileOf(files, envelopeFile(hex));
  prove(digestOf(bytes) === data.statementDigest, `expected ${who} to have the digest in the log`);
  prove(digestOf(envelope) === data.evidenceDigest, `expected the envelope of ${who} to have the digest in the log`);
  prove(
    data.level === "session",
    `expected ${who} at level session, the only one this version can check, got ${data.level}`,
  );
  const approval = verifyApproval(bytes, envelope, trust.sessionKeys);
  const { statement } = approval;

  const person = trust.people.find((p) => p.person === data.person);
  prove(person !== undefined, `expected ${data.person} to be enrolled in the trust file`);
  const same = person.iss === statement.approver.iss && person.sub === statement.approver.sub;
  prove(same, `expected ${who} to be signed for the identity that is enrolled`);
  prove(person.roles.includes(data.role), `expected ${data.person} to be enrolled as ${data.role}`);
  prove(
    LEVEL_RANK[data.level] >= LEVEL_RANK[person.level],
    `expected ${who} at level ${person.level} or above, got ${data.level}`,
  );

  prove(statement.runId === run.id, `expected ${who} to be for ${run.id}, got ${statement.runId}`);
  prove(statement.decision === said.decision, `expected ${who} to say ${said.decision}, got ${statement.decision}`);
  prove(statement.role === data.role, `expected ${who} in role ${data.role}, got ${show(statement.role)}`);
  prove(statement.policyDigest === plan.policyDigest, `expected ${who} to be under the plan's policy`);
  const frozen = firstOf(run, "plan.frozen") as PlacedEntry<"plan.frozen">;
  const subjects = [{ kind: "plan", digest: String(frozen.entry.data.planDigest) }];
  if (said.remains !== undefined) subjects.push({ kind: "remains", digest: said.remains });
  const bound =
    statement.subjects.length === subjects.length &&
    subjects.every(({ kind, digest }, i) => {
      const subject = statement.subjects[i];
      return subject?.kind === kind && subject.digest === digest;
    });
  prove(
    bound,
    `expected ${who} to be of exactly ${said.remains === undefined ? "this plan" : "this plan and what remains of it"}`,
  );
  prove(frozen.index < index, `expected ${who} after the plan was frozen`);
  prove(statement.checkpoint.size <= index, `expected ${who} to name a checkpoint from before it`);

  const issued = Date.parse(statement.issuedAt);
  const lives = (Date.parse(statement.expiresAt) - issued) / 1000;
  prove(
    lives <= said.expiresAfterSeconds,
    `expected ${who} to expire within ${said.expiresAfterSeconds} s, got ${lives} s`,
  );
  prove(issued <= Date.parse(at) + CLOCK_SKEW_MS_MAX, `expected ${who} to be issued before it was logged`);
  return { ...approval, person };
}

/** A person who may break the glass did so, and what was signed. */
export interface ProvenGrant extends VerifiedApproval {
  readonly given: PlacedEntry<"breakglass.granted">;
  readonly person: TrustedPerson;
}

/** The authorisation counts exactly the one grant, which stood in the log and had not expired. */
function checkGrantCounts(authorised: PlacedEntry<"run.authorised">, granted: ProvenGrant | undefined): void {
  const { data, at } = authorised.entry;
  prove(granted !== undefined, "expected a break-glass grant behind the authorisation, got none that can be proven");
  const { statementDigest } = granted.given.entry.data;
  const only = data.statements.length === 1 && data.statements[0] === statementDigest;
  prove(only, "expected the authorisation to count exactly the break-glass grant");
  prove(granted.given.index < data.checkpoint.size, "expected the grant inside the checkpoint the authorisation names");
  prove(Date.parse(granted.statement.expiresAt) > Date.parse(at), `expected the grant to be unexpired at ${at}`);
}

/** How a run was allowed to begin. */
export interface ProvenAuthorisation {
  readonly authorised: PlacedEntry<"run.authorised">;
  readonly counted: readonly ProvenApproval[];
}

/**
 * The authorisation, if there is one, names decisions that stood in the log, inside a signed checkpoint, unexpired and
 * without a rejection or a change of the world since.
 */
export function checkAuthorisation(
  run: RunView,
  plan: PlanFacts | undefined,
  approvals: readonly ProvenApproval[],
  granted: ProvenGrant | undefined,
  erased: ReadonlyMap<string, string>,
): ProvenAuthorisation | undefined {
  const all = ofType(run, "run.authorised");
  prove(all.length <= 1, "expected one authorisation for a run, got several");
  const authorised = all[0];
  if (authorised === undefined) return undefined;
  prove(plan !== undefined, "expected an authorisation only of a plan");
  const { data, at } = authorised.entry;
  prove(
    data.planDigest === firstOf(run, "plan.frozen")?.entry.data.planDigest,
    "expected the authorisation to be of this plan",
  );
  prove(data.checkpoint.size <= authorised.index, "expected the authorisation to name a checkpoint from before it");
  const stateThen = ofType(run, "run.moved")
    .filter((m) => m.index < authorised.index)
    .at(-1)?.entry.data.to;
  const started = stateThen === "approved" || stateThen === "scheduled" || stateThen === "executing";
  prove(
    started,
    `expected the authorisation in state approved, scheduled or executing, got ${stateThen ?? "requested"}`,
  );
  const stops = ofType(run, "approval.given").filter(
    (g) => g.entry.data.decision === "reject" && g.index < authorised.index,
  );
  prove(stops.length === 0, "expected no rejection before the authorisation");
  const voided = ofType(run, "approval.voided").some((v) => v.index < authorised.index);
  prove(!voided, "expected no voided approvals before the authorisation");
  if (data.kind === "break-glass") {
    checkGrantCounts(authorised, granted);
    return { authorised, counted: [] };
  }
  const counted = data.statements.map((digest) => {
    const approval = approvals.find((a) => a.given.entry.data.statementDigest === digest);
    prove(
      approval !== undefined || !erased.has(digest),
      `expected the statement ${digest} that was counted, but it was erased: the quorum cannot be proven any more`,
    );
    prove(approval !== undefined, `expected the counted statement ${digest} among the approvals`);
    const { given, statement } = approval;
    const who = `the approval of ${given.entry.data.person}`;
    prove(statement.decision === "approve", `expected ${who} to be a yes`);
    prove(given.index < data.checkpoint.size, `expected ${who} inside the checkpoint the authorisation names`);
    prove(Date.parse(statement.expiresAt) > Date.parse(at), `expected ${who} to be unexpired at ${at}`);
    return approval;
  });
  return { authorised, counted };
}

/** The decisions counted are enough for the plan: eligible people, each once, not the requester, at the level asked. */
export function checkQuorum(plan: PlanFacts, authorisation: ProvenAuthorisation, trust: Trust): true | undefined {
  const { counted, authorised } = authorisation;
  prove(!(trust.solo && plan.prod), "expected no effects in prod from a one-person installation");
  if (authorised.entry.data.kind === "break-glass") return undefined;
  const people = counted.map((a) => a.person.person);
  prove(new Set(people).size === people.length, "expected each person once among those counted");
  for (const { person, given } of counted) {
    const { role, level } = given.entry.data;
    const asked = plan.approvals.require.find((r) => r.role === role);
    prove(asked !== undefined, `expected role ${role} to be one the plan asks for`);
    prove(asked.people.includes(person.person), `expected ${person.person} to be eligible as ${role} in the plan`);
    prove(
      LEVEL_RANK[level] >= LEVEL_RANK[plan.approvals.minLevel],
      `expected level ${plan.approvals.minLevel} or above, got ${level}`,
    );
    const barred = !trust.solo || plan.approvals.separation.includes("requester-cannot-approve");
    prove(!barred || person.person !== plan.requester, "expected nobody to approve what they asked for");
  }
  for (const { role, count } of plan.approvals.require) {
    const got = counted.filter((a) => a.given.entry.data.role === role).length;
    prove(got >= count, `expected ${count} approval(s) as ${role}, got ${got}`);
  }
  const alone = plan.emergency !== null && plan.prod && counted.length < 2;
  prove(!alone, "expected two people behind an emergency in prod, got one");
  const attested = trust.profile === "production" && plan.prod && counted.some((a) => a.level === "session");
  prove(!attested, "expected approvals signed by the approver for prod, got ones attested by the server");
  return true;
}
