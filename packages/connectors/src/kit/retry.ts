import { randomInt } from "node:crypto";
import { limits } from "./limits.ts";

/** `Retry-After` in milliseconds from `now`: seconds or an HTTP date; null when absent or unreadable. */
export function retryAfterMs(header: string | undefined, now: number): number | null {
  if (header === undefined) return null;
  const text = header.trim();
  if (/^\d{1,6}(\.\d+)?$/.test(text)) return Math.ceil(Number(text) * 1_000);
  const date = /^[A-Z][a-z]{2}, /.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}

/** Wait before try `n + 1` when the outside says nothing: exponential with up to a quarter of jitter. */
export function backoffMs(n: number): number {
  const base = Math.min(limits.backoffMs * 2 ** (n - 1), limits.backoffMaxMs);
  return base + randomInt(Math.max(1, Math.floor(base / 4)));
}
