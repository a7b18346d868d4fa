/**
 * Who uses an application, as far as it can be seen without asking anybody: vault entries that point at it, addresses
 * that sign in with it. Pure. What was not to be read is null, and nothing is concluded from it.
 */
import type { InventoryRow } from "../inventory/row.ts";
import type { CallerFound, ScannedObject } from "../ports/index.ts";

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

/** Where an application was seen in use, and where that was looked for: what was not read shows nothing. */
export interface UsesSeen {
  readonly entries: readonly EntryFound[];
  readonly callers: readonly CallerFound[];
  readonly signInsRead: boolean;
  readonly vaultsRead: boolean;
}

/** What of an application an entry may point at. */
interface PointedAt extends Pick<ScannedObject, "objectId" | "appId" | "name"> {
  readonly credentials: readonly { readonly id: string }[];
}

/**
 * Looks for the entries that point at an application: by a tag that holds one of its ids, or by its name. All entries are read
 * once, so that each look costs the same however many there are.
 */
export function pointersOf(entries: readonly VaultEntry[]): (object: PointedAt) => EntryFound[] {
  const byValue = new Map<string, { readonly entry: number; readonly tag: number }[]>();
  const byName = new Map<string, number[]>();
  const tagsOf = entries.map(({ tags }) => Object.entries(tags));
  entries.forEach(({ name }, entry) => {
    for (const [tag, [, value]] of (tagsOf[entry] ?? []).entries()) put(byValue, lower(value), { entry, tag });
    for (const beginning of beginningsOf(lower(name))) put(byName, beginning, entry);
  });
  return ({ objectId, appId, name, credentials }) => {
    const tagged = new Map<number, number>();
    for (const id of new Set([objectId, appId, ...credentials.map((one) => one.id)].map(lower)))
      for (const { entry, tag } of byValue.get(id) ?? []) tagged.set(entry, Math.min(tag, tagged.get(entry) ?? tag));
    const named = byName.get(slugOf(name)) ?? [];
    return [...new Set([...tagged.keys(), ...named])]
      .sort((a, b) => a - b)
      .flatMap((at) => {
        const entry = entries[at];
        const tag = tagsOf[at]?.[tagged.get(at) ?? -1]?.[0];
        if (entry === undefined) return [];
        return [{ connection: entry.connection, name: entry.name, because: tag === undefined ? "name" : `tag ${tag}` }];
      });
  };
}

/** A name, and what stands in it before each dash. */
function beginningsOf(name: string): string[] {
  return [name, ...[...name.matchAll(/-/g)].map(({ index }) => name.slice(0, index))].filter((text) => text !== "");
}

function put<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, [value]);
  else known.push(value);
}

/** What was found and stands nowhere in the row: entries that are neither its record nor a copy, addresses of nobody. */
export function undeclared(
  row: InventoryRow,
  entries: readonly EntryFound[],
  callers: readonly CallerFound[] | null,
): { readonly entries: readonly EntryFound[]; readonly callers: readonly CallerFound[] } {
  const declared = new Set(declaredBy(row));
  return {
    entries: entries.filter(({ connection, name }) => !declared.has(placeOf(connection, name))),
    callers: (callers ?? []).filter(({ address }) => !declared.has(address)),
  };
}

/** The same as places, in an order of their own: the address of a caller, an entry as `connection/name`. */
export function undeclaredPlaces(
  row: InventoryRow,
  uses: { readonly entries: readonly EntryFound[]; readonly callers: readonly CallerFound[] },
): string[] {
  const { entries, callers } = undeclared(row, uses.entries, uses.callers);
  return [
    ...callers.map(({ address }) => address),
    ...entries.map(({ connection, name }) => `${connection}/${name}`),
  ].sort();
}

/** Where a row says that its value is, and from where it is used: entries as `connection/name`, and addresses. */
export function declaredBy(row: InventoryRow): string[] {
  return [
    placeOf(row.record.connection, row.record.name),
    ...row.consumers.flatMap((consumer) => [
      ...(consumer.kind === "copied" ? [placeOf(consumer.connection, consumer.entry)] : []),
      ...consumer.callers,
    ]),
  ];
}

/**
 * The consumer to add to a row so that it declares what was found. What cannot be seen is a guess to be corrected: how it gets the
 * value, how soon it picks it up, how often it signs in.
 */
export function declarationOf({ environment }: InventoryRow, found: EntryFound | CallerFound): string {
  const consumer = (kind: string, name: string, own: string) =>
    `- { kind: ${kind}, name: ${slugOf(name)}, environment: ${environment}, pickup: P1D, cadence: P1D, ${own} }`;
  if ("address" in found) {
    const list = `[${JSON.stringify(found.address)}]`;
    const word = `Give it the new value: it signs in from ${found.address}`;
    return consumer("manual", `at-${found.address}`, `callers: ${list}, checklist: [${JSON.stringify(word)}]`);
  }
  return consumer(
    "copied",
    `copy-${found.name}`,
    `connection: ${found.connection}, entry: ${JSON.stringify(found.name)}`,
  );
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
