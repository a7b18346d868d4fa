import { CountersignError, type ErrorCode } from "@countersign/core";

/** Told after each call: the address that was called, and why it gave no proper answer; null: it answered. */
export type Observe = (address: string, code: ErrorCode | null) => void;

/** Errors that say something about the way there or about our rights; all others are answers. */
const failures: readonly ErrorCode[] = [
  "OUTSIDE_AUTH",
  "OUTSIDE_FORBIDDEN",
  "OUTSIDE_RATE_LIMITED",
  "OUTSIDE_UNAVAILABLE",
  "OUTSIDE_UNKNOWN",
  "OUTSIDE_MALFORMED",
];

/** Does `act`, and says how the address answered. What was aborted or refused on our side says nothing about it. */
export async function observed<T>(observe: Observe | undefined, address: string, act: () => Promise<T>): Promise<T> {
  try {
    const result = await act();
    observe?.(address, null);
    return result;
  } catch (error) {
    if (error instanceof CountersignError && error.code.startsWith("OUTSIDE_"))
      observe?.(address, failures.includes(error.code) ? error.code : null);
    throw error;
  }
}

/** Where a connection of the configuration leads, as calls are observed; null: nowhere over a network. */
export function reachOf(settings: unknown): string | null {
  const { url, host, port } = settings as { readonly url?: unknown; readonly host?: unknown; readonly port?: unknown };
  if (typeof url === "string") return new URL(url).origin;
  return typeof host === "string" ? `postgres://${host}:${String(port)}` : null;
}
