import type { UseWord } from "@countersign/contract";
import { CountersignError } from "@countersign/core";
import { signApproval } from "@countersign/evidence";
import type { ApiDependencies } from "../dependencies.ts";
import type { Handler } from "../handler.ts";
import type { KnownPerson, RunRecord } from "../ports.ts";
import { turnsOf } from "../views/break-glass.ts";
import { runOf } from "./runs.ts";
import { checkReturned, planToSign, readReturned, statementFor } from "./statements.ts";

const turnOf = { "break-glass": "grant", confirm: "confirm", accept: "review", object: "review" } as const;

/** The plan that this person may say this word on; throws what stands in the way. */
async function openUse(api: ApiDependencies, run: RunRecord, person: KnownPerson, role: string, word: UseWord) {
  const open = await planToSign(api, run);
  const use = await api.store.breakGlass(run.id);
  const turn = turnsOf(run, open.plan, use, person, api.now())[turnOf[word]];
  if (!turn.allowed) throw new CountersignError("FORBIDDEN", turn.why ?? "expected one whom the plan names");
  if (!turn.roles.some((held) => held === role))
    throw new CountersignError(
      "FORBIDDEN",
      `expected one of your roles for this (${turn.roles.join(", ")}), got ${role}`,
    );
  const { breakGlass, approvals } = open.plan;
  // Who starts alone does so at once; the others have as long as an approval.
  const expiresAfterSeconds =
    word === "break-glass" && breakGlass !== undefined ? breakGlass.expiresAfterSeconds : approvals.expiresAfterSeconds;
  return { ...open, terms: { expiresAfterSeconds, needsReason: word === "break-glass" || word === "object" } };
}

function useWordOf(decision: string): UseWord {
  if (decision === "break-glass" || decision === "confirm" || decision === "accept" || decision === "object")
    return decision;
  throw new CountersignError("INPUT_INVALID", `expected a word on a break-glass use, got ${decision}`);
}

export const makeUseStatement: Handler<"makeUseStatement"> = async ({ api, params, body, person }) => {
  const run = await runOf(api, params.id);
  const { role, decision, reason } = body;
  const { plan, digest, terms } = await openUse(api, run, person, role, decision);
  const { expiresAfterSeconds } = terms;
  return statementFor(api, { plan, digest, run, person, role, decision, reason, expiresAfterSeconds });
};

export const sayOnUse: Handler<"sayOnUse"> = async ({ api, params, body, person, request }) => {
  const run = await runOf(api, params.id);
  const returned = readReturned(run, body, request.headers["if-match"]);
  const { bytes, statement, reason } = returned;
  const decision = useWordOf(statement.decision);
  const { plan, digest, terms } = await openUse(api, run, person, statement.role, decision);
  await checkReturned(api, run, person, { plan, digest }, returned, terms);
  const envelope = await signApproval(bytes, api.sessionKey);
  const at = api.now();
  const statementDigest = await api.store.sayOnUse({
    run: run.id,
    planDigest: digest,
    person: person.person,
    role: statement.role,
    word: decision,
    level: "session",
    statement: bytes,
    envelope,
    reason,
    notBefore: Math.max(at, Date.parse(plan.timing.notBefore)),
    at,
  });
  const state = (await api.store.run(run.id))?.state ?? run.state;
  return { run: run.id, state, person: person.person, decision, statementDigest };
};
