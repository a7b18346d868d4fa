import type { SecretValue } from "@countersign/core";

/** One request of a channel. */
export interface Outgoing {
  readonly method: "GET" | "POST" | "PATCH";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  readonly signal: AbortSignal;
}

/** An answer, or why there was none; `not-sent` only where it is certain that nothing left. */
export type Answer =
  | { readonly status: number; readonly headers: Readonly<Record<string, string | undefined>>; readonly text: string }
  | NoAnswer;

export interface NoAnswer {
  readonly noAnswer: "not-sent" | "lost" | "deadline" | "aborted" | "too-large";
  readonly errorCode: string | null;
}

/** The way out over HTTP, with the rules that hold for every connector: no redirects, guarded addresses, private CA, proxy, deadline. */
export interface Outside {
  /** An address of the configuration. Throws HOST_REFUSED. */
  base(address: string): URL;
  /** An address that is itself a secret, which may only name one of these hosts. Throws HOST_REFUSED, without the address. */
  secretAddress(address: string, hosts: readonly string[]): URL;
  /** One exchange. Never throws. */
  send(out: Outgoing): Promise<Answer>;
}

/** A mail server of the configuration. */
export interface MailServer {
  readonly host: string;
  readonly port: number;
  readonly tls: "starttls" | "implicit" | "none";
  /** Null: the server takes mail from us without a sign-in. */
  readonly account: { readonly user: string; readonly password: SecretValue } | null;
}

/** One mail to one person. */
export interface Mail {
  /** Message-ID without its angle brackets. */
  readonly id: string;
  /** What mails about the same run refer to; null: this one stands alone. */
  readonly thread: string | null;
  readonly from: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/** What the server said; `session`: before it was asked about recipient or text. */
export interface MailAnswer {
  readonly status: number;
  readonly refused: "nothing" | "recipient" | "message" | "session";
}

/** The way out over SMTP. Throws HOST_REFUSED and OUTSIDE_INVALID. */
export interface Mailer {
  send(server: MailServer, mail: Mail, signal: AbortSignal): Promise<MailAnswer | NoAnswer>;
}
