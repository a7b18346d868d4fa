import type { ErrorReader } from "../kit/http.ts";
import { retryAfterMs } from "../kit/retry.ts";
import { GithubError } from "./shapes.ts";

/** Headers of every request. */
export const asGithub = { accept: "application/vnd.github+json", "x-github-api-version": "2022-11-28" };

/** Where GitHub says no more than that there were too many requests (GitHub docs: at least one minute). */
const secondaryMs = 60_000;

/** Milliseconds until the hour's requests are given anew; 0 while there are some left. */
export function untilReset(headers: Readonly<Record<string, string | undefined>>, now: number): number {
  const reset = Number(headers["x-ratelimit-reset"]);
  if (headers["x-ratelimit-remaining"] !== "0" || !Number.isFinite(reset)) return 0;
  return Math.max(0, reset * 1_000 - now);
}

/** GitHub refuses too many requests by 403 as well as by 429, and says when to come back in one of three ways. */
export const readGithubError: ErrorReader = (status, body, headers, now) => {
  const parsed = GithubError.safeParse(body);
  const message = parsed.success ? parsed.data.message : "";
  const asked = retryAfterMs(headers["retry-after"], now) ?? (untilReset(headers, now) || null);
  const limited = status === 429 || (status === 403 && (asked !== null || /rate limit/i.test(message)));
  return {
    // Its errors have no codes of their own; the message says that it was GitHub which answered.
    code: parsed.success ? `github-${status}` : null,
    transient: false,
    limitedMs: limited ? (asked ?? secondaryMs) : undefined,
  };
};
