import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ChannelName, channelEntries, channelSecrets } from "../../scenarios/telling.ts";
import { inventoryLine, placeConnections } from "./consumers.ts";
import type { WorkServer } from "./database.ts";
import {
  consumersOf,
  isEntra,
  isNamed,
  people,
  personId,
  type Row,
  rolesOf,
  rotatorOf,
  seated,
  seatsOf,
  tenantIdOf,
  workDatabase,
} from "./names.ts";
import type { Directory } from "./simulator.ts";

/** Liveness as suites run it (real milliseconds); a take-over from a dead process of this host needs none of it but `settle`. */
export const liveness = {
  leaseMs: 2_000,
  beatMs: 200,
  freshMs: 1_000,
  callDeadlineMs: 1_000,
  settleMs: 1_000,
};

/** What another suite wants otherwise in the configuration. */
export interface Variation {
  readonly liveness?: Partial<Record<keyof typeof liveness, number>>;
  /** Entries of `notify`; secret files they name are the caller's. */
  readonly notify?: readonly string[];
  /** Channels that the tenant has receivers for; a ticket system among them gets a ticket per matter. */
  readonly channels?: readonly ChannelName[];
  /** How long an approval may wait for its start (ISO 8601); two days unless said otherwise. */
  readonly approvalExpiresAfter?: string;
  /** Further lines of countersign.yaml. */
  readonly more?: string;
}

interface Places extends Variation {
  readonly folder: string;
  /** Name of the configuration file. */
  readonly config: string;
  readonly api: number;
  readonly clock: string;
}

/** Writes configuration, inventory, policy and the secret files they name. */
export function writeDocuments(places: Places, directory: Directory, server: WorkServer, rows: readonly Row[]): void {
  const { folder } = places;
  const secret = (name: string, value: string) => writeFileSync(join(folder, `${name}.secret`), value, { mode: 0o600 });
  for (const [name, { clientSecret }] of Object.entries(directory.callers)) secret(name, clientSecret);
  for (const [name, value] of channelSecrets(directory)) writeFileSync(join(folder, name), value, { mode: 0o600 });
  secret("rotator", server.rotator.password);
  secret("database", server.productUrl);
  for (const { login } of people) secret(login, passwordOf(login));
  writeFileSync(join(folder, places.config), configuration(places, directory, rows));
  writeFileSync(join(folder, "inventory.yaml"), inventory(directory, rows));
  writeFileSync(join(folder, "policy.yaml"), policy(places.approvalExpiresAfter ?? "P2D"));
}

/** Password of a person of the test; long enough to be found in a search, should it leak. */
export function passwordOf(login: string): string {
  return `sign-in-of-${login}-for-crash-tests`;
}

