import {
  CountersignError,
  type InventoryFrom,
  type ListColumn,
  type ListItem,
  type ReadContext,
} from "@countersign/core";
import { z } from "zod";
import type { Endpoint } from "../kit/http.ts";
import { graphCall, graphPages, readGraphError, type Tenant } from "./graph.ts";
import { page } from "./shapes.ts";

/** Items of a list; an inventory of 5,000 applications has about twice as many lines. */
const itemsMax = 20_000;
const columnsMax = 500;
/** Graph's own default; a page of it stays below a megabyte. */
const pageSize = 200;

const List = z.object({ id: z.string().max(64), lastModifiedDateTime: z.string().max(40) });
const Column = z.object({
  name: z.string().min(1).max(300),
  displayName: z.string().min(1).max(300),
  hidden: z.boolean().nullish(),
  readOnly: z.boolean().nullish(),
});
const Item = z.object({ id: z.string().min(1).max(20), fields: z.record(z.string().max(300), z.unknown()) });
/** Columns that every list has and nobody fills in. */
const builtIn = new Set(["ContentType", "Attachments"]);

/** What stands where people keep their inventory: a table's columns and items, or a document. */
export type InventoryFound =
  | { readonly kind: "list"; readonly columns: readonly ListColumn[]; readonly items: readonly ListItem[] }
  | { readonly kind: "file"; readonly text: string };

const call = { method: "GET", retry: "safe", effect: false, as: "reader", expect: [200] } as const;

/** Reads a list of a SharePoint site, whole: one that changed meanwhile is a CONFLICT. `tenant` reads as the source's own client. */
export async function readInventoryList(
  ctx: ReadContext,
  tenant: Tenant,
  { site, list }: Extract<InventoryFrom, { kind: "sharepoint-list" }>,
): Promise<InventoryFound> {
  const path = `/v1.0/sites/${site}/lists/${list}`;
  const look = async () => {
    const query = { $select: "id,lastModifiedDateTime" };
    const { body } = await graphCall(ctx, tenant, { ...call, name: "list.get", path, query, answer: List });
    if (body.id.toLowerCase() !== list)
      throw new CountersignError("IDENTITY_MISMATCH", `expected list ${list}, got another one`);
    return body.lastModifiedDateTime;
  };
  const before = await look();
  const columns: ListColumn[] = [];
  const asked = { ...call, name: "list.columns", path: `${path}/columns`, answer: page(Column) };
  for await (const { value } of graphPages(ctx, tenant, asked)) {
    for (const { name, displayName, hidden, readOnly } of value)
      if (hidden !== true && readOnly !== true && !builtIn.has(name)) columns.push({ key: name, title: displayName });
    atMost(columnsMax, columns.length, "columns");
  }
  // A page may begin with what the one before ended with.
  const items = new Map<string, ListItem>();
  const query = { $expand: "fields", $top: String(pageSize) };
  for await (const { value } of graphPages(ctx, tenant, {
    ...call,
    name: "list.items",
    path: `${path}/items`,
    query,
    answer: page(Item),
  })) {
    for (const item of value) items.set(item.id, item);
    atMost(itemsMax, items.size, "items");
  }
  if ((await look()) !== before)
    throw new CountersignError(
      "CONFLICT",
      "expected the list to stay as it is while it is read, got a change; read it again",
    );
  return { kind: "list", columns, items: [...items.values()] };
}

function atMost(max: number, got: number, what: string): void {
  if (got > max) throw new CountersignError("LIMIT_EXCEEDED", `expected at most ${max} ${what} in the list, got more`);
}

/**
 * Reads a file of a SharePoint library. Graph answers with an address elsewhere that is good for some minutes and needs no
 * token; it is followed only to `downloads`, and without ours.
 */
export async function readInventoryFile(
  ctx: ReadContext,
  tenant: Tenant,
  { drive, path }: Extract<InventoryFrom, { kind: "sharepoint-file" }>,
  downloads: Endpoint,
): Promise<InventoryFound> {
  const place = path.split("/").map(encodeURIComponent).join("/");
  const { headers } = await graphCall(ctx, tenant, {
    ...call,
    name: "file.content",
    path: `/v1.0/drives/${encodeURIComponent(drive)}/root:/${place}:/content`,
    expect: [302],
    answer: null,
  });
  const { body } = await tenant.http.call(ctx, {
    ...call,
    name: "file.download",
    url: downloads.follow(headers.location ?? ""),
    headers: { accept: "*/*" },
    answer: z.string(),
    isText: true,
    readError: readGraphError,
    budget: tenant.budgets.graph,
  });
  // What is no UTF-8 was replaced on the way in, and would be another text than the one that stands there.
  if (body.includes("\ufffd")) throw new CountersignError("INVENTORY_INVALID", "expected UTF-8, got other bytes");
  return { kind: "file", text: body };
}
