import type { NoAnswer } from "@countersign/core";

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

/** The way out over HTTP, with the rules that hold for every connector: no redirects, guarded addresses, private CA, proxy, deadline. */
export interface Outside {
  /** An address of the configuration. Throws HOST_REFUSED. */
  base(address: string): URL;
  /** An address that is itself a secret, which may only name one of these hosts. Throws HOST_REFUSED, without the address. */
  secretAddress(address: string, hosts: readonly string[]): URL;
  /** One exchange. Never throws. */
  send(out: Outgoing): Promise<Answer>;
}
