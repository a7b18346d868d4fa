import { join } from "node:path";
import {
  type Consumer,
  type ConsumerKind,
  groupOf,
  isEntra,
  type Row,
  seated,
  seatsOf,
  variableOf,
  vaults,
  workDatabase,
} from "./names.ts";
import type { Directory } from "./simulator.ts";

/** The organization and its project that all variable groups are in, and the resource group of the apps. */
const places = { organization: "acme", project: "shop", resourceGroup: "rg" } as const;

/** A kind of consumer: its words in the inventory, and the program of the tenant that lives on it. */
interface Kind {
  /** As docs/inventory.md names it. */
  readonly kind: string;
  /** Where it stands, as YAML; empty or beginning with a comma. */
  target(row: string, seat: number | undefined): string;
  workload(row: string, files: string, seat: number | undefined): object;
}

const kinds: Readonly<Record<ConsumerKind, Kind>> = {
  latest: {
    kind: "latest",
    target: () => "",
    workload: (row, _files, seat) => ({ kind: "entra-latest", vault: seated(vaults.main, seat), secret: row }),
  },
  pinned: {
    kind: "pinned",
    target: (row) => `, connection: files, path: ${row}.ref`,
    workload: (row, files) => ({ kind: "entra-pinned", file: join(files, `${row}.ref`) }),
  },
  copied: {
    kind: "copied",
    target: (row, seat) => `, connection: ${seated("partner", seat)}, entry: ${row}`,
    workload: (row, _files, seat) => ({ kind: "entra-copied", vault: seated(vaults.partner, seat), secret: row }),
  },
  "connection-file": {
    kind: "connection-file",
    target: (row) => `, connection: files, path: ${row}.json`,
    workload: (row, files) => ({ kind: "postgres-file", postgres: workDatabase, file: join(files, `${row}.json`) }),
  },
  pipeline: {
    kind: "devops-variable",
    target: (row, seat) =>
      `, connection: ${seated("acme", seat)}, project: ${places.project}, group: ${groupOf(row)}, variable: ${variableOf(row)}`,
    workload: (row) => ({
      kind: "entra-pipeline",
      container: `${places.organization}/${groupOf(row)}`,
      entry: variableOf(row),
    }),
  },
  setting: {
    kind: "app-setting",
    target: (row, seat) =>
      `, connection: ${seated("apps", seat)}, resourceGroup: ${places.resourceGroup}, site: ${row}, setting: CLIENT_SECRET`,
    workload: (row) => ({ kind: "entra-site", container: row, entry: "CLIENT_SECRET" }),
  },
  reference: {
    kind: "app-reference",
    target: (row, seat) =>
      `, connection: ${seated("apps", seat)}, resourceGroup: ${places.resourceGroup}, site: ${row}, setting: REFERENCE`,
    workload: (row) => ({ kind: "entra-site", container: row, entry: "REFERENCE" }),
  },
};

/** The consumer's line of the inventory. */
export function inventoryLine(row: Row, { name, kind, address }: Consumer): string {
  const callers = isEntra(row) ? address : "";
  return `      - { name: ${name}, kind: ${kinds[kind].kind}, environment: dev${kinds[kind].target(row.name, row.seat)}, pickup: PT10M, cadence: PT5M, callers: [${callers}] }`;
}

/** The program that lives on this consumer, as the tenant hosts it. */
export function workloadOf(row: Row, { name, kind, address }: Consumer, files: string): object {
  return {
    name,
    ...(isEntra(row) ? { application: row.name } : {}),
    ...kinds[kind].workload(row.name, files, row.seat),
    ipAddress: address,
  };
}

/** What the tenant has for pipelines and apps: one variable group and one app for each row that has such consumers. */
export function placesOf(rows: readonly Row[]): object {
  const using = (...wanted: ConsumerKind[]) =>
    rows.filter(({ consumers = [] }) => consumers.some((kind) => wanted.includes(kind)));
  const from = (row: string) => ({ from: { application: row, secret: "current" } });
  const pipelines = using("pipeline");
  const groups = pipelines.map(({ name }) => ({
    id: groupOf(name),
    name: `secrets of ${name}`,
    projects: [places.project],
    variables: { [variableOf(name)]: { ...from(name), isSecret: true }, REGION: { value: "westeurope" } },
  }));
  const granted = (using: readonly Row[]) => seatsOf(using).map((seat) => ({ caller: clientOf(seat) }));
  return {
    devops:
      pipelines.length === 0
        ? []
        : [{ name: places.organization, projects: [places.project], groups, grants: granted(pipelines) }],
    sites: using("setting", "reference").map(({ name, seat }) => ({
      site: name,
      settings: {
        CLIENT_SECRET: from(name),
        REFERENCE: { reference: { vault: seated(vaults.main, seat), secret: name } },
        REGION: { value: "westeurope" },
      },
      grants: [{ caller: clientOf(seat) }],
    })),
  };
}

/** Who acts there: the writer, or the one caller of a seat. */
function clientOf(seat: number | undefined): string {
  return seat === undefined ? "writer" : seated("vault", seat);
}

/** Their connections, where the tenant has such places. */
export function placeConnections(
  { urls, callers, subscription, sites }: Directory,
  seat: number | undefined,
): string[] {
  const name = clientOf(seat);
  const client = `client: { clientId: ${callers[name]?.clientId}, secret: "file:${name}.secret" }`;
  const base = `environment: dev, prod: false, tenant: ${seated("crash", seat)}`;
  const organization = urls.devops[places.organization];
  const pipelines = `{ name: ${seated("acme", seat)}, kind: devops, ${base}, url: "${organization}/${places.organization}", ${client}, names: ["${places.project}/*/*"], audit: "${organization}/${places.organization}" }`;
  const apps = `{ name: ${seated("apps", seat)}, kind: app-service, ${base}, subscription: ${subscription}, url: "${urls.arm}", audience: "https://management.azure.com", ${client}, names: ["${places.resourceGroup}/*/*"], watch: true }`;
  return [...(organization === undefined ? [] : [pipelines]), ...(sites.length === 0 ? [] : [apps])];
}
