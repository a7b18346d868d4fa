/**
 * The one way out over HTTP: host allowlist, deadline, retry class, budgets, schema at the edge, and errors without bodies.
 * Why not the vendors' clients: docs/decisions/0004-http-layer.md.
 */
import { randomUUID } from "node:crypto";
import { CountersignError, type ErrorCode, type NoAnswer, type RetryClass } from "@countersign/core";
import type { z } from "zod";
import { baseUrl } from "./addresses.ts";
import type { Budget } from "./budget.ts";
import { classOf, type Failure, identifier, outsideError } from "./errors.ts";
import type { Leave } from "./leave.ts";
import { limits } from "./limits.ts";
import { type Observe, observed } from "./reach.ts";
import { backoffMs, retryAfterMs } from "./retry.ts";
import type { TokenSource } from "./token.ts";
import { type Incoming, type Network, type Outgoing, Wire } from "./wire.ts";

/** A base URL from the configuration; the only things that can be called. */
export interface Endpoint {
  readonly base: URL;
  /** `path` below the base. */
  url(path: string, query?: Readonly<Record<string, string>>): URL;
  /** A link the server gave (`nextLink`): verbatim, but only below the same base. Throws HOST_REFUSED. */
  follow(link: string): URL;
}

/** How to read a vendor's error body: its code, and whether the same request may be sent again although it was refused. */
export type ErrorReader = (
  status: number,
  body: unknown,
  headers: Incoming["headers"],
  now: number,
) => {
  readonly code: unknown;
  readonly transient: boolean;
  /** Refused because of too many requests, by another status than 429; come back after so long. */
  readonly limitedMs?: number | undefined;
};

export interface Call<T> {
  /** Name of the call in errors and evidence, e.g. `application.addPassword`. */
  readonly name: string;
  readonly method: Outgoing["method"];
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly form?: Readonly<Record<string, string>>;
  readonly retry: RetryClass;
  /** Does it change anything outside? */
  readonly effect: boolean;
  /** Statuses that are an answer; all others are errors. */
  readonly expect: readonly number[];
  /** Schema of the answer; null when the body is of no interest. */
  readonly answer: z.ZodType<T> | null;
  /** The answer is a document and not JSON: its schema is given the text. */
  readonly isText?: boolean;
  readonly readError: ErrorReader;
  readonly budget: Budget;
  readonly token?: TokenSource;
  readonly attemptsMax?: number;
  /** How long nobody should call after this answer, in ms: the vendor says that the last request was spent. */
  readonly pauseMs?: (headers: Incoming["headers"], now: number) => number;
}

export interface Answer<T> {
  readonly status: number;
  readonly body: T;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** The vendor's id of the request, or ours when it gave none. */
  readonly requestId: string;
}

export interface Http {
  /** Registers a base URL of the configuration. Throws HOST_REFUSED. */
  endpoint(base: string): Endpoint;
  /** Sends a call. Throws OUTSIDE_*; an effect whose outcome cannot be known throws OUTSIDE_UNKNOWN. */
  call<T>(leave: Leave, call: Call<T>): Promise<Answer<T>>;
  close(): Promise<void>;
}

/** Failure of one try, with what the loop needs to decide. */
interface Tried extends Failure {
  readonly transient: boolean;
}

