/** Every error code of the product, once: what it means and what to do. docs/errors.md is made from this table. */
export const errorCodes = {
  CONFIG_INVALID: "A configuration file is not valid. Mend the place that the message names.",
  INVENTORY_INVALID: "The inventory file is not valid. Mend the place that the message names.",
  POLICY_INVALID: "The policy file is not valid. Mend the place that the message names.",
  TRUST_INVALID:
    "The trust file is missing or not valid. Run `countersign init`, or restore it from where you keep it.",
  SECRET_REFERENCE_INVALID:
    "A secret reference cannot be read. Check the file, its mode (0600) or the environment variable.",
  INPUT_INVALID: "A request is not valid. Mend the field that the message names.",
  NOT_FOUND: "There is no such thing, or you may not see it. Check the name, or ask somebody who may.",
  NOT_SIGNED_IN: "This needs a session, and there is none. Sign in first.",
  FORBIDDEN: "Your roles do not allow this. Ask somebody who holds one that does.",
  CONFLICT: "Something changed in the meantime. Read it again and decide anew.",
  RATE_LIMITED: "Too many requests. Wait as long as `Retry-After` says.",
  STATE_CONFLICT: "The run is not in a state that allows this. Look at its page.",
  STALE_FENCE: "Another executor took this run over. Nothing was written; the other one goes on.",
  LEASE_LOST: "This executor's lease is not fresh. It stops before touching anything; another one takes over.",
  LOCK_HELD: "Another run holds the application or the target. It starts when that run has ended.",
  PLAN_BLOCKED: "Validation found a reason not to rotate. The findings name it.",
  PLAN_DRIFTED: "The world differs from the approved plan. The approvals are void; a new plan was made.",
  AUTHORISATION_INVALID: "The approvals do not authorise this plan. The reasons name which check failed.",
  POLICY_UNTRUSTED: "The policy is not the one the trust file names. Activate it with `countersign policy activate`.",
  INVENTORY_UNTRUSTED:
    "The inventory row differs from the accepted source. Accept it with `countersign inventory accept`.",
  IDENTITY_MISMATCH: "The target is not the one in the plan. Nothing was written. Find out what replaced it.",
  SCOPE_REFUSED:
    "The target lies outside the connection's scope. Widen the scope in the configuration if it should not.",
  VALUE_NOT_HELD: "The new value was lost before it was stored. The step is done again by itself.",
  VERB_UNKNOWN: "This build lacks a verb that the plan needs. Start the build that has it.",
  OUTSIDE_AUTH: "An outside system refused our sign-in. Check our credential for it.",
  OUTSIDE_FORBIDDEN:
    "An outside system refused the act. Grant the permission that the docs page of the connector names.",
  OUTSIDE_NOT_FOUND: "An outside object does not exist (any more). Find out who removed it; the run's page names it.",
  OUTSIDE_CONFLICT:
    "An outside system reports a concurrent change. Find out who else writes there, then let the run go on.",
  OUTSIDE_INVALID:
    "An outside system refused our request as invalid. Compare the target with the connector's docs page; nothing was changed.",
  OUTSIDE_RATE_LIMITED: "An outside system asks us to wait. The call is made again after the time that it named.",
  OUTSIDE_UNAVAILABLE:
    "An outside system is not available. Look at its own status; the run's page says what happens next.",
  OUTSIDE_UNKNOWN: "The outcome of an outside call is not known. It is looked up before anything else happens.",
  OUTSIDE_MALFORMED: "An outside system answered in a form we do not know. Nothing was concluded from it.",
  HOST_REFUSED: "A host or address is not allowed by the configuration. Check it, or allow it there.",
  CREDENTIAL_REFUSED:
    "The credential does not sign in. The run's page names which one was tried and what happens next.",
  DEADLINE_PASSED:
    "A step did not come to an end within its deadline. Its attempts on the run's page say how far it came.",
  UNDO_IMPOSSIBLE: "A step cannot be undone safely. The run holds with both credentials valid; a person decides.",
  CLOCK_SKEWED: "System clock and database clock differ by more than 30 s. No effects until they agree.",
  LOG_BEHIND: "The log is shorter than this host has seen: a restored database. Read-only until it is reconciled.",
  LOG_INVALID: "The evidence log is not consistent. Nothing is signed and nothing executed.",
  RECORD_UNSIGNED: "The executor has not signed the run's summary yet. See that it runs, then export the bundle again.",
  DATABASE_UNAVAILABLE: "The database cannot be reached. No outside effect happens while it is away.",
  LIMIT_EXCEEDED: "A limit was exceeded. The message names the limit.",
  READ_ONLY: "The installation is in read-only mode. Look at `countersign status`: it says why, and what ends it.",
  API_UNREACHABLE: "The product does not answer at this address. See that it runs, and that `--url` names it.",
  FILE_UNUSABLE: "A file that was named cannot be read or written. Check its path, its rights and the disk.",
  UNEXPECTED: "Something failed that nobody foresaw. The service's log holds it under the request's id.",
} as const;

export type ErrorCode = keyof typeof errorCodes;

/** An error of the product: a code of the closed list and a sentence of the form "expected X, got Y". Never holds a secret. */
export class CountersignError extends Error {
  readonly code: ErrorCode;
  /** Ids and numbers that help; no free text from outside systems. */
  readonly facts: Readonly<Record<string, string | number | boolean | null>>;

  constructor(
    code: ErrorCode,
    message: string,
    facts: Readonly<Record<string, string | number | boolean | null>> = {},
  ) {
    super(message);
    this.name = "CountersignError";
    this.code = code;
    this.facts = facts;
  }
}

/** Whether `error` is ours, with one of `codes` when any are given. */
export function isCode(error: unknown, ...codes: readonly ErrorCode[]): error is CountersignError {
  return error instanceof CountersignError && (codes.length === 0 || codes.includes(error.code));
}

/** The code of an error of ours; of any other nothing is known. */
export function codeOf(error: unknown): ErrorCode {
  return error instanceof CountersignError ? error.code : "UNEXPECTED";
}

/** Our own code and message, or a name only: the text of any other error may hold what an outside system said. */
export function describe(error: unknown): string {
  if (error instanceof CountersignError) return `${error.code}: ${error.message}`;
  return error instanceof Error ? error.name : "unknown";
}
