import type { InventoryStanding, Matter } from "@countersign/contract";
import { type EntraRow, type InventoryRow, ownershipGrant } from "@countersign/core";
import type { MatterCount } from "@countersign/engine";
import type { Handler } from "../handler.ts";
import { comparedOf, comparedView, inventoryFacets, sumOf } from "../views/inventory.ts";
import { decodeCursor, encodeCursor } from "../views/page.ts";
import { iso } from "../views/time.ts";

export const getInventory: Handler<"getInventory"> = async ({ api, query }) => {
  const { rows: all, digest } = api.inventory();
  const listed = all.filter(isInDirectory).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const found = listed.filter((row) => isFound(row, query.q?.toLowerCase()));
  const after = query.cursor === undefined ? "" : decodeCursor(query.cursor);
  const rest = found.filter(
    ({ tenant, environment, name }) =>
      name > after &&
      (query.tenant === undefined || tenant === query.tenant) &&
      (query.environment === undefined || environment === query.environment),
  );
  const writers = new Map(api.outside.directories.map(({ name, writer }) => [name, writer]));
  const page = { matter: query.matter, limit: query.limit + 1 };
  const [compared, allCounts, standings, vaults, unlisted] = await Promise.all([
    api.store.inventoryCompared(rest.map(comparedOf), writers, page),
    api.store.inventoryCounts(listed.map(comparedOf), writers),
    api.store.inventoryStandings(writers),
    api.store.vaultReadings(),
    api.store.unlisted(api.now()),
  ]);
  const counts = query.q === undefined ? allCounts : await api.store.inventoryCounts(found.map(comparedOf), writers);
  const shown = compared.slice(0, query.limit).flatMap((one) => {
    const row = rest[one.n - 1];
    return row === undefined ? [] : [{ one, row }];
  });
  const uses = await api.store.usesFound(shown.map(({ row }) => row));
  const servicePrincipals = new Map(standings.map(({ tenant, writer }) => [tenant, writer]));
  const last = compared.length > query.limit ? shown.at(-1) : undefined;
  return {
    items: shown.map(({ one, row }) => {
      const writer = servicePrincipals.get(row.tenant) ?? null;
      const isMissing = one.matters.includes("not-owned") && writer !== null;
      const grant = isMissing ? ownershipGrant(row.objectId, writer) : null;
      return comparedView(row, one, grant, uses.get(`${row.tenant} ${row.objectId}`));
    }),
    nextCursor: last === undefined ? null : encodeCursor(last.row.name),
    ...inventoryFacets(counts, query),
    digest,
    elsewhere: all.length - listed.length,
    standings: standings.map((standing): InventoryStanding => {
      const { tenant } = standing;
      return {
        tenant,
        writer: { clientId: writers.get(tenant) ?? "", servicePrincipal: standing.writer },
        listed: sumOf(allCounts, (count) => count.tenant === tenant),
        owned: sumOf(allCounts, (count) => count.tenant === tenant && isOwned(count)),
        unlisted: unlisted.get(tenant) ?? 0,
        listedAt: iso(standing.listedAt),
        ownersReadAt: iso(standing.ownersReadAt),
        callers: { readAt: iso(standing.callersReadAt), refused: standing.callersAvailable === false },
      };
    }),
    vaults: vaults.map(({ connection, readAt, available }) => ({
      connection,
      readAt: iso(readAt),
      refused: !available,
    })),
  };
};

const isInDirectory = (row: InventoryRow): row is EntraRow => row.procedure === "entra-client-secret";

function isFound({ name, objectId, appId }: EntraRow, text: string | undefined): boolean {
  return text === undefined || name.includes(text) || objectId === text || appId === text;
}

/** With any of these the writer does not own what the row means, or nobody knows. */
const notOwned: readonly Matter[] = ["gone", "other-application", "not-owned", "owners-not-read", "not-looked"];
const isOwned = ({ matters }: MatterCount) => !matters.some((matter) => notOwned.includes(matter));
