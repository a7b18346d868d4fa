import { randomUUID } from "node:crypto";
import type { Target } from "../http/exchange.ts";
import type { HoldPosition } from "./holds.ts";

/**
 * What goes wrong. Bodies are damaged only where there is one; a number is an HTTP status, and `-concurrency` gives it the
 * text with which the directory refuses writes that collide (409 has it always). `cancelled` is one statement's, of PostgreSQL.
 */
export const faultKinds = [
  "timeout",
  "reset",
  "slow",
  "400",
  "401",
  "403",
  "404",
  "400-concurrency",
  "409",
  "429",
  "500",
  "502",
  "503",
  "503-concurrency",
  "504",
  "malformed",
  "truncated",
  "empty",
  "wrong-types",
  "oversized",
  "hostile",
  "cancelled",
] as const;

export type FaultKind = (typeof faultKinds)[number];

/** Which calls a rule is about. Every field given must fit. */
export interface Match {
  path?: string;
  appId?: string;
  secret?: string;
  vault?: string;
  /** App Service app. */
  site?: string;
  /** Variable group's number (Azure DevOps). */
  group?: string;
  caller?: string;
  role?: string;
  /** Part of the SQL text (PostgreSQL). */
  text?: string;
}

/** A fault or a hold armed over the management port. */
export interface Rule {
  id: string;
  op: string;
  /** Fires first at the nth matching call after arming, from 1. */
  nth: number;
  /** How often it fires; Infinity = for ever. */
  times: number;
  match: Match;
  action:
    | {
        type: "fault";
        position: "before-effect" | "after-effect";
        kind: FaultKind;
        retryAfterSeconds: number | null;
        delayMs: number;
      }
    | { type: "hold"; position: HoldPosition };
  /** Matching calls seen, and firings. */
  seen: number;
  fired: number;
}

/** What is known of a call when rules are asked. */
export interface CallFacts {
  op: string;
  path: string;
  caller: string | null;
  target: Target;
}

/** Armed faults and holds, in the order of arming; the first that fires wins. */
export class Rules {
  readonly #rules = new Map<string, Rule>();

  arm(rule: Omit<Rule, "id" | "seen" | "fired">): Rule {
    const armed: Rule = { ...rule, id: randomUUID(), seen: 0, fired: 0 };
    this.#rules.set(armed.id, armed);
    return armed;
  }

  disarm(id: string): boolean {
    return this.#rules.delete(id);
  }

  clear(): void {
    this.#rules.clear();
  }

  list(): Rule[] {
    return [...this.#rules.values()];
  }

  /** Counts the call against every rule and returns those that fire: at most one fault and one hold per position. */
  fire(facts: CallFacts): Rule[] {
    const firing: Rule[] = [];
    for (const rule of this.#rules.values()) {
      if (!fits(rule, facts)) continue;
      rule.seen += 1;
      if (rule.seen < rule.nth || rule.fired >= rule.times) continue;
      if (firing.some((other) => sameSlot(other, rule))) continue;
      rule.fired += 1;
      firing.push(rule);
    }
    return firing;
  }
}

function sameSlot(a: Rule, b: Rule): boolean {
  if (a.action.type !== b.action.type) return false;
  return a.action.type === "fault" || a.action.position === b.action.position;
}

function fits(rule: Rule, facts: CallFacts): boolean {
  if (rule.op !== "*" && rule.op !== facts.op) return false;
  const { path, caller, text, ...exact } = rule.match;
  if (path !== undefined && !facts.path.includes(path)) return false;
  if (caller !== undefined && facts.caller !== caller) return false;
  if (text !== undefined && !String(facts.target.text ?? "").includes(text)) return false;
  return Object.entries(exact).every(([key, value]) => value === undefined || facts.target[key] === value);
}
