/**
 * Who uses an application, as far as it can be seen without asking anybody: vault entries that point at it, addresses
 * that sign in with it. Pure. What was not to be read is null, and nothing is concluded from it.
 */
import type { InventoryRow } from "../inventory/row.ts";
import type { ScannedObject } from "../ports.ts";

/** An entry of a vault as a listing shows it; a value never leaves the vault for this. */
export interface VaultEntry {
  readonly connection: string;
  readonly name: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** An entry that points at an application, and what in it says so. */
export interface EntryFound {
  readonly connection: string;
  readonly name: string;
  /** `tag <name>`, or `name`, which says less. */
  readonly because: string;
}

/** An address that signed in with a client secret of the application. */
export interface CallerFound {
  readonly address: string;
  /** Milliseconds. */
  readonly lastAt: number;
}

/** The entries that point at an application: by a tag that holds one of its ids, or by its name. */
export function entriesOf(
  object: Pick<ScannedObject, "objectId" | "appId" | "name" | "credentials">,
  entries: readonly VaultEntry[],
): EntryFound[] {
  const ids = new Set([object.objectId, object.appId, ...object.credentials.map(({ id }) => id)].map(lower));
  const slug = slugOf(object.name);
  return entries.flatMap(({ connection, name, tags }) => {
    const tag = Object.entries(tags).find(([, value]) => ids.has(lower(value)))?.[0];
    if (tag !== undefined) return [{ connection, name, because: `tag ${tag}` }];
    const named = slug !== "" && (lower(name) === slug || lower(name).startsWith(`${slug}-`));
    return named ? [{ connection, name, because: "name" }] : [];
  });
}

/** What was found and stands nowhere in the row: entries that are neither its record nor a copy, addresses of nobody. */
export function undeclared(
  row: InventoryRow,
  entries: readonly EntryFound[],
  callers: readonly CallerFound[] | null,
): { readonly entries: readonly EntryFound[]; readonly callers: readonly CallerFound[] } {
  const places = new Set([
    placeOf(row.record.connection, row.record.name),
    ...row.consumers.flatMap((consumer) =>
      consumer.kind === "copied" ? [placeOf(consumer.connection, consumer.entry)] : [],
    ),
  ]);
  const addresses = new Set(row.consumers.flatMap((consumer) => consumer.callers));
  return {
    entries: entries.filter(({ connection, name }) => !places.has(placeOf(connection, name))),
    callers: (callers ?? []).filter(({ address }) => !addresses.has(address)),
  };
}

/** A name for the inventory made of what the directory shows: a-z, 0-9, dot, dash, underscore. */
export function slugOf(name: string): string {
  return lower(name)
    .replaceAll(/[^a-z0-9._]+/g, "-")
    .replace(/^[^a-z0-9]+/, "")
    .slice(0, 50)
    .replace(/-+$/, "");
}

const lower = (text: string) => text.toLowerCase();
const placeOf = (connection: string, name: string) => `${connection}/${lower(name)}`;
