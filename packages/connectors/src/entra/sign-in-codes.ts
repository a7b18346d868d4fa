/**
 * What a refusal of the token endpoint says about the secret that was tried. Numbers and meanings: Microsoft identity
 * platform, "Microsoft Entra authentication and authorization error codes". A number that is not listed proves nothing.
 */
export type SignInVerdict = "retry" | "fail" | "inconclusive";

export const signInCodes: Readonly<Record<string, SignInVerdict>> = {
  /** Wrong secret, or one that has not reached this replica yet. */
  AADSTS7000215: "retry",
  /** All secrets that match have expired. */
  AADSTS7000222: "fail",
  /** Application not found in the tenant. */
  AADSTS700016: "fail",
  /** Tenant not found. */
  AADSTS90002: "fail",
  /** Application disabled. */
  AADSTS7000112: "fail",
  /** No secret in the request: a fault of ours. */
  AADSTS7000218: "fail",
  /** A parameter is missing: a fault of ours. */
  AADSTS900144: "fail",
  /** Passing trouble of the service. */
  AADSTS90033: "retry",
  AADSTS90024: "retry",
  AADSTS90006: "retry",
  AADSTS50196: "retry",
  /** Blocked by Conditional Access: the secret may well be right. */
  AADSTS53003: "inconclusive",
  AADSTS530032: "inconclusive",
};

/** Refusals that are about the secret itself: it is wrong, or every one that fits has expired. */
export const secretRefusals: ReadonlySet<string> = new Set(["AADSTS7000215", "AADSTS7000222"]);

/** The verdict on a code; what we do not know is inconclusive, never a success. */
export function verdictOf(code: string | null): SignInVerdict {
  return (code === null ? undefined : signInCodes[code]) ?? "inconclusive";
}
