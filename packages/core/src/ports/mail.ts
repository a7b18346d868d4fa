import type { SecretValue } from "../secret-value.ts";

/** A request that got no whole answer. `not-sent` only where it is certain that nothing left. */
export interface NoAnswer {
  readonly noAnswer: "not-sent" | "lost" | "deadline" | "aborted" | "too-large";
  readonly errorCode: string | null;
}

/** A mail server of the configuration. */
export interface MailServer {
  readonly host: string;
  readonly port: number;
  /** `none` only where loopback is allowed, to a loopback host. */
  readonly tls: "starttls" | "implicit" | "none";
  /** Signs in with these; null: the server takes mail from us without. */
  readonly account: { readonly user: string; readonly password: SecretValue } | null;
}

/** One mail to one person. */
export interface Mail {
  /** Message-ID without its angle brackets; the same in every attempt, so that a repeat can be recognised. */
  readonly id: string;
  /** What mails about the same matter refer to, so that they stand together; null: this one stands alone. */
  readonly thread: string | null;
  readonly from: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/** What the server said of a mail; `session`: it said so before it was asked about recipient or text. */
export interface MailAnswer {
  /** The server's own number; 250 when it has the mail. */
  readonly status: number;
  readonly refused: "nothing" | "recipient" | "message" | "session";
}

/** The way out over SMTP. */
export interface Mailer {
  /**
   * Hands one mail to the server, once. `lost`, `deadline` and `aborted` say that it may have the mail.
   * Throws HOST_REFUSED (TLS is left out where it may not be) and OUTSIDE_INVALID (an address that is none).
   */
  send(server: MailServer, mail: Mail, signal: AbortSignal): Promise<MailAnswer | NoAnswer>;
}
