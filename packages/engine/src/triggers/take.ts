import { randomBytes } from "node:crypto";
import type { HookEvent, Routed } from "@countersign/core";
import { canonicalBytes } from "@countersign/evidence";
import { runRequest } from "../scan/request.ts";
import type { HookOutcome, Store } from "../store/index.ts";

/** An event is remembered so long: far longer than anybody sends it again. */
export const eventKeepMs = 30 * 86_400_000;

/** Where an event came in. */
export interface WayIn {
  /** Name of the webhook, or of the directory's log. */
  readonly name: string;
  /** Which of its keys vouched for it, counted from 0. */
  readonly key: number;
  readonly requester: "system:webhook" | "system:audit";
}

/** What the rules have made of an event is written down once, with the request it leads to. It is the most that an event can do. */
export async function takeEvent(
  store: Pick<Store, "hookTake">,
  from: WayIn,
  event: HookEvent,
  routed: Routed,
  at: number,
): Promise<HookOutcome> {
  const { rule } = routed;
  const because = `${from.name}: ${event.type.slice(0, 200)}, event ${event.id}, rule ${(rule ?? 0) + 1}`;
  const proposes = routed.kind === "propose";
  const { requester } = from;
  const reason = reasonBytes(because);
  const named = proposes && routed.credential !== null ? { named: routed.credential } : {};
  const taken = await store.hookTake({
    hook: from.name,
    id: event.id,
    type: event.type,
    key: from.key,
    outcome: proposes ? "proposed" : routed.kind === "ignore" ? "ignored" : routed.kind,
    rule,
    // The same of another application is another change: one entry may be about several.
    change: proposes && routed.change !== null ? `${routed.row.tenant} ${routed.row.name} ${routed.change}` : null,
    request: proposes ? runRequest(routed.row, { trigger: "event", requester, reason, at, ...named }) : null,
    at,
    keepMs: eventKeepMs,
  });
  return taken.outcome;
}

/** A reason as it is kept: the salt keeps a short text from being guessed from its digest once the attachment has been erased. */
export function reasonBytes(text: string): Uint8Array {
  return canonicalBytes({ salt: randomBytes(16).toString("base64url"), text });
}
