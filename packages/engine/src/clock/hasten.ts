import type { EngineClock } from "./clock.ts";

/** What was set going and is still due is set going again after so long (real time): it takes a moment until it is taken up. */
const againMs = 100;

/** Whether what is due now has to be set going: asked again and again while time waits for it, true once for an instant. */
export function hasten(clock: EngineClock): () => boolean {
  let instant = Number.NEGATIVE_INFINITY;
  let at = Number.NEGATIVE_INFINITY;
  return () => {
    const now = clock.now();
    if (instant === now && performance.now() - at < againMs) return false;
    instant = now;
    at = performance.now();
    return true;
  };
}
