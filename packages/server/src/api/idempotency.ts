import { createHash } from "node:crypto";
import { CountersignError } from "@countersign/core";

/** An answer kept for a repeat of the same request. */
export interface KeptAnswer {
  readonly status: number;
  readonly body: string;
}

/** Remembers (person, key) -> (request hash, answer). */
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

const keptMax = 10_000;

/**
 * Kept in this process, the newest ten thousand. What a forgotten key could double is refused by the database anyway:
 * one open run per application, one decision per person and plan; a repeated word to the executor is the same word.
 */
export function idempotencyInMemory(): IdempotencyStore {
  const kept = new Map<string, { requestHash: string; answer: KeptAnswer | null }>();
  const nameOf = (person: string, key: string) => `${person} ${key}`;
  return {
    async begin(person, key, hash) {
      const known = kept.get(nameOf(person, key));
      if (known !== undefined) return known;
      const [oldest] = kept.keys();
      if (kept.size >= keptMax && oldest !== undefined) kept.delete(oldest);
      kept.set(nameOf(person, key), { requestHash: hash, answer: null });
      return null;
    },
    async finish(person, key, answer) {
      const known = kept.get(nameOf(person, key));
      if (known !== undefined) kept.set(nameOf(person, key), { ...known, answer });
    },
    async forget(person, key) {
      kept.delete(nameOf(person, key));
    },
  };
}
