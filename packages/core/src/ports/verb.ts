import type { Json } from "@countersign/evidence";
import type { z } from "zod";
import type { SecretValue } from "../secret-value.ts";

/** Domain time: windows, overlap, expiry, entry times, backoff. Liveness never uses it. */
export interface Clock {
  /** Now, in milliseconds since the epoch. */
  now(): number;
  /** Resolves when domain time has passed `ms`; rejects with the signal's reason when it is aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** A JSON object without secrets; goes to the journal and into evidence. */
export type Facts = { readonly [name: string]: Json };

/** How far a consumer or a written entry was shown to hold the new credential; each level includes those before it. */
export const verifyLevels = ["accepted", "metadata-changed", "value-matched", "used"] as const;
export type VerifyLevel = (typeof verifyLevels)[number];

/** How a call may be repeated: `safe` reads, `idempotent` writes, `once` = never without looking first. */
export type RetryClass = "safe" | "idempotent" | "once";

/** What a connector can honestly do. Shown to approvers; policy may refuse a plan for it. */
export interface Capabilities {
  /** Does `identify` return something that a name re-used by somebody else would not have? (I11) */
  readonly identity: "immutable" | "name-only";
  readonly readable: "value" | "fingerprint" | "metadata" | "none";
  readonly writeScope: "entry" | "whole-container";
  readonly concurrency: "token" | "timestamp" | "none";
  readonly verify: readonly VerifyLevel[];
  readonly valueBytesMax: number;
}

/** The answer of one outside act that is believed. */
export interface Done {
  /** Ids the outside gave to what was made or changed (keyId, version, request ids apart). */
  readonly objectIds: Facts;
  /** Other facts worth evidence: status, times, counts. No free text from the outside. */
  readonly facts: Facts;
  readonly requestIds: readonly string[];
  /** Only from a verb that `yields` one. */
  readonly value?: SecretValue;
}

/** What reading the outside says of an attempt whose outcome is not known. */
export type Reconciled =
  | { readonly kind: "done"; readonly done: Done }
  /**
   * It did not happen, or its value is lost: the verb may be tried again with a new attempt. `left` says what attempts of
   * this step were found to have made although nobody holds its value; the executor discards it, with an intent of its own.
   */
  | { readonly kind: "not-done"; readonly facts: Facts; readonly left?: readonly Left[] }
  /** It cannot be found out, and need not be: the same again does no harm. */
  | { readonly kind: "repeat" }
  /** Not believed either way yet; `lookAgainMs` of domain time from now. */
  | { readonly kind: "unknown"; readonly lookAgainMs: number; readonly facts: Facts };

/** What one attempt was found to have left behind. */
export interface Left {
  readonly attempt: number;
  readonly objectIds: Facts;
}

export type Verified =
  | { readonly kind: "verified"; readonly level: VerifyLevel; readonly facts: Facts }
  /** Not yet: look again after `lookAgainMs` of domain time, until the step's deadline. */
  | { readonly kind: "not-yet"; readonly lookAgainMs: number; readonly facts: Facts }
  /** Shown to be wrong (another writer, another value): never retried. */
  | { readonly kind: "refuted"; readonly code: string; readonly facts: Facts };

/** A journaled attempt as its verb sees it after a crash. */
export interface PastAttempt {
  readonly attempt: number;
  /** The attempt's committed nonce, as in its marker. */
  readonly nonce: string;
  readonly direction: "do" | "undo" | "discard";
  readonly intent: Facts;
  readonly outcome: "done" | "failed" | "unknown" | null;
  readonly objectIds: Facts;
  readonly facts: Facts;
  /** Domain time at which the intent was committed, ms. */
  readonly intentAt: number;
}

/** A person's word that a step was done by hand, while it stands. */
export interface Confirmation {
  readonly person: string;
  /** Domain time at which it was given, ms. */
  readonly at: number;
}

/**
 * The way out for a verb. Every call passes the lease check and a deadline (design: lease and self-fencing).
 * `act` is used at most once per attempt and only after the executor has committed the intent.
 */
export interface VerbContext {
  readonly run: string;
  readonly tenantId: string;
  readonly step: string;
  readonly attempt: number;
  readonly direction: "do" | "undo" | "discard";
  readonly clock: Clock;
  /** This attempt's committed 128-bit nonce (hex): goes into the marker of whatever is created. */
  readonly nonce: string;
  /** `cs:<run>:<attempt>:<nonce>`: the marker that everything we create carries for ever (I3). */
  readonly marker: string;
  readonly signal: AbortSignal;
  /** All attempts of this step, oldest first. */
  readonly past: readonly PastAttempt[];
  /** What another step of this run made; undefined when it is not done. */
  outcomeOf(step: string): Done | undefined;
  /** Whether a person has confirmed that a step was done (or put back) by hand; null when nobody has, or took it back. */
  confirmed(step: string, direction: "do" | "undo"): Promise<Confirmation | null>;
  /** The value held in memory for this run (from the verb that yields it); throws VALUE_NOT_HELD when there is none. */
  value(): SecretValue;
  /** Throws LEASE_LOST unless the last accepted beat is fresh. Verbs call it right before a request leaves; the HTTP kit does so by itself. */
  assertAlive(): void;
  /** Says that a request is an effect (not a read), just before it leaves; test probes hang on it. */
  readonly effectSent: () => Promise<void>;
  /** Says that an effect was not refused: it stands, or may, whatever fails after it. The HTTP kit does so by itself. */
  readonly effectMayStand?: () => void;
}

/**
 * One verb of a connector, `name@major`. Parameters and identity come from the plan and nowhere else.
 * A verb never decides order, retries no `once` call and swallows no error.
 */
export interface Verb<P = unknown> {
  readonly id: string;
  /** The connector that offers it, with its exact version (goes into evidence per step). */
  readonly connector: { readonly id: string; readonly version: string };
  readonly params: z.ZodType<P>;
  /** `create` leaves a value in memory only; `publish` makes the value durable in the system of record. */
  readonly value: "yields" | "stores" | "uses" | "none";
  /** `look` verbs change nothing outside (prove, confirm): no effect is journaled as intent of change. */
  readonly effect: "change" | "look";
  readonly retry: RetryClass;
  /** A person does it by hand and confirms: `do` only asks; it is undone by a person's confirmation, and waited for. */
  readonly asks?: true;
  /**
   * Its target follows the record by itself, at the latest after so long (ms): it may hold what the record held even where
   * this step was never done. Undone after the record was.
   */
  readonly follows?: { readonly withinMs: number };
  /**
   * There is one place for what it makes: each attempt replaces what the one before has made. So no other attempt may be
   * made while a stalled holder may still publish the value of an earlier one.
   */
  readonly replaces?: true;
  /** The call's name in journal and evidence, e.g. `application.addPassword`. */
  readonly call: string;
  /** Reads back the target's immutable identity; the executor compares it with the plan's before do, undo and discard. */
  identify(ctx: VerbContext, params: P): Promise<Facts>;
  /** Facts committed with the intent (no secrets), before anything leaves. */
  intent?(ctx: VerbContext, params: P): Facts;
  do(ctx: VerbContext, params: P): Promise<Done>;
  /** Asked after `unknown` or after a crash between intent and outcome, of the direction `do`. Required for `once`. It only looks. */
  reconcile?(ctx: VerbContext, params: P): Promise<Reconciled>;
  verify?(ctx: VerbContext, params: P, done: Done): Promise<Verified>;
  /** Reverses the step; twice is once. */
  undo?(ctx: VerbContext, params: P, done: Done): Promise<Done>;
  /** For steps that cannot be undone: may it be done now? A shut gate never retires. */
  gate?(ctx: VerbContext, params: P): Promise<GateReading>;
  /** Takes away what an attempt made whose value was lost before it was stored; twice is once. For `yields` verbs. */
  discard?(ctx: VerbContext, params: P, objectIds: Facts): Promise<Done>;
}

/** How sure we are that nobody uses the old credential any more. */
export type Grade = "strong" | "weak" | "none";

/** What the retire gate saw. `open: false` never retires. */
export interface GateReading {
  readonly grade: Grade;
  readonly open: boolean;
  /** Closed codes, e.g. `old-key-used`, `report-unavailable`, `quiet-too-short`. */
  readonly reasons: readonly string[];
  readonly facts: Facts;
}
