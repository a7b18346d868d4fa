import type { Outcome } from "../http/exchange.ts";
import type { World } from "../world.ts";
import type { GraphCall } from "./call.ts";
import { graphFailure } from "./errors.ts";

const WINDOW_MS = 10_000;

const windows = new WeakMap<World, Map<string, number[]>>();

/** Graph docs, throttling-limits: reports take few requests per application and 10 s. Null to go on. */
export function limited({ world, incoming, claims }: GraphCall): Outcome | null {
  const limit = world.knobs.reportsPer10Seconds;
  if (limit === 0) return null;
  const { nowMs } = world.clock;
  const byCaller = windows.get(world) ?? new Map<string, number[]>();
  windows.set(world, byCaller);
  const recent = (byCaller.get(claims.appid) ?? []).filter((at) => at > nowMs - WINDOW_MS);
  byCaller.set(claims.appid, recent);
  if (recent.length < limit) {
    recent.push(nowMs);
    return null;
  }
  const waitMs = (recent[0] ?? nowMs) + WINDOW_MS - nowMs;
  const request = { status: 429, retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)), variant: "plain" } as const;
  return { reply: graphFailure(world, request, incoming), effect: false, code: "TooManyRequests" };
}
