import { isCode, type ObjectOwners, type ReadContext, type ScannedObject } from "@countersign/core";
import { z } from "zod";
import { graphCall, graphPages, type Tenant } from "./graph.ts";
import { printedId } from "./schema.ts";
import { page } from "./shapes.ts";

/** Directory objects expand to at most so many, without a link to the rest (Graph docs, query parameters). */
const expandMax = 20;
/** Applications of one page: fewer than of a plain listing, since each brings up to twenty owners. */
const pageSize = 500;
const fields = "id,displayName,userPrincipalName,accountEnabled";

const Owner = z.object({
  "@odata.type": z.string().max(100).nullish(),
  id: printedId,
  displayName: z.string().nullish(),
  userPrincipalName: z.string().nullish(),
  accountEnabled: z.boolean().nullish(),
});
type Owner = z.infer<typeof Owner>;

const Owned = z.object({ id: printedId, owners: z.array(Owner).max(1_000).nullish() });
const OwnedPage = page(Owned);
const OwnerPage = page(Owner);

const call = { method: "GET", retry: "safe", effect: false, as: "reader", priority: "low", expect: [200] } as const;

type Collection = "applications" | "servicePrincipals";

/**
 * One page of who owns what. Those with as many owners as a listing shows, or of which
 * it shows none at all, are asked for one by one.
 */
export async function ownersPage(
  ctx: ReadContext,
  tenant: Tenant,
  collection: Collection,
  link: string | null,
): Promise<{ found: ObjectOwners[]; next: string | null }> {
  const query = { $select: "id", $expand: `owners($select=${fields})`, $top: String(pageSize) };
  const asked = { ...call, name: "owners.list", path: `/v1.0/${collection}`, query, answer: OwnedPage };
  const { body } = await graphCall(ctx, tenant, asked, link === null ? undefined : tenant.graph.follow(link));
  // A server that does not expand has not said that there are none: only a list that is there says so.
  const isWhole = ({ owners }: z.infer<typeof Owned>) => owners != null && owners.length < expandMax;
  const found: ObjectOwners[] = body.value
    .filter(isWhole)
    .map(({ id, owners }) => ({ objectId: id, owners: (owners ?? []).map(ownerOf) }));
  const kind = collection === "applications" ? ("application" as const) : ("service-principal" as const);
  const open = body.value.filter((one) => !isWhole(one)).map(({ id }) => ({ kind, objectId: id }));
  found.push(...(await ownersOfEach(ctx, tenant, open)));
  return { found, next: body["@odata.nextLink"] ?? null };
}

/** Owners in flight of objects that are asked for one by one.
 */
const readsInFlightMax = 8;

/** Owners of a few objects, each asked for by its id; one that is gone by now is left out. */
export async function ownersOfEach(
  ctx: ReadContext,
  tenant: Tenant,
  objects: readonly Pick<ScannedObject, "kind" | "objectId">[],
): Promise<ObjectOwners[]> {
  const found: ObjectOwners[] = [];
  const left = [...objects];
  const lane = async () => {
    for (let one = left.pop(); one !== undefined; one = left.pop()) {
      const collection = one.kind === "application" ? "applications" : "servicePrincipals";
      try {
        const owners = await everyOwner(ctx, tenant, collection, one.objectId);
        found.push({ objectId: one.objectId, owners: owners.map(ownerOf) });
      } catch (error) {
        if (!isCode(error, "OUTSIDE_NOT_FOUND")) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(readsInFlightMax, objects.length) }, lane));
  return found;
}

async function everyOwner(ctx: ReadContext, tenant: Tenant, collection: Collection, id: string): Promise<Owner[]> {
  const found: Owner[] = [];
  const path = `/v1.0/${collection}/${encodeURIComponent(id)}/owners`;
  const asked = { ...call, name: "application.owners", path, query: { $select: fields }, answer: OwnerPage };
  for await (const body of graphPages(ctx, tenant, asked)) found.push(...body.value);
  return found;
}

function ownerOf(owner: Owner): ObjectOwners["owners"][number] {
  const kind = owner["@odata.type"] ?? "";
  return {
    id: owner.id,
    kind: kind.endsWith(".user") ? "user" : kind.endsWith(".servicePrincipal") ? "service-principal" : "other",
    name: owner.userPrincipalName ?? owner.displayName ?? null,
    enabled: owner.accountEnabled ?? null,
  };
}
