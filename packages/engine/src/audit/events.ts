import { type HookEvent, type HookRule, hookRouter, type InventoryRow } from "@countersign/core";
import type { AddedOutOfBand, Store } from "../store/index.ts";
import { eventKeepMs, takeEvent } from "../triggers/take.ts";

/** Events that are taken at a time. */
const batchMax = 500;

/** What a directory's log is called among the ways in. No webhook's name has a colon. */
const wayInOf = (tenant: string) => `audit:${tenant}`;

/** What the rules of `audit.rules` see. The names are those of `GET /v1/audit-changes`. */
function eventOf(tenant: string, added: AddedOutOfBand): HookEvent {
  const { entry, at, objectId, holder, kinds, credentials, because, actorKind, actor } = added;
  return {
    id: `${entry} ${objectId}`,
    type: "directory.credential-added",
    source: tenant,
    subject: objectId,
    data: {
      entry,
      at: new Date(at).toISOString(),
      objectId,
      holder,
      kinds,
      credentials,
      because,
      actorKind,
      actor: actor ?? "",
    },
  };
}

/**
 * Makes an event of each credential that was added out of band, and lets the rules route it, as one that a webhook brings. Each is
 * taken once: what a crash has left is taken by the next look, and what a webhook has told of before proposes nothing.
 */
export function auditEvents(
  store: Pick<Store, "auditAdded" | "hookTake">,
  rules: readonly HookRule[],
  rows: () => readonly InventoryRow[],
): (tenant: string, now: number) => Promise<number> {
  const route = hookRouter(rules);
  return async (tenant, now) => {
    const name = wayInOf(tenant);
    let proposed = 0;
    // Without a rule nothing is to be decided, and nothing is forgotten: one that comes later sees the last days.
    while (rules.length > 0) {
      const found = await store.auditAdded(tenant, name, now - eventKeepMs, batchMax);
      for (const added of found) {
        const event = eventOf(tenant, added);
        const routed = route(
          event,
          rows().filter((row) => row.tenant === tenant),
        );
        const told = routed.kind === "propose" ? { ...routed, change: added.entry } : routed;
        const outcome = await takeEvent(store, { name, key: 0, requester: "system:audit" }, event, told, now);
        if (outcome === "proposed") proposed += 1;
      }
      if (found.length < batchMax) break;
    }
    return proposed;
  };
}
