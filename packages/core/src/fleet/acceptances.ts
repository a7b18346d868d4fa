/**
 * What people have said about a finding of the fleet: the newest acceptance of it, as far as it still means something. It
 * quiets the finding in lists and counts; no validation reads it.
 */
export const acceptanceStates = [
  /** Nobody has asked, or it was withdrawn. */
  "none",
  /** Asked for; a second person has yet to confirm it. The finding counts. */
  "asked",
  /** Accepted until a date. The finding does not count. */
  "accepted",
  /** It was accepted, and the date has passed. The finding counts. */
  "expired",
  /** Something else was accepted than is seen now. The finding counts. */
  "changed",
] as const;
export type AcceptanceState = (typeof acceptanceStates)[number];

/** Nothing is accepted for longer, whatever the configuration says; days. */
export const acceptanceDaysMax = 366;
