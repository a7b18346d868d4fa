import type { CloseWord } from "@countersign/contract";
import { CountersignError } from "@countersign/core";
import { signApproval } from "@countersign/evidence";
import type { ApiDependencies } from "../dependencies.ts";
import type { Handler } from "../handler.ts";
import type { KnownPerson, RunRecord } from "../ports.ts";
import { closingOf } from "../views/close.ts";
import { runOf } from "./runs.ts";
import { checkReturned, planToSign, readReturned, statementFor } from "./statements.ts";

/** The plan and the list of what remains that this person may say this word on; throws what stands in the way. */
async function openClosing(api: ApiDependencies, run: RunRecord, person: KnownPerson, role: string, word: CloseWord) {
  const open = await planToSign(api, run);
  const closing = await closingOf(api.store, run, open.plan, person, api.now());
  if (closing === null) throw new CountersignError("STATE_CONFLICT", `expected a run that is held, got ${run.state}`);
  const turn = closing.you[word === "close" ? "ask" : "confirm"];
  if (!turn.allowed) throw new CountersignError("FORBIDDEN", turn.why ?? "expected one who may close it");
  if (!turn.roles.some((held) => held === role))
    throw new CountersignError(
      "FORBIDDEN",
      `expected one of your roles for this (${turn.roles.join(", ")}), got ${role}`,
    );
  const { expiresAfterSeconds } = open.plan.approvals;
  const { digest: remains, text } = closing.remains;
  return { ...open, text, terms: { expiresAfterSeconds, needsReason: word === "close", remains } };
}

function closeWordOf(decision: string): CloseWord {
  if (decision === "close" || decision === "close-confirm") return decision;
  throw new CountersignError("INPUT_INVALID", `expected a word about closing the run, got ${decision}`);
}

export const makeCloseStatement: Handler<"makeCloseStatement"> = async ({ api, params, body, person }) => {
  const run = await runOf(api, params.id);
  const { role, decision, reason } = body;
  const { plan, digest, terms } = await openClosing(api, run, person, role, decision);
  const { expiresAfterSeconds, remains } = terms;
  return statementFor(api, { plan, digest, run, person, role, decision, reason, expiresAfterSeconds, remains });
};

export const sayOnClose: Handler<"sayOnClose"> = async ({ api, params, body, person, request }) => {
  const run = await runOf(api, params.id);
  const returned = readReturned(run, body, request.headers["if-match"]);
  const { bytes, statement, reason } = returned;
  const decision = closeWordOf(statement.decision);
  const { plan, digest, text, terms } = await openClosing(api, run, person, statement.role, decision);
  await checkReturned(api, run, person, { plan, digest }, returned, terms);
  const statementDigest = await api.store.sayOnClose({
    run: run.id,
    planDigest: digest,
    person: person.person,
    role: statement.role,
    kind: decision === "close" ? "asked" : "confirmed",
    level: "session",
    statement: bytes,
    envelope: await signApproval(bytes, api.sessionKey),
    remains: new TextEncoder().encode(text),
    reason,
    at: api.now(),
  });
  const state = (await api.store.run(run.id))?.state ?? run.state;
  return { run: run.id, state, person: person.person, decision, statementDigest };
};
