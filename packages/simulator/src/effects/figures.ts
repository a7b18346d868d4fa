import type { World } from "../world.ts";

/** Filled in by the figures of applications and databases. */
export function figures(world: World): Record<string, unknown> {
  return { now: new Date(world.clock.nowMs).toISOString() };
}
