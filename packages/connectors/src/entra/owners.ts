import type { ObjectOwners, ReadContext } from "@countersign/core";
import { z } from "zod";
import { graphCall, graphPages, type Tenant } from "./graph.ts";
import { page } from "./shapes.ts";

/** Directory objects expand to at most so many, without a link to the rest (Graph docs, query parameters). */
const expandMax = 20;
/** Applications of one page: fewer than of a plain listing, since each brings up to twenty owners. */
const pageSize = 500;
const fields = "id,displayName,userPrincipalName,accountEnabled";

const Owner = z.object({
  "@odata.type": z.string().max(100).nullish(),
  id: z.string().min(1).max(64),
  displayName: z.string().nullish(),
  userPrincipalName: z.string().nullish(),
  accountEnabled: z.boolean().nullish(),
});
type Owner = z.infer<typeof Owner>;

const Owned = z.object({ id: z.string().min(1).max(64), owners: z.array(Owner).max(1_000).optional() });
const OwnedPage = page(Owned);
const OwnerPage = page(Owner);

const call = { method: "GET", retry: "safe", effect: false, as: "reader", priority: "low", expect: [200] } as const;

/** One page of who owns which application. Those with as many owners as a listing shows are asked for one by one. */
export async function ownersPage(
  ctx: ReadContext,
  tenant: Tenant,
  link: string | null,
): Promise<{ found: ObjectOwners[]; next: string | null }> {
  const query = { $select: "id", $expand: `owners($select=${fields})`, $top: String(pageSize) };
  const asked = { ...call, name: "owners.list", path: "/v1.0/applications", query, answer: OwnedPage };
  const { body } = await graphCall(ctx, tenant, asked, link === null ? undefined : tenant.graph.follow(link));
  const found: ObjectOwners[] = [];
  for (const { id, owners = [] } of body.value) {
    const all = owners.length < expandMax ? owners : await everyOwner(ctx, tenant, id);
    found.push({ objectId: id, owners: all.map(ownerOf) });
  }
  return { found, next: body["@odata.nextLink"] ?? null };
}

async function everyOwner(ctx: ReadContext, tenant: Tenant, id: string): Promise<Owner[]> {
  const found: Owner[] = [];
  const path = `/v1.0/applications/${encodeURIComponent(id)}/owners`;
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
