import { type EngineClock, systemClock, virtualClock } from "@countersign/engine";
import type { Installation } from "./load.ts";

/** The clock of the configuration: virtual only where profile and loopback allow it (checked by core's parseConfig). */
export function openClock({ config }: Installation, warn: (message: string) => void): Promise<EngineClock> {
  return config.clock === null ? Promise.resolve(systemClock()) : virtualClock(config.clock.url, warn);
}
