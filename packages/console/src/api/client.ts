import { createClient, ProblemError } from "@countersign/contract";

/** The API on this page's own origin; the session is an HttpOnly cookie that this code never sees. */
export const api = createClient(window.location.origin, window.fetch.bind(window));

/** What to tell a person about a failed call. */
export function messageOf(error: unknown): string {
  if (error instanceof ProblemError) return error.problem.detail ?? error.problem.title;
  return "The server did not answer as expected. Try again; if it stays so, look at the server's log.";
}

/** Whether a failed call means that nobody is signed in (any more). */
export function isSignedOut(error: unknown): boolean {
  return error instanceof ProblemError && error.problem.code === "NOT_SIGNED_IN";
}
