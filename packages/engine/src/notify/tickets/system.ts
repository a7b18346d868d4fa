import type { SecretValue } from "@countersign/core";
import type { z } from "zod";
import { notArrived, type Sent } from "../channels/channel.ts";
import type { Outgoing, Outside } from "../outside.ts";

/** A ticket as its system has it. */
export interface FoundTicket {
  readonly id: string;
  /** What people call it. */
  readonly key: string;
  /** Page for people. */
  readonly url: string | null;
  readonly closed: boolean;
}

/** What every ticket system offers; each call is one exchange with it. Errors: {@link TicketFailure}. */
export interface TicketSystem {
  readonly kind: "jira" | "servicenow";
  /** So long a new ticket may be missing from `find`, domain ms. */
  readonly lagMs: number;
  /** Tickets with this correlation key, the oldest first. */
  find(key: string, ctx: TicketContext): Promise<FoundTicket[]>;
  create(key: string, title: string, text: string, ctx: TicketContext): Promise<FoundTicket>;
  /** Null when there is no such ticket (any more). */
  read(id: string, ctx: TicketContext): Promise<FoundTicket | null>;
  /** Whether the ticket holds the entry already. */
  hasEntry(id: string, entry: string, ctx: TicketContext): Promise<boolean>;
  append(id: string, entry: string, text: string, ctx: TicketContext): Promise<void>;
  close(id: string, ctx: TicketContext): Promise<void>;
}

/** Stands at the end of each entry, so that after a lost answer it is seen whether the entry is there. */
export function entryMarker(entry: string): string {
  return `[countersign ${entry}]`;
}

export interface TicketContext {
  readonly now: number;
  readonly signal: AbortSignal;
}

/** An exchange that did not do what it should; says how it went. */
export class TicketFailure extends Error {
  readonly sent: Sent;

  constructor(sent: Sent) {
    super(`expected the ticket system to answer, got ${sent.code ?? "nothing"}`);
    this.name = "TicketFailure";
    this.sent = sent;
  }
}

interface Exchange<T> {
  readonly method: Outgoing["method"];
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  /** Statuses that are an answer. */
  readonly expect: readonly number[];
  /** Form of the answer; null when it is of no interest. */
  readonly answer: z.ZodType<T> | null;
}

/** JSON over HTTP with basic authentication, as both systems take it. */
export function ticketClient(options: {
  readonly outside: Outside;
  readonly url: string;
  readonly user: string;
  readonly password: () => SecretValue;
}) {
  const { outside } = options;
  return async function exchange<T>(call: Exchange<T>, ctx: TicketContext): Promise<{ status: number; body: T }> {
    const base = outside.base(options.url);
    const url = new URL(`${base.origin}${base.pathname.replace(/\/+$/, "")}${call.path}`);
    for (const [name, value] of Object.entries(call.query ?? {})) url.searchParams.set(name, value);
    const credentials = Buffer.from(`${options.user}:${options.password().reveal()}`, "utf8").toString("base64");
    const answer = await outside.send({
      method: call.method,
      url,
      headers: {
        accept: "application/json",
        authorization: `Basic ${credentials}`,
        ...(call.json === undefined ? {} : { "content-type": "application/json" }),
      },
      body: call.json === undefined ? null : JSON.stringify(call.json),
      signal: ctx.signal,
    });
    if (!("status" in answer) || !call.expect.includes(answer.status))
      throw new TicketFailure(notArrived(answer, ctx.now, [400, 413]));
    const { status } = answer;
    if (call.answer === null) return { status, body: undefined as T };
    const parsed = call.answer.safeParse(jsonOf(answer.text));
    if (parsed.success) return { status, body: parsed.data };
    // A sleeping instance answers 200 with a page: what was done is not known.
    throw new TicketFailure({
      outcome: "unknown",
      code: "not-the-documented-answer",
      status,
      retryAfterMs: null,
      final: false,
      ofChannel: true,
    });
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
