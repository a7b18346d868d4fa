import { randomBytes } from "node:crypto";
import { CountersignError, type Done, type PastAttempt, type SecretValue, type VerbContext } from "@countersign/core";
import type { EngineClock } from "../clock/clock.ts";
import type { Lease } from "./lease.ts";
import type { Pauses } from "./pauses.ts";

/** 128 random bits, hex: the nonce of one attempt, committed with its intent before anything leaves. */
export function newNonce(): string {
  return randomBytes(16).toString("hex");
}

/** What every credential we create carries for ever (I3). */
export function markerOf(run: string, attempt: number, nonce: string): string {
  return `cs:${run}:${attempt}:${nonce}`;
}

/** Values of runs in flight: in memory of this process only, and gone with it (I7). */
export class HeldValues {
  readonly #values = new Map<string, SecretValue>();

  hold(run: string, value: SecretValue): void {
    this.#values.set(run, value);
  }

  has(run: string): boolean {
    return this.#values.has(run);
  }

  get(run: string): SecretValue {
    const value = this.#values.get(run);
    if (value === undefined)
      throw new CountersignError("VALUE_NOT_HELD", `expected the new value of ${run} in memory, got none`);
    return value;
  }

  drop(run: string): void {
    this.#values.delete(run);
  }
}

/** What the steps of one dispatched run share. */
export interface StepServices {
  readonly clock: EngineClock;
  readonly lease: Lease;
  readonly held: HeldValues;
  readonly pauses: Pauses;
  readonly build: string;
}

/** Everything a verb may see of one attempt. */
export function verbContext(
  services: StepServices,
  at: {
    readonly run: string;
    readonly tenantId: string;
    readonly step: string;
    readonly attempt: number;
    readonly direction: VerbContext["direction"];
    readonly nonce: string;
    readonly past: readonly PastAttempt[];
    readonly outcomeOf: (step: string) => Done | undefined;
    readonly confirmed: VerbContext["confirmed"];
  },
): VerbContext {
  return {
    ...at,
    clock: services.clock,
    signal: services.lease.signal,
    marker: markerOf(at.run, at.attempt, at.nonce),
    value: () => services.held.get(at.run),
    assertAlive: () => services.lease.assertAlive(),
    effectSent: async () => {},
  };
}
