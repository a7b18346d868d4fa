import { matchesPattern } from "../inventory/scope.ts";
import type { WrittenRow } from "../inventory/write.ts";
import type { CallerFound, ObjectOwners, ScannedObject } from "../ports/index.ts";
import { type EntryFound, pointersOf, slugOf, type VaultEntry } from "./found.ts";

/** A rule of the user: applications whose name fits the pattern are of this environment. The first that fits counts. */
export interface EnvironmentRule {
  readonly pattern: string;
  readonly environment: string;
}

export interface DraftInput {
  /** Name of the tenant in the configuration. */
  readonly tenant: string;
  readonly objects: readonly ScannedObject[];
  readonly owners: ReadonlyMap<string, ObjectOwners>;
  /** Object ids that an inventory lists or proposes already, and names that are taken. */
  readonly known: { readonly objectIds: ReadonlySet<string>; readonly names: ReadonlySet<string> };
  /** Application ids of Countersign's own clients: never a target. */
  readonly ours: ReadonlySet<string>;
  /** Null: no vault could be listed. */
  readonly entries: readonly VaultEntry[] | null;
  /** By application id; null: nobody looked, or there is no log. */
  readonly callers: ReadonlyMap<string, readonly CallerFound[]> | null;
  readonly rules: readonly EnvironmentRule[];
  /** Enrolled people by the mail address they are known under. */
  readonly people: ReadonlyMap<string, string>;
}

/** A proposed inventory, and what was left out of it. */
export interface Draft {
  readonly rows: readonly WrittenRow[];
  readonly known: number;
  readonly withoutSecret: number;
}

/**
 * Proposes an entry for each application that has client secrets and is not known yet. Nothing in it is enabled, and
 * whatever is a guess says so and from what.
 */
export function draftInventory(input: DraftInput): Draft {
  const names = new Set(input.known.names);
  const applications = input.objects.filter(
    ({ kind, appId }) => kind === "application" && !input.ours.has(appId.toLowerCase()),
  );
  const unknown = applications.filter(({ objectId }) => !input.known.objectIds.has(objectId.toLowerCase()));
  const rotatable = unknown.filter(({ credentials }) => credentials.some(({ kind }) => kind === "client-secret"));
  const entriesOf = input.entries === null ? () => null : pointersOf(input.entries);
  return {
    rows: rotatable
      .toSorted((a, b) => compare(a.name, b.name) || compare(a.objectId, b.objectId))
      .map((object) => proposal(input, object, entriesOf(object), names)),
    known: applications.length - unknown.length,
    withoutSecret: unknown.length - rotatable.length,
  };
}

function proposal(
  input: DraftInput,
  object: ScannedObject,
  entries: readonly EntryFound[] | null,
  names: Set<string>,
): WrittenRow {
  const says = [`The directory calls it: ${object.name}`];
  if (object.disabled) says.push("It is disabled in the directory.");
  if (object.serviceRef !== null) says.push(`Its record in the service catalogue: ${object.serviceRef}`);
  const beside: Record<string, string> = {};
  const owned = input.owners.get(object.objectId)?.owners ?? null;
  says.push(ownersSay(owned));
  const people = (owned ?? []).flatMap(({ name, enabled }) => {
    const person = enabled === false ? undefined : input.people.get((name ?? "").toLowerCase());
    return person === undefined ? [] : [person];
  });
  if (people.length > 0) beside.owners = "guess: enrolled under the mail address of a directory owner";
  const rule = input.rules.find(({ pattern }) => matchesPattern(object.name.toLowerCase(), pattern.toLowerCase()));
  if (rule !== undefined) beside.environment = `guess: your rule ${rule.pattern}=${rule.environment}`;
  const record = recordOf(entries ?? []);
  if (record !== null) beside.record = `guess: its ${record.because} points at this application`;
  says.push(...usersSay(entries, input.callers?.get(object.appId.toLowerCase()) ?? null, record));
  return {
    row: {
      status: "proposed",
      name: freeName(object, names),
      procedure: "entra-client-secret",
      ...(rule === undefined ? {} : { environment: rule.environment }),
      tenant: input.tenant,
      objectId: object.objectId.toLowerCase(),
      appId: object.appId.toLowerCase(),
      ...(people.length === 0 ? {} : { owners: [...new Set(people)] }),
      ...(record === null ? {} : { record: { connection: record.connection, name: record.name } }),
    },
    says,
    beside,
  };
}

function ownersSay(owned: ObjectOwners["owners"] | null): string {
  if (owned === null) return "Owners: not read.";
  if (owned.length === 0) return "Owners: nobody.";
  const list = owned.map(
    ({ name, id, kind, enabled }) => `${name ?? id} (${kind}${enabled === false ? ", disabled" : ""})`,
  );
  return `Owners: ${list.join("; ")}`;
}

/** The one entry that a tag binds to the application; several, or a likeness of names, are for a person to judge. */
function recordOf(entries: readonly EntryFound[]): EntryFound | null {
  const tagged = entries.filter(({ because }) => because !== "name");
  return tagged.length === 1 ? (tagged[0] ?? null) : null;
}

function usersSay(
  entries: readonly EntryFound[] | null,
  callers: readonly CallerFound[] | null,
  record: EntryFound | null,
): string[] {
  const others = (entries ?? []).filter((entry) => entry !== record);
  return [
    ...others.map(
      ({ connection, name, because }) => `Perhaps its record or a copy: ${connection}/${name} (${because})`,
    ),
    ...(entries === null ? ["Vault entries: not read."] : []),
    ...(callers ?? []).map(
      ({ address, lastAt }) =>
        `A consumer: signs in from ${address}, last on ${new Date(lastAt).toISOString().slice(0, 10)}`,
    ),
    ...(callers === null ? ["Sign-ins: not read."] : callers.length === 0 ? ["Sign-ins: none seen."] : []),
  ];
}

function freeName(object: ScannedObject, names: Set<string>): string {
  const wished = slugOf(object.name) || `app-${slugOf(object.appId).slice(0, 8)}`;
  let name = wished;
  for (let n = 2; names.has(name); n += 1) name = `${wished}-${n}`;
  names.add(name);
  return name;
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
