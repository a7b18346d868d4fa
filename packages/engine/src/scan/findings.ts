import { type FleetTerms, fleetFindings, type InventoryRow } from "@countersign/core";
import type { FindingSaid, FleetRow, Store } from "../store/index.ts";

/** Objects that are judged at a time. */
const batchMax = 1_000;
/** More live secrets of one application than these need an explanation. */
const liveSecretsMax = 1;

/** What policy asks of a row; of null, which stands for everything that the inventory does not list. */
export type TermsOf = (row: InventoryRow | null) => Omit<FleetTerms, "row" | "liveSecretsMax" | "hasOpenRun">;

/**
 * Says of each object of the ledger what there is to say now, and takes back what is not so any more. `only`: these objects;
 * otherwise all of the tenant, and what the inventory lists without the directory having it.
 */
export async function judgeFleet(
  store: Store,
  tenant: string,
  rules: { readonly rows: readonly InventoryRow[]; readonly termsOf: TermsOf },
  now: number,
  only: readonly string[] | null = null,
): Promise<{ readonly opened: number; readonly cleared: number }> {
  const rows = new Map(
    rules.rows.flatMap((row) =>
      row.procedure === "entra-client-secret" && row.tenant === tenant ? [[row.objectId, row] as const] : [],
    ),
  );
  const failures = Map.groupBy(await store.failures(tenant), ({ objectId }) => objectId);
  const open = new Set(await store.openTargets(tenant));
  const sum = { opened: 0, cleared: 0 };

  async function judge(objects: readonly FleetRow[], others: readonly string[] = []): Promise<void> {
    const ids = [...objects.map(({ objectId }) => objectId), ...others];
    if (ids.length === 0) return;
    const said = objects.flatMap((object) => sayOf(object, rows.get(object.objectId) ?? null));
    const put = await store.findingsPut(tenant, ids, said, now);
    sum.opened += put.opened;
    sum.cleared += put.cleared;
  }

  function sayOf(object: FleetRow, row: InventoryRow | null): FindingSaid[] {
    const terms: FleetTerms = {
      ...rules.termsOf(row),
      row: row === null ? null : { owners: row.owners.length },
      liveSecretsMax,
      hasOpenRun: row !== null && open.has(row.name),
    };
    return fleetFindings({ ...object, failures: failures.get(object.objectId) ?? [] }, terms, now).map((finding) => ({
      ...finding,
      objectId: object.objectId,
      kind: object.kind,
      appId: object.appId,
      name: object.name,
      row: row?.name ?? null,
      environment: row?.environment ?? null,
    }));
  }

  if (only !== null) {
    for (let from = 0; from < only.length; from += batchMax)
      await judge(await store.fleetOf(tenant, only.slice(from, from + batchMax)));
    return sum;
  }
  for (let after = ""; ; ) {
    const page = await store.fleet(tenant, after, batchMax);
    await judge(page);
    after = page.at(-1)?.objectId ?? "";
    if (page.length < batchMax) break;
  }
  const listed = [...rows.keys()];
  const there = new Map((await store.fleetOf(tenant, listed)).map((object) => [object.objectId, object]));
  const missing = listed.filter((id) => there.get(id)?.gone ?? true);
  const elsewhere = (await store.findingsElsewhere(tenant)).filter((id) => !rows.has(id));
  await judge(
    missing.map((id) => there.get(id) ?? neverSeen(id, rows.get(id))),
    elsewhere,
  );
  await store.fleetLooked(tenant, now);
  return sum;
}

/** What the inventory lists and no listing has ever shown. */
function neverSeen(objectId: string, row: InventoryRow | undefined): FleetRow {
  return {
    objectId,
    kind: "application",
    appId: row?.procedure === "entra-client-secret" ? row.appId : "",
    name: row?.name ?? "",
    gone: true,
    owners: null,
    changes: [],
    tenantLifetimeSecondsMax: null,
    credentials: [],
  };
}
