import { CountersignError } from "@countersign/core";
import { type Session, signIn } from "../session.ts";
import { demoPassword } from "./world.ts";

/** Signs in as a person of the demo. */
export function asPerson(url: string, login: string): Promise<Session> {
  return signIn(url, login, demoPassword);
}

/** Approves a run as one person does in the page: reads the statement, then signs exactly that one. */
export async function approve(
  session: Session,
  run: string,
  role: "app-owner" | "platform" | "security",
): Promise<void> {
  const { client } = session;
  const statement = await client.makeStatement({ params: { id: run }, body: { decision: "approve", role } });
  const answer = await client.decide({
    params: { id: run },
    body: { statement: statement.statement, planDigest: statement.planDigest },
    headers: { "if-match": `"${statement.planDigest}"` },
  });
  if (answer.decision !== "approve")
    throw new CountersignError("CONFLICT", "expected an approval to be recorded, got another decision");
}