export function createHttp(settings: Network & { readonly version: string; readonly observe?: Observe }): Http {
  const wire = new Wire(settings);
  const userAgent = `countersign/${settings.version}`;

  async function attempt<T>(leave: Leave, call: Call<T>, freshToken: boolean): Promise<Answer<T> | Tried> {
    const token = await call.token?.token(leave, freshToken);
    const done = await call.budget.enter(leave);
    try {
      const ownId = randomUUID();
      const body = bodyOf(call);
      const outgoing: Outgoing = {
        method: call.method,
        url: call.url,
        headers: {
          accept: "application/json",
          "accept-encoding": "identity",
          "user-agent": userAgent,
          "client-request-id": ownId,
          "x-ms-client-request-id": ownId,
          ...(body === null
            ? {}
            : { "content-type": call.form ? "application/x-www-form-urlencoded" : "application/json" }),
          ...call.headers,
          ...(token === undefined ? {} : { authorization: `Bearer ${token.reveal()}` }),
        },
        body,
        freshConnection: call.retry === "once",
        signal: leave.signal,
      };
      if (call.effect) await leave.effectSent?.();
      leave.signal.throwIfAborted();
      // The lease is looked at last: whatever held us up before this line must not let a stale executor act.
      leave.assertAlive?.();
      const answer = await wire.send(outgoing);
      if ("noAnswer" in answer) return noted(leave, call, unanswered(call, answer));
      call.budget.observe(answer.headers["x-ms-throttle-limit-percentage"], leave.clock.now());
      const pauseMs = call.pauseMs?.(answer.headers, leave.clock.now()) ?? 0;
      if (pauseMs > 0) call.budget.pause(leave.clock.now() + Math.min(pauseMs, limits.retryAfterMaxMs));
      const sent = `${call.url.href} ${body ?? ""} ${token?.reveal() ?? ""}`;
      return noted(leave, call, read(call, answer, sent, ownId, leave.clock.now()));
    } finally {
      done();
    }
  }

  return {
    endpoint: (base) => endpoint(baseUrl(base, settings.loopback, settings.publicOnly)),
    close: () => wire.close(),
    call: (leave, call) => observed(settings.observe, call.url.origin, () => send(leave, call)),
  };

  async function send<T>(leave: Leave, call: Call<T>): Promise<Answer<T>> {
    const attemptsMax = call.retry === "once" ? 1 : (call.attemptsMax ?? limits.attemptsMax);
    let doubt: Tried | null = null;
    let renewed = false;
    for (let n = 1; ; n += 1) {
      let tried = await attempt(leave, call, false);
      if (!isFailure(tried)) return tried;
      if (tried.status === 401 && (tried.refused || !call.effect) && call.token !== undefined && !renewed) {
        // Refused before anything was done: our token had ended. One new token, then the refusal counts. A 401 that nobody
        // signed may come from anything in between: after it only what changes nothing is sent again.
        renewed = true;
        tried = await attempt(leave, call, true);
        if (!isFailure(tried)) return tried;
      }
      if (!tried.refused) doubt = tried;
      if (tried.code === "OUTSIDE_RATE_LIMITED")
        call.budget.pause(leave.clock.now() + Math.min(tried.retryAfterMs ?? 0, limits.retryAfterMaxMs));
      const waitMs = tried.retryAfterMs ?? backoffMs(n);
      if (!tried.transient || n >= attemptsMax || waitMs > limits.retryAfterMaxMs) {
        const certain = tried.refused && (!tried.transient || doubt === null);
        if (!call.effect || certain) throw outsideError(tried);
        throw outsideError(unknownOutcome(doubt ?? tried));
      }
      await leave.clock.sleep(waitMs, leave.signal);
    }
  }
}

/** An effect that was not refused in so many words may stand: what fails after it does not undo that. */
function noted<T>(leave: Leave, call: Call<T>, result: Answer<T> | Tried): Answer<T> | Tried {
  if (call.effect && !(isFailure(result) && result.refused)) leave.effectMayStand?.();
  return result;
}

function isFailure<T>(result: Answer<T> | Tried): result is Tried {
  return "refused" in result;
}

function endpoint(base: URL): Endpoint {
  const prefix = base.pathname.replace(/\/+$/, "");
  return {
    base,
    url(path, query = {}) {
      const url = new URL(`${base.origin}${prefix}${path}`);
      for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
      return inside(base, prefix, url);
    },
    follow(link) {
      if (!URL.canParse(link))
        throw new CountersignError("OUTSIDE_MALFORMED", "expected an absolute link to the next page, got another text");
      return inside(base, prefix, new URL(link));
    },
  };
}

