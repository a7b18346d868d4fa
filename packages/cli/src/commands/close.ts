import { type Answer, type Close, Remains } from "@countersign/contract";
import { CountersignError } from "@countersign/core";
import { digestOf, fromBase64, parseStatement } from "@countersign/evidence";
import { print, printJson, table } from "../output.ts";
import { type Session, sessionOf } from "../session.ts";

export interface CloseOptions {
  readonly url: string;
  readonly login?: string;
  readonly json?: boolean;
  /** Asks, for this reason. */
  readonly reason?: string;
  /** Confirms the list with this digest. */
  readonly confirm?: string;
}

/** Shows what a held run would leave outside; with a reason asks to close it so, with the list's digest confirms that. */
export async function runClose(id: string, options: CloseOptions): Promise<void> {
  if (options.reason !== undefined && options.confirm !== undefined)
    throw new CountersignError(
      "INPUT_INVALID",
      "expected --reason or --confirm, got both: they are two people's words",
    );
  const session = await sessionOf(options);
  const detail = await session.client.getRun({ params: { id } });
  const { close } = detail;
  if (close === null) throw new CountersignError("STATE_CONFLICT", `expected a run on hold, got ${detail.run.state}`);
  const { digest, text } = close.remains;
  if (digestOf(Buffer.from(text)) !== digest)
    throw new CountersignError("INPUT_INVALID", `expected the list of what remains with digest ${digest}, got another`);
  if (options.confirm !== undefined && options.confirm !== digest)
    throw new CountersignError("CONFLICT", `expected the list that remains now, ${digest}, got ${options.confirm}`);
  if (options.reason !== undefined || options.confirm !== undefined) {
    const answer = await sign(session, detail, close, options.reason);
    if (options.json === true) return printJson(answer);
    return print(
      options.reason === undefined
        ? "confirmed; the executor proves both words and closes the run"
        : `asked; somebody of security confirms: countersign close ${id} --confirm ${digest}`,
    );
  }
  if (options.json === true) return printJson(close);
  for (const line of linesOf(close)) print(line);
  return undefined;
}

async function sign(session: Session, detail: Answer<"getRun">, close: Close, reason: string | undefined) {
  const { client } = session;
  const params = { id: detail.run.id };
  const decision = reason === undefined ? "close-confirm" : "close";
  const turn = close.you[reason === undefined ? "confirm" : "ask"];
  const role = turn.roles[0];
  if (role === undefined || detail.plan === null)
    throw new CountersignError("FORBIDDEN", turn.why ?? "expected one who may close this run");
  const made = await client.makeCloseStatement({
    params,
    body: reason === undefined ? { decision, role } : { decision, role, reason },
  });
  // Nothing is signed that says anything else than what was shown.
  const bytes = fromBase64(made.statement, "statement");
  const statement = parseStatement(bytes);
  const [plan, remains] = statement.subjects;
  const holds =
    digestOf(bytes) === made.digest &&
    statement.decision === decision &&
    statement.runId === detail.run.id &&
    statement.subjects.length === 2 &&
    plan?.digest === detail.plan.digest &&
    remains?.digest === close.remains.digest;
  if (!holds) throw new CountersignError("INPUT_INVALID", "expected a statement about this run and list, got another");
  return client.sayOnClose({
    params,
    body: { statement: made.statement, planDigest: detail.plan.digest, reasonAttachment: made.reasonAttachment },
    headers: { "if-match": `"${detail.plan.digest}"` },
  });
}

function linesOf({ remains, asked, confirmed }: Close): string[] {
  const list = Remains.parse(JSON.parse(remains.text));
  return [
    `old credential ${list.old.id}: ${list.old.standing}, expires ${list.old.expiresAt ?? "never"}`,
    table(
      ["left by", "attempt", "standing", "ids", "place"],
      list.left.map(({ step, attempt, standing, ids, target }) => [
        step,
        String(attempt),
        standing,
        JSON.stringify(ids),
        JSON.stringify(target),
      ]),
    ),
    table(
      ["consumer", "seen on the new credential"],
      list.consumers.map(({ name, verified }) => [name, verified ?? "not yet"]),
    ),
    `digest of this list: ${remains.digest}`,
    asked === null ? "nobody has asked to close it so" : `asked by ${asked.person} as ${asked.role} at ${asked.at}`,
    confirmed === null ? "nobody has confirmed that" : `confirmed by ${confirmed.person} at ${confirmed.at}`,
  ];
}