function configuration(
  { api, clock, notify = [], channels = [], liveness: other, more = "" }: Places,
  directory: Directory,
  rows: readonly Row[],
): string {
  const { callers, tenant, urls } = directory;
  const told = channelEntries(channels, directory);
  const proxy = new URL(urls.postgres[workDatabase] ?? "postgres://127.0.0.1:0");
  const client = (name: string, seat: number | undefined) =>
    `{ clientId: ${callers[seated(name, seat)]?.clientId}, secret: "file:${seated(name, seat)}.secret" }`;
  const tenantEntry = (seat: number | undefined) => `  - name: ${seated("crash", seat)}
    id: ${tenantIdOf(tenant.id, seat)}
    authority: "${urls.authority}"
    graph: "${urls.graph}"
    reader: ${client("reader", seat)}
    writer: ${client("writer", seat)}
    signInLogLagSeconds: 0
`;
  const vault = (name: string, seat: number | undefined) =>
    `  - { name: ${seated(name, seat)}, kind: key-vault, environment: dev, prod: false, tenant: ${seated("crash", seat)}, url: "${urls.vaults[seated(name, seat)]}", audience: "https://vault.azure.net", client: ${client("vault", seat)}, names: ["e*", "p*", "f*", "c*"] }`;
  const orders = (seat: number | undefined) =>
    `  - { name: ${seated("orders", seat)}, kind: postgres, environment: dev, prod: false, host: ${proxy.hostname}, port: ${proxy.port}, database: ${workDatabase}, user: ${rotatorOf({ seat })}, password: "file:rotator.secret", tls: { mode: disable }, roles: ["p*"] }`;
  const connections = seatsOf(rows).flatMap((seat) => [
    vault("main", seat),
    vault("partner", seat),
    orders(seat),
    ...placeConnections(directory, seat).map((line) => `  - ${line}`),
  ]);
  const person = ({ login, name, roles }: (typeof people)[number]) =>
    `    - { person: ${personId(login)}, name: ${name}, email: ${login}@crash.example, iss: "https://crash.countersign.invalid", sub: ${login}, roles: [${roles.join(", ")}], password: "file:${login}.secret" }`;
  return `version: 1
profile: test
state: ./state
database: { url: "file:database.secret" }
network: { loopback: true }
clock: { url: "${clock}" }
api: { listen: "127.0.0.1:${api}", url: "http://127.0.0.1:${api}" }
tenants:
${seatsOf(rows).map(tenantEntry).join("")}connections:
${connections.join("\n")}
  - { name: files, kind: files, environment: dev, prod: false, root: ./files, paths: ["*.ref", "*.json"] }
scan: { cron: "0 6 1 1 *", zone: UTC, changesEverySeconds: 0 }
audit: { everySeconds: 0 }
liveness: ${JSON.stringify({ ...liveness, ...other })}
notify: [${[...notify, ...told.notify].join(", ")}]
tickets: [${told.tickets.join(", ")}]
${more}signIn:
  local:
${people.map(person).join("\n")}
`;
}

function inventory(directory: Directory, rows: readonly Row[]): string {
  const ids = new Map(directory.applications.map((application) => [application.name, application]));
  const lines = rows.flatMap((row) => {
    const found = ids.get(row.name);
    const own = isEntra(row)
      ? [`objectId: ${found?.objectId}`, `appId: ${found?.appId}`]
      : [`connection: ${seated("orders", row.seat)}`, `roles: [${rolesOf(row.name).join(", ")}]`];
    return [
      `  - name: ${row.name}`,
      `    procedure: ${isNamed(row) ? "entra-client-secret" : row.procedure}`,
      `    tenant: ${seated("crash", row.seat)}`,
      ...own.map((line) => `    ${line}`),
      "    environment: dev",
      `    owners: [${personId("ada")}]`,
      `    record: { connection: ${seated("main", row.seat)}, name: ${row.name} }`,
      "    consumers:",
      ...consumersOf(row).map((consumer) => inventoryLine(row, consumer)),
    ];
  });
  return `apiVersion: countersign/inventory/v1\napplications:\n${lines.join("\n")}\n`;
}

const policy = (expiresAfter: string) => `apiVersion: countersign/policy/v1
name: crash
revision: 1
environments:
  dev:
    match: { environment: dev }
    prod: false
    rotateWhenExpiresIn: P14D
    secretLifetime: { max: P90D }
    overlap: { min: PT1H, max: P1D }
    windows: always
    approvals:
      expiresAfter: ${expiresAfter}
      minLevel: session
      require:
        - { role: app-owner, from: owner-of-app, count: 1 }
        - { role: platform, from: "role:platform", count: 1 }
      separation: [requester-cannot-approve, one-person-one-role]
    remediation:
      approvals:
        expiresAfter: ${expiresAfter}
        require:
          - { role: app-owner, from: owner-of-app, count: 1 }
          - { role: security, from: "role:security", count: 1 }
    proof: { times: 2, spacing: PT5S, deadline: PT5M }
    rollback: { minRemaining: P2D }
    retire: { minGrade: strong, consumerLevel: used, quiet: PT10M }
    kinds:
      postgres-role-password: { retire: { minGrade: weak, consumerLevel: value-matched, quiet: PT10M } }
    mode: supervised
`;