function inside(base: URL, prefix: string, url: URL): URL {
  if (
    url.origin !== base.origin ||
    !(url.pathname === prefix || url.pathname.startsWith(`${prefix}/`)) ||
    url.username !== ""
  ) {
    throw new CountersignError("HOST_REFUSED", `expected a URL below ${base.origin}, got one elsewhere`);
  }
  return url;
}

function bodyOf(call: Call<unknown>): string | null {
  if (call.form !== undefined) return new URLSearchParams(call.form).toString();
  return call.json === undefined ? null : JSON.stringify(call.json);
}

function unanswered(call: Call<unknown>, answer: NoAnswer): Tried {
  const refused = answer.noAnswer === "not-sent";
  const certificate =
    refused && answer.errorCode !== null && /CERT|SELF_SIGNED|TLS|SSL|HOST_REFUSED|UNABLE_TO/.test(answer.errorCode);
  return {
    code:
      answer.errorCode === "HOST_REFUSED"
        ? "HOST_REFUSED"
        : answer.noAnswer === "too-large"
          ? "OUTSIDE_MALFORMED"
          : "OUTSIDE_UNAVAILABLE",
    call: call.name,
    status: null,
    vendorCode: answer.errorCode,
    requestId: null,
    refused,
    transient: !certificate && answer.noAnswer !== "aborted" && answer.noAnswer !== "too-large",
    retryAfterMs: null,
    message: `expected an answer to ${call.name}, got none (${answer.noAnswer})`,
  };
}

function read<T>(call: Call<T>, answer: Incoming, sent: string, ownId: string, now: number): Answer<T> | Tried {
  const requestId = identifier(answer.headers["request-id"] ?? answer.headers["x-ms-request-id"], sent) ?? ownId;
  const { status } = answer;
  if (call.expect.includes(status)) {
    if (call.answer === null) return { status, body: undefined as T, headers: answer.headers, requestId };
    const parsed = call.answer.safeParse(call.isText === true ? answer.text : jsonOf(answer.text));
    if (parsed.success) return { status, body: parsed.data, headers: answer.headers, requestId };
    const message = `expected the documented answer to ${call.name}, got another form`;
    return {
      code: "OUTSIDE_MALFORMED",
      call: call.name,
      status,
      vendorCode: null,
      requestId,
      refused: false,
      transient: true,
      retryAfterMs: null,
      message,
    };
  }
  const error = call.readError(status, jsonOf(answer.text), answer.headers, now);
  const vendorCode = identifier(error.code, sent);
  const limited = error.limitedMs !== undefined;
  const code: ErrorCode = limited ? "OUTSIDE_RATE_LIMITED" : classOf(status, error.transient);
  // A refusal is believed when the vendor signs it with a code of its own; a bare 4xx may come from anything in between.
  const refused = limited || status === 429 || (status >= 400 && status < 500 && status !== 408 && vendorCode !== null);
  return {
    code,
    call: call.name,
    status,
    vendorCode,
    requestId,
    refused,
    transient: limited || status === 429 || status === 408 || status >= 500 || error.transient,
    retryAfterMs: error.limitedMs ?? retryAfterMs(answer.headers["retry-after"], now),
    message: `expected ${call.name} to answer ${call.expect.join(" or ")}, got ${status}${vendorCode === null ? "" : ` ${vendorCode}`}`,
  };
}

/** JSON of an answer; a byte order mark before it is left out, as RFC 8259 allows. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text.startsWith("\uFEFF") ? text.slice(1) : text) as unknown;
  } catch {
    return undefined;
  }
}

function unknownOutcome(tried: Tried): Failure {
  return {
    ...tried,
    code: "OUTSIDE_UNKNOWN",
    refused: false,
    message: `expected to know what became of ${tried.call}, got no certain answer`,
  };
}
