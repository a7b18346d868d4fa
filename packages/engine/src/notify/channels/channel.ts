import type { Facts, NoAnswer } from "@countersign/core";
import type { TakenDelivery } from "../../store/index.ts";
import type { Message } from "../message.ts";
import type { Answer } from "../outside.ts";

/** What came of one attempt. */
export interface Sent {
  readonly outcome: "done" | "failed" | "unknown";
  /** Short code; null when it arrived. */
  readonly code: string | null;
  /** The outside's own number; null without an answer. */
  readonly status: number | null;
  /** The outside says when to come again, domain ms from now. */
  readonly retryAfterMs: number | null;
  /** Another attempt would end the same way. */
  readonly final: boolean;
  /** Says something about the channel, not only about this recipient or message. */
  readonly ofChannel: boolean;
}

/** A delivery on its way out. */
export interface Sending {
  readonly taken: TakenDelivery;
  /** The same in every attempt. */
  readonly facts: Facts;
  readonly message: Message;
  readonly now: number;
  readonly signal: AbortSignal;
}

/** One way to tell somebody. */
export interface Channel {
  readonly name: string;
  readonly kind: "webhook" | "slack" | "teams" | "mail" | "jira" | "servicenow";
  /** Longest that one attempt can take, real ms. */
  readonly busyMsMax: number;
  /** Tries once. Never throws: a dead channel must not block anything. */
  send(sending: Sending): Promise<Sent>;
}

export const arrived: Sent = {
  outcome: "done",
  code: null,
  status: null,
  retryAfterMs: null,
  final: true,
  ofChannel: true,
};

/** A failure of the channel that may pass. */
export function failure(code: string, more: Partial<Sent> = {}): Sent {
  return { outcome: "failed", code, status: null, retryAfterMs: null, final: false, ofChannel: true, ...more };
}

/** What an HTTP exchange that was no success says. `final`: statuses after which this very message is given up. */
export function notArrived(answer: Answer, now: number, final: readonly number[]): Sent {
  if ("noAnswer" in answer) return noAnswer(answer);
  const { status } = answer;
  return failure(status === 429 ? "throttled" : `status-${status}`, {
    status,
    retryAfterMs: retryAfterMs(answer.headers["retry-after"], now),
    final: final.includes(status),
    // A message of which it cannot make sense says nothing about the channel.
    ofChannel: !final.includes(status),
  });
}

/** An exchange without an answer: whether it arrived is known only where nothing left. */
export function noAnswer({ noAnswer: why }: NoAnswer): Sent {
  return why === "not-sent" ? failure("not-reached") : failure(`no-answer-${why}`, { outcome: "unknown" });
}

/** Longest pause that a channel may ask for. */
const pauseMsMax = 24 * 60 * 60_000;

function retryAfterMs(header: string | undefined, now: number): number | null {
  const value = header?.trim() ?? "";
  const ms = /^\d{1,9}$/.test(value)
    ? Number(value) * 1_000
    : /^[A-Z][a-z]{2}, /.test(value)
      ? Date.parse(value) - now
      : Number.NaN;
  return Number.isNaN(ms) ? null : Math.min(pauseMsMax, Math.max(0, ms));
}
