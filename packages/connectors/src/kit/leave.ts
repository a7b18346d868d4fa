import type { Clock, VerbContext } from "@countersign/core";

/**
 * What a call needs to leave the process: the domain clock for waits, the signal that ends it and, inside a run, the
 * lease check and the notice that an effect leaves. A `ReadContext` and a `VerbContext` both are one.
 */
export interface Leave {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Throws LEASE_LOST when this executor may not touch the outside any more. Absent outside a run. */
  assertAlive?(): void;
  /** Awaited right before an effect leaves. Absent where only reads leave. */
  readonly effectSent?: () => Promise<void>;
  /** Called when an effect was not refused: it stands, or may. */
  readonly effectMayStand?: () => void;
}

/** The part of a verb's context that a sweep over several attempts needs. */
export type SweepContext = Pick<VerbContext, "run" | "clock" | "signal" | "assertAlive" | "effectSent">;
