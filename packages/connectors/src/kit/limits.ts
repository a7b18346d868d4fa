/** Limits of everything that leaves or comes in, unit last. */
export const limits = {
  /** Largest answer that is read at all; a page of 999 applications with their credentials is about 2 MB. */
  bodyBytesMax: 32 * 1024 * 1024,
  /** A call that may be repeated is sent at most this often. */
  attemptsMax: 6,
  /** First wait after a failure without `Retry-After`; doubles each time. */
  backoffMs: 1_000,
  backoffMaxMs: 60_000,
  /** A `Retry-After` beyond this is given back to the caller instead of waited for. */
  retryAfterMaxMs: 300_000,
  /** Pages of one listing: 100,000 applications are 101 pages of 999, or 1,001 pages of the default 100. */
  pagesMax: 20_000,
  /** Pages of sign-in log read for one retire gate (at most 1,000 lines each). */
  signInPagesMax: 50,
  /** Pages of failed sign-ins read at one look, for each way to fail; the newest lines come first. */
  failurePagesMax: 25,
  /** Requests in flight per tenant and provider. */
  inFlightMax: 64,
  /** Size of a reference or connection file. */
  fileBytesMax: 64 * 1024,
} as const;
