import { createHash } from "node:crypto";
import { CountersignError } from "@countersign/core";

/** An answer kept for a repeat of the same request. */
export interface KeptAnswer {
  readonly status: number;
  readonly body: string;
}

/** Remembers (person, key) -> (request hash, answer) for a day; shared by all instances. */
export interface IdempotencyStore {
  /** Null: the key is new and now ours. Else what is known of it; `answer` null = the first request still runs. */
  begin(
    person: string,
    key: string,
    requestHash: string,
  ): Promise<{ readonly requestHash: string; readonly answer: KeptAnswer | null } | null>;
  finish(person: string, key: string, answer: KeptAnswer): Promise<void>;
  /** Forgets a key whose request failed before it changed anything. */
  forget(person: string, key: string): Promise<void>;
}

/** The request's hash: a repeat must be the same call with the same body. */
export function requestHash(method: string, url: string, body: unknown): string {
  return createHash("sha256")
    .update(`${method} ${url}\n${JSON.stringify(body ?? null)}`)
    .digest("hex");
}

/** The Idempotency-Key of a request, in the form that is accepted. */
export function keyOf(header: unknown): string {
  if (typeof header === "string" && /^[\x21-\x7e]{8,200}$/.test(header)) return header;
  throw new CountersignError(
    "INPUT_INVALID",
    "expected an Idempotency-Key of 8 to 200 printable characters, got none or another form",
  );
}

/** Runs `act` once per key: a repeat gets the first answer, another body or a running first request is refused. */
export async function once(
  store: IdempotencyStore,
  person: string,
  key: string,
  hash: string,
  act: () => Promise<KeptAnswer>,
): Promise<KeptAnswer & { readonly replayed: boolean }> {
  const known = await store.begin(person, key, hash);
  if (known !== null) {
    if (known.requestHash !== hash)
      throw new CountersignError("CONFLICT", "expected the same request under this Idempotency-Key, got another");
    if (known.answer === null)
      throw new CountersignError(
        "CONFLICT",
        "expected the first request under this Idempotency-Key to have ended, it still runs",
      );
    return { ...known.answer, replayed: true };
  }
  try {
    const answer = await act();
    await store.finish(person, key, answer);
    return { ...answer, replayed: false };
  } catch (error) {
    await store.forget(person, key);
    throw error;
  }
}
