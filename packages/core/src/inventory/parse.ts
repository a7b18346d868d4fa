import { digestOf, type Json } from "@countersign/evidence";
import { unique } from "../config/checks.ts";
import { kindOf } from "../consumer-kinds/index.ts";
import type { ReadDocument } from "../documents/checked.ts";
import { type CsvDelimiter, readCsv, type TableLine } from "../documents/csv.ts";
import type { Problem } from "../documents/problem.ts";
import { readYaml } from "../documents/yaml.ts";
import type { DurationOptions } from "../time/duration.ts";
import type { Consumer, InventoryRow } from "./row.ts";
import { type InventoryForm, inventoryForm } from "./schema.ts";
import { readTable } from "./table.ts";

/** A row that somebody proposes: not listed, so nothing may be done for it, and nothing of it need be complete. */
export type ProposedRow = Extract<InventoryForm["applications"][number], { status: "proposed" }>;

/** The allowlist, read. */
export interface Inventory {
  readonly rows: readonly InventoryRow[];
  readonly proposed: readonly ProposedRow[];
  /** Digest of the file's bytes, comments included: what a person accepted is what was hashed. */
  readonly digest: string;
}

/** In which form an inventory is written. */
export type InventoryFormat = { readonly form: "yaml" } | { readonly form: "csv"; readonly delimiter: CsvDelimiter };

type Application = Exclude<InventoryForm["applications"][number], ProposedRow>;

/** Reads an inventory. Throws INVENTORY_INVALID with every problem and its place. */
export function parseInventory(
  input: Uint8Array | string,
  durations: DurationOptions,
  format: InventoryFormat = { form: "yaml" },
): Inventory {
  const schema = inventoryForm(durations);
  const document =
    format.form === "yaml"
      ? readYaml(input, "INVENTORY_INVALID", schema)
      : readTable(readCsv(input, "INVENTORY_INVALID", format.delimiter), schema);
  const digest = digestOf(typeof input === "string" ? new TextEncoder().encode(input) : input);
  return { ...checkedRows(document), digest };
}

/** Reads an inventory that stands in a table elsewhere; it has no bytes, so no digest yet. */
export function parseInventoryTable(
  lines: readonly TableLine[],
  durations: DurationOptions,
): Omit<Inventory, "digest"> {
  return checkedRows(readTable(lines, inventoryForm(durations)));
}

/** The rules across fields and rows. */
function checkedRows(document: ReadDocument<InventoryForm>): Omit<Inventory, "digest"> {
  const { applications: all } = document.value;
  const places = new Map(all.map((application, index) => [application, index]));
  const isProposed = (application: (typeof all)[number]): application is ProposedRow =>
    application.status === "proposed";
  const applications = all.filter((application): application is Application => !isProposed(application));
  const placeOf = (index: number) => places.get(applications[index] as Application) ?? 0;
  const problems: Problem[] = [];
  const twice = (key: string, of: (application: Application) => string) =>
    unique(applications.map(of), (index) =>
      problems.push(
        document.problem(["applications", placeOf(index), key], "expected each only once, got one that stands above"),
      ),
    );
  unique(
    all.map((application) => application.name),
    (index) =>
      problems.push(
        document.problem(["applications", index, "name"], "expected each only once, got one that stands above"),
      ),
  );
  // One row per application: two rows could carry two owners, and the laxer one would win.
  twice("objectId", (application) => ("objectId" in application ? application.objectId : application.name));
  twice("appId", (application) => ("appId" in application ? application.appId : application.name));
  twice("record", (application) => `${application.record.connection}/${application.record.name.toLowerCase()}`);
  const roleUsers = new Set<string>();
  applications.forEach((application, index) => {
    const here = ["applications", placeOf(index)] as const;
    const consumers = consumersOf(application);
    for (const [path, people] of namedIn(application))
      unique(people, (at) =>
        problems.push(document.problem([...here, ...path, at], "expected each owner once, got one that stands above")),
      );
    unique(
      consumers.map((consumer) => consumer.name),
      (at) =>
        problems.push(
          document.problem([...here, "consumers", at, "name"], "expected a unique name, got one that stands above"),
        ),
    );
    unique(consumers.map(targetKey), (at) =>
      problems.push(
        document.problem([...here, "consumers", at], "expected each target once, got one that stands above"),
      ),
    );
    consumers.forEach((consumer, at) => {
      const path = [...here, "consumers", at, "kind"];
      if (application.procedure === "entra-client-secret" && consumer.kind === "connection-file")
        problems.push(
          document.problem(
            path,
            "expected a kind that holds a client secret for an Entra application, got connection-file",
          ),
        );
      const problem = kindOf(consumer).problem?.(consumer) ?? null;
      if (problem !== null) problems.push(document.problem([...here, "consumers", at], problem));
      if (
        consumer.kind === "copied" &&
        consumer.connection === application.record.connection &&
        consumer.entry.toLowerCase() === application.record.name.toLowerCase()
      )
        problems.push(document.problem(path, "expected a copy outside the record itself, got the record"));
    });
    if (application.procedure !== "postgres-role-password") return;
    if (application.roles[0] === application.roles[1])
      problems.push(document.problem([...here, "roles"], "expected two different roles, got one twice"));
    for (const role of application.roles) {
      const key = `${application.connection}/${role}`;
      if (roleUsers.has(key) && application.roles[0] !== application.roles[1])
        problems.push(document.problem([...here, "roles"], `expected each role in one row, got ${role} again`));
      roleUsers.add(key);
    }
  });
  document.refuse(problems);
  return { rows: applications.map(rowOf), proposed: all.filter(isProposed) };
}

/** The lists of people in an application, each with its place. One person may be in several: he answers for more than one thing. */
function namedIn(application: Application): (readonly [path: readonly string[], people: readonly string[]])[] {
  const { owners, businessOwners = [] } = application;
  const credentialOwners = "credentialOwners" in application ? (application.credentialOwners ?? {}) : {};
  return [
    [["owners"], owners],
    [["businessOwners"], businessOwners],
    ...Object.entries(credentialOwners).map(([id, people]) => [["credentialOwners", id], people] as const),
  ];
}

/** Where a consumer's value stands, so that none is declared twice. Several may read the record itself or be updated by hand. */
function targetKey(consumer: Consumer): string {
  const kind = kindOf(consumer);
  return "connection" in consumer
    ? `${consumer.connection}:${kind.scopeName(consumer).toLowerCase()}`
    : `${consumer.kind}:${consumer.name}`;
}

/** Consumers in the form of the domain. Their kinds' own fields were checked by the schema that was built of them. */
function consumersOf(application: Pick<Application, "consumers">): Consumer[] {
  return application.consumers.map(
    ({ pickup, cadence, ...consumer }) =>
      ({ ...consumer, pickupSeconds: pickup, cadenceSeconds: cadence }) as unknown as Consumer,
  );
}

function rowOf({ status: _status, note: _note, ...application }: Application): InventoryRow {
  const row = { ...application, consumers: consumersOf(application) };
  return { ...row, rowDigest: digestOf(row as unknown as Json) };
}
