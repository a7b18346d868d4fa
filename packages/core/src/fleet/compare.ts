import type { RowProblem } from "../inventory/check.ts";
import { named } from "../inventory/owners.ts";
import type { Inventory } from "../inventory/parse.ts";
import type { EntraRow, InventoryRow } from "../inventory/row.ts";
import type { CallerFound, ObjectOwners, ScannedObject } from "../ports/index.ts";
import { type EntryFound, pointersOf, undeclared, type VaultEntry } from "./found.ts";

/** What comparing an inventory with a directory says, both ways. `mend`: the inventory is wrong or will fail. */
export const compareCodes = {
  gone: { mend: true, sentence: "It is listed, and the directory has no such application." },
  "other-application": { mend: true, sentence: "The directory has another application under this object id." },
  "no-owner-listed": { mend: true, sentence: "The inventory names nobody who answers for it." },
  "owner-disabled": { mend: true, sentence: "An owner that the inventory names has a disabled account." },
  "nobody-enabled": { mend: true, sentence: "The directory has no owner of it whose account is enabled." },
  "not-declared": { mend: true, sentence: "Something uses it that the inventory does not name." },
  "not-listed": { mend: false, sentence: "It has client secrets in the directory and is not listed." },
  "owned-credential-gone": {
    mend: false,
    sentence:
      "It names owners of a credential that is gone. For what has replaced it the owners of the application answer.",
  },
  "still-proposed": { mend: false, sentence: "It is proposed and not approved: nothing is done for it." },
} as const;
type CompareCode = keyof typeof compareCodes;

/** One thing that inventory and directory, or inventory and configuration, do not agree on. */
export interface InventoryFinding {
  readonly application: string;
  readonly code: CompareCode | RowProblem["code"];
  /** Whether somebody has to mend it; the rest is to consider. */
  readonly mend: boolean;
  readonly observed: string;
  readonly required: string;
}

export interface CompareInput {
  readonly inventory: Pick<Inventory, "rows" | "proposed">;
  /** The tenant that was read; rows of others are left alone. */
  readonly tenant: string;
  readonly objects: readonly ScannedObject[];
  /** Application ids of Countersign's own clients: never a target. */
  readonly ours: ReadonlySet<string>;
  readonly owners: ReadonlyMap<string, ObjectOwners>;
  readonly entries: readonly VaultEntry[] | null;
  readonly callers: ReadonlyMap<string, readonly CallerFound[]> | null;
  /** Mail address by person. */
  readonly mails: ReadonlyMap<string, string>;
}

/** Compares an inventory with the directory of one tenant, both ways. */
export function compareInventory(input: CompareInput): InventoryFinding[] {
  const { inventory, tenant } = input;
  const applications = input.objects.filter(({ kind }) => kind === "application");
  const byId = new Map(applications.map((object) => [object.objectId.toLowerCase(), object]));
  const rows = inventory.rows.filter((row): row is EntraRow => isEntra(row) && row.tenant === tenant);
  const known = new Set([
    ...rows.map(({ objectId }) => objectId),
    ...inventory.proposed.flatMap(({ objectId }) => (objectId === undefined ? [] : [objectId])),
  ]);
  const missing = applications.filter(
    ({ objectId, appId, credentials }) =>
      !input.ours.has(appId.toLowerCase()) &&
      !known.has(objectId.toLowerCase()) &&
      credentials.some(({ kind }) => kind === "client-secret"),
  );
  const entriesOf = pointersOf(input.entries ?? []);
  return [
    ...rows.flatMap((row) => rowFindings(input, row, byId.get(row.objectId), entriesOf)),
    ...inventory.proposed.map(({ name }) => said(name, "still-proposed", "proposed", "approved, or taken out")),
    ...missing.map(({ name, objectId }) => said(name, "not-listed", objectId, "a row, listed or proposed")),
  ];
}

function rowFindings(
  input: CompareInput,
  row: EntraRow,
  object: ScannedObject | undefined,
  entriesOf: (object: ScannedObject) => EntryFound[],
): InventoryFinding[] {
  if (object === undefined) return [said(row.name, "gone", row.objectId, "an application of the directory")];
  if (object.appId.toLowerCase() !== row.appId)
    return [said(row.name, "other-application", object.appId, `application id ${row.appId}`)];
  const found: InventoryFinding[] = [];
  if (row.owners.length === 0) found.push(said(row.name, "no-owner-listed", "no owner", "at least one person"));
  const directory = input.owners.get(object.objectId)?.owners ?? [];
  const disabled = new Set(
    directory.flatMap(({ enabled, name }) => (enabled === false && name !== null ? [name.toLowerCase()] : [])),
  );
  for (const owner of named(row))
    if (disabled.has(input.mails.get(owner)?.toLowerCase() ?? ""))
      found.push(said(row.name, "owner-disabled", owner, "an owner whose account is enabled"));
  const credentials = new Set(object.credentials.map(({ id }) => id));
  for (const id of Object.keys(row.credentialOwners ?? {}))
    if (!credentials.has(id))
      found.push(said(row.name, "owned-credential-gone", id, "a credential of the application"));
  if (input.owners.has(object.objectId) && !directory.some(({ kind, enabled }) => kind === "user" && enabled !== false))
    found.push(
      said(row.name, "nobody-enabled", `${directory.length} owners in the directory`, "a user who is enabled"),
    );
  const callers = input.callers?.get(row.appId) ?? null;
  const beside = undeclared(row, entriesOf(object), callers);
  for (const { connection, name, because } of beside.entries)
    found.push(
      said(row.name, "not-declared", `${connection}/${name} (${because})`, "its record, or a copy it declares"),
    );
  for (const { address } of beside.callers)
    found.push(said(row.name, "not-declared", `signs in from ${address}`, "a caller of a declared consumer"));
  return found;
}

function said(application: string, code: CompareCode, observed: string, required: string): InventoryFinding {
  return { application, code, mend: compareCodes[code].mend, observed, required };
}

const isEntra = (row: InventoryRow): row is EntraRow => row.procedure === "entra-client-secret";
