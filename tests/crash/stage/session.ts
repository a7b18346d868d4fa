import { setTimeout as delay } from "node:timers/promises";
import { type Client, createClient, pathOf } from "@countersign/contract";
import { passwordOf } from "./documents.ts";
import type { Login } from "./names.ts";

/** People at the API; their sessions live in the product's database and so outlast its crashes. */
export interface Sessions {
  readonly of: (login: Login) => Promise<Client>;
  /** With `replace`: of this secret, which somebody else has made. */
  request(login: Login, row: string, replace?: string): Promise<string>;
  approve(login: Login, run: string, role: "app-owner" | "platform" | "security"): Promise<void>;
  /** An owner says that a step was done, or put back, by hand. */
  confirm(login: Login, run: string, step: string, direction: "do" | "undo"): Promise<void>;
  /** Asks for a run to be rolled back; asking again changes nothing. */
  rollBack(login: Login, run: string): Promise<void>;
  /** Decides that a held run is rolled back. */
  rollBackHeld(login: Login, run: string): Promise<void>;
  bundle(run: string): Promise<Uint8Array>;
}

const bundleTriesMax = 30;

export function openSessions(url: () => string): Sessions {
  const tokens = new Map<Login, string>();
  const headers = (login: Login): Record<string, string> => ({ authorization: `Bearer ${tokens.get(login)}` });
  const signIns = new Map<Login, Promise<void>>();
  const signIn = async (login: Login): Promise<void> => {
    const { token } = await createClient(url(), fetch).signIn({
      body: { login, password: passwordOf(login), kind: "bearer" },
    });
    if (token === null) throw new Error(`expected a token for ${login}, got none`);
    tokens.set(login, token);
  };
  const of = async (login: Login): Promise<Client> => {
    // Sign-ins are limited: those who come at the same time share one.
    const signedIn = signIns.get(login) ?? signIn(login);
    signIns.set(login, signedIn);
    await signedIn.catch((error: unknown) => {
      signIns.delete(login);
      throw error;
    });
    return createClient(url(), fetch, () => headers(login));
  };
  return {
    of,
    async request(login, row, replace) {
      const client = await of(login);
      const named = replace === undefined ? {} : { replace };
      return (await client.requestRun({ body: { row, reason: "crash test", ...named } })).run;
    },
    async confirm(login, run, step, direction) {
      const client = await of(login);
      await client.confirmStep({ params: { id: run }, body: { step, direction, confirmation: "given" } });
    },
    async approve(login, run, role) {
      const client = await of(login);
      const statement = await client.makeStatement({ params: { id: run }, body: { decision: "approve", role } });
      await client.decide({
        params: { id: run },
        body: { statement: statement.statement, planDigest: statement.planDigest },
        headers: { "if-match": `"${statement.planDigest}"` },
      });
    },
    async rollBack(login, run) {
      const client = await of(login);
      await client.rollBack({
        params: { id: run },
        body: { reason: "crash test" },
        headers: { "idempotency-key": `roll-back-${run}` },
      });
    },
    async rollBackHeld(login, run) {
      const client = await of(login);
      await client.decideHold({
        params: { id: run },
        body: { choice: "roll-back", reason: "crash test" },
        headers: { "idempotency-key": `held-${run}` },
      });
    },
    async bundle(run) {
      await of("cleo");
      for (let tries = 1; ; tries += 1) {
        const answer = await fetch(new URL(pathOf("getBundle", { id: run }), url()), {
          headers: { "x-countersign": "1", ...headers("cleo") },
        });
        // A bundle is there with the next checkpoint, a second later at most.
        if (answer.status === 404 && tries < bundleTriesMax) {
          await answer.body?.cancel();
          await delay(100);
          continue;
        }
        if (!answer.ok) throw new Error(`expected the bundle of ${run}, got ${answer.status}`);
        return new Uint8Array(await answer.arrayBuffer());
      }
    },
  };
}
