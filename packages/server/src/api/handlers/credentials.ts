import type { Credential } from "@countersign/contract";
import type { ApiDependencies } from "../dependencies.ts";
import type { Handler } from "../handler.ts";
import { decodeCursor, encodeCursor, facetOf, facetsOf, pageOf } from "../views/page.ts";
import { iso } from "../views/time.ts";
import { allApplications } from "./applications.ts";

export const listCredentials: Handler<"listCredentials"> = async ({ api, query }) => {
  if (query.application !== undefined) return credentialsOfRow(api, query.application, query);
  const { state, kind, tenant, expiry } = query;
  const wanted = {
    state,
    kind,
    tenant,
    expiry,
    managed: query.managed === undefined ? undefined : query.managed === "true",
  };
  const found = await api.store.ledger({
    filter: { search: query.q, ...wanted },
    now: api.now(),
    after: query.cursor === undefined ? null : decodeCursor(query.cursor),
    limit: query.limit,
  });
  return {
    items: [...found.items],
    nextCursor: found.next === null ? null : encodeCursor(found.next),
    ...facetsOf(found.counts, wanted),
  };
};

/** Those of one application are few, and the inventory says which they are. */
async function credentialsOfRow(
  api: ApiDependencies,
  name: string,
  query: {
    readonly state?: Credential["state"] | undefined;
    readonly cursor?: string | undefined;
    readonly limit: number;
  },
) {
  const rows = api.inventory().rows.filter((row) => row.name === name);
  const all = (await api.store.credentialsOf(rows, query.state === "retired")).filter(
    (row) => query.state === undefined || row.state === query.state,
  );
  return {
    ...pageOf(all, (row) => [row.expiresAt ?? "9999", row.tenant, row.id], query),
    facets: { state: facetOf(all.map((row) => row.state)) },
  };
}

const weeksShown = 13;
const weekMs = 7 * 86_400_000;

export const getExpiryWeeks: Handler<"getExpiryWeeks"> = async ({ api }) => {
  const now = api.now();
  const [found, applications] = await Promise.all([api.store.expiryWeeks(now, weeksShown), allApplications(api)]);
  const stuck = new Set(
    applications
      .filter(({ readiness }) => ["blocked", "held", "locked", "unowned"].includes(readiness))
      .map(({ name }) => name),
  );
  const weeks = Array.from({ length: weeksShown }, (_, week) => ({
    from: iso(now + week * weekMs),
    ready: 0,
    stuck: 0,
    unmanaged: 0,
  }));
  for (const { week, row, count } of found) {
    const line = weeks[Math.min(week, weeksShown - 1)];
    if (line !== undefined) line[row === null ? "unmanaged" : stuck.has(row) ? "stuck" : "ready"] += count;
  }
  return { weeks };
};
