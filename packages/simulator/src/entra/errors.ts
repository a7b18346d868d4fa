/** One row of the vendor's table of token errors (reference-error-codes). */
export interface TokenError {
  code: number;
  error: string;
  status: number;
  text: string;
}

const rows = [
  [
    7000215,
    "invalid_client",
    401,
    "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{app}'.",
  ],
  [
    7000222,
    "invalid_client",
    401,
    "The provided client secret keys for app '{app}' are expired. Visit the Azure portal to create new keys for your app, or consider using certificate credentials for added security.",
  ],
  [
    700016,
    "unauthorized_client",
    400,
    "Application with identifier '{app}' was not found in the directory '{tenant}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant.",
  ],
  [
    90002,
    "invalid_request",
    400,
    "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud.",
  ],
  [7000112, "unauthorized_client", 401, "Application '{app}' is disabled."],
  [
    7000218,
    "invalid_client",
    401,
    "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
  ],
  [900144, "invalid_request", 400, "The request body must contain the following parameter: '{parameter}'."],
  [70003, "unsupported_grant_type", 400, "The app requested an unsupported grant type '{parameter}'."],
  [
    70011,
    "invalid_scope",
    400,
    "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope '{parameter}' is not valid.",
  ],
  [90033, "temporarily_unavailable", 503, "A transient error has occurred. Please try again."],
  [90024, "temporarily_unavailable", 503, "A transient error has occurred during the request. Please try again."],
  [90006, "temporarily_unavailable", 503, "External server is retryable. Please try again."],
  [
    50196,
    "temporarily_unavailable",
    429,
    "The server terminated an operation because it encountered a client request loop.",
  ],
  [
    53003,
    "access_denied",
    400,
    "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
  ],
] as const satisfies readonly (readonly [number, string, number, string])[];

/** Codes by number. */
export const tokenErrors: ReadonlyMap<number, TokenError> = new Map(
  rows.map(([code, error, status, text]) => [code, { code, error, status, text }]),
);

export type TokenErrorCode = (typeof rows)[number][0];
