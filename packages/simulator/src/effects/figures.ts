import { isoTime } from "../time.ts";
import type { World } from "../world.ts";
import { heldTexts } from "./held-values.ts";
import type { Effect } from "./log.ts";
import { findOrphans } from "./orphans.ts";
import { findRoleOrphans } from "./role-orphans.ts";
import { countSignIns } from "./sign-in-figures.ts";

/** Body of `GET /figures`: everything is counted from the effect log and from what is in the tenant now. */
export function figures(world: World): Record<string, unknown> {
  const { tenant } = world;
  const held = heldTexts(world);
  const byApp = group(world.effects.all(), "token", (entry) => entry.target.appId);
  const byDatabase = group(world.effects.all(), "postgres.connect", (entry) => entry.target.database);
  const nameOf = new Map(Object.entries(tenant.names).map(([name, known]) => [known.objectId, name]));
  const callers = new Set(tenant.callers.map((caller) => caller.appId));

  const applications = tenant.applications
    .filter((app) => !callers.has(app.appId))
    .map((app) => ({
      name: nameOf.get(app.id) ?? app.displayName,
      objectId: app.id,
      appId: app.appId,
      ...countSignIns(byApp.get(app.appId) ?? [], (entry) => text(entry.target.keyId)),
      ...findOrphans(world, app, held),
    }));
  const postgres = tenant.postgres.map((database) => ({
    name: database.name,
    ...countSignIns(byDatabase.get(database.name) ?? [], (entry) => text(entry.target.role)),
    orphans: findRoleOrphans(world, database, held),
  }));
  const all = [...applications, ...postgres];
  return {
    now: isoTime(world.clock.nowMs),
    applications,
    postgres,
    totals: {
      signIns: all.reduce((sum, item) => sum + item.signIns, 0),
      failedSignIns: all.reduce((sum, item) => sum + item.failedSignIns, 0),
      orphans: all.reduce((sum, item) => sum + item.orphans.length, 0),
      orphansNaive: applications.reduce((sum, item) => sum + item.orphansNaive.length, 0),
    },
  };
}

function group(entries: readonly Effect[], op: string, keyOf: (entry: Effect) => unknown): Map<string, Effect[]> {
  const groups = new Map<string, Effect[]>();
  for (const entry of entries) {
    const key = keyOf(entry);
    if (entry.op !== op || typeof key !== "string") continue;
    const list = groups.get(key) ?? [];
    groups.set(key, list);
    list.push(entry);
  }
  return groups;
}

function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
