import {
  type FleetTerms,
  fleetFindings,
  fleetTurnsAt,
  type InventoryRow,
  named,
  ownerCount,
  undeclaredPlaces,
} from "@countersign/core";
import { digestOf } from "@countersign/evidence";
import type { FindingSaid, FleetRow, Judged, Store } from "../store/index.ts";

/** Objects that are looked at in one statement, and judged in one. */
const batchMax = 1_000;
/** More live secrets of one application than these need an explanation. */
const liveSecretsMax = 1;

/** What policy asks of a row; of null, which stands for everything that the inventory does not list. */
export type TermsOf = (row: InventoryRow | null) => Omit<FleetTerms, "row" | "liveSecretsMax" | "hasOpenRun">;

type Failure = Awaited<ReturnType<Store["failures"]>>[number];

/** Of whom to judge: these objects, or all of the tenant: those that turned since they were judged, or all of them anew. */
export type Which = { readonly only: readonly string[] } | "turned" | "anew";

/**
 * Says of each object of the ledger what there is to say now, and takes back what is not so any more. Of all of a tenant also
 * what the inventory lists without the directory having it.
 */
export async function judgeFleet(
  store: Store,
  tenant: string,
  rules: { readonly rows: readonly InventoryRow[]; readonly termsOf: TermsOf },
  now: number,
  which: Which,
): Promise<{ readonly opened: number; readonly cleared: number }> {
  const rows = new Map(
    rules.rows.flatMap((row) =>
      row.procedure === "entra-client-secret" && row.tenant === tenant ? [[row.objectId, row] as const] : [],
    ),
  );
  const failures = Map.groupBy(await store.failures(tenant), ({ objectId }) => objectId);
  const open = new Set(await store.openTargets(tenant));
  const only = typeof which === "string" ? null : new Set(which.only);
  const listed = [...rows.keys()].filter((id) => only?.has(id) ?? true);
  const uses = await store.usesFound(listed.map((objectId) => ({ tenant, objectId })));
  const unreachable = new Set(await store.unreachable());
  const others = askedOf(null, [], []);
  const sum = { opened: 0, cleared: 0 };

  /** What is asked of an object, its refused sign-ins, where it is used beside its row, and a digest of it all. */
  function askedOf(row: InventoryRow | null, refused: readonly Failure[], undeclared: readonly string[]) {
    const terms: FleetTerms = {
      ...rules.termsOf(row),
      row:
        row === null
          ? null
          : { owners: ownerCount(row), unreachable: named(row).filter((one) => unreachable.has(one)) },
      liveSecretsMax,
      hasOpenRun: row !== null && open.has(row.name),
    };
    const said = [row?.name ?? null, row?.environment ?? null, terms, refused, undeclared];
    return { row, terms, refused, undeclared, digest: digestOf(Buffer.from(JSON.stringify(said))) };
  }

  /** Of the listed and of the refused only: for all others it is one and the same. */
  const askedBefore = new Map<string, ReturnType<typeof askedOf>>();
  function askedOfObject(objectId: string) {
    const before = askedBefore.get(objectId);
    if (before !== undefined) return before;
    const [row, refused] = [rows.get(objectId) ?? null, failures.get(objectId) ?? []];
    const found = row === null ? undefined : uses.get(`${tenant} ${objectId}`);
    const undeclared = row === null || found === undefined ? [] : undeclaredPlaces(row, found);
    if (row === null && refused.length === 0) return others;
    const asked = askedOf(row, refused, undeclared);
    askedBefore.set(objectId, asked);
    return asked;
  }

  async function judge(objects: readonly FleetRow[], gone: readonly string[] = []): Promise<void> {
    const ids = [...objects.map(({ objectId }) => objectId), ...gone];
    if (ids.length === 0) return;
    const put = await store.findingsPut(tenant, ids, objects.flatMap(sayOf), now, objects.flatMap(restsOn));
    sum.opened += put.opened;
    sum.cleared += put.cleared;
    if (put.stale.length > 0) await judge(await store.fleetOf(tenant, put.stale));
  }

  function restsOn(object: FleetRow): Judged[] {
    // What no listing has ever shown has nothing that could change.
    if (object.digest === "") return [];
    const { terms, refused, undeclared, digest } = askedOfObject(object.objectId);
    return [
      {
        objectId: object.objectId,
        was: object.was,
        digest: object.digest,
        terms: digest,
        turnsAt: fleetTurnsAt({ ...object, failures: refused, undeclared }, terms, now),
      },
    ];
  }

  function sayOf(object: FleetRow): FindingSaid[] {
    const { row, terms, refused, undeclared } = askedOfObject(object.objectId);
    return fleetFindings({ ...object, failures: refused, undeclared }, terms, now).map((finding) => ({
      ...finding,
      objectId: object.objectId,
      kind: object.kind,
      appId: object.appId,
      name: object.name,
      row: row?.name ?? null,
      environment: row?.environment ?? null,
    }));
  }

  if (typeof which !== "string") {
    for (let from = 0; from < which.only.length; from += batchMax)
      await judge(await store.fleetOf(tenant, which.only.slice(from, from + batchMax)));
    return sum;
  }
  const terms = {
    of: JSON.stringify(
      Object.fromEntries([...rows.keys(), ...failures.keys()].map((id) => [id, askedOfObject(id).digest])),
    ),
    others: others.digest,
  };
  for (let after: string | null = ""; after !== null; ) {
    const until = await store.fleetUntil(tenant, after, batchMax);
    await judge(await store.fleetTurned(tenant, { after, until }, terms, now, which === "anew"));
    after = until;
  }
  const there = new Set(await store.fleetThere(tenant, [...rows.keys()]));
  const missing = [...rows.keys()].filter((id) => !there.has(id));
  const known = new Map((await store.fleetOf(tenant, missing)).map((object) => [object.objectId, object]));
  const elsewhere = (await store.findingsElsewhere(tenant)).filter((id) => !rows.has(id));
  await judge(
    missing.map((id) => known.get(id) ?? neverSeen(id, rows.get(id))),
    elsewhere,
  );
  await store.fleetLooked(tenant, sum.opened + sum.cleared, now);
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
    digest: "",
    was: "",
  };
}
