import type { FailureRequest, Operation } from "../http/exchange.ts";
import type { World } from "../world.ts";

/** What the knobs decided for one call. */
export interface Mischief {
  /** Answer with this and do nothing. */
  before: FailureRequest | null;
  /** Do it, then lose the reply. */
  lost: "reset" | "504" | null;
  delayMs: number;
}

/** Draws from the stream of this operation, so that other operations do not shift its faults. */
export function drawMischief(world: World, operation: Operation): Mischief {
  const { knobs } = world;
  const random = world.random(`fault:${operation.op}`);
  const delayMs = random.chance(knobs.slow) ? Math.round(random.between(knobs.slowMs)) : 0;
  const fail = (status: number, retryAfterSeconds: number | null, variant: FailureRequest["variant"]): Mischief => ({
    before: { status, retryAfterSeconds, variant },
    lost: null,
    delayMs,
  });

  if (random.chance(knobs.throttle)) return fail(429, Math.round(random.between(knobs.retryAfterSeconds)), "plain");
  if (random.chance(knobs.serverError)) return fail(random.pick([500, 503]), null, "plain");
  if (operation.concurrency !== undefined) {
    const sinceMs = world.clock.nowMs - operation.concurrency.lastWriteMs;
    const recent = sinceMs < knobs.concurrencyWindowSeconds * 1000;
    if (random.chance(recent ? Math.max(knobs.concurrencyAfterWrite, knobs.concurrency) : knobs.concurrency)) {
      // All three were seen for one text: 409 in most reports, 503 and 400 in some.
      return fail(random.pick([409, 409, 409, 503, 400]), random.chance(0.5) ? 1 : null, "concurrency");
    }
  }
  if (operation.write && random.chance(knobs.lostReply)) {
    return { before: null, lost: random.pick(["reset", "504"]), delayMs };
  }
  return { before: null, lost: null, delayMs };
}
