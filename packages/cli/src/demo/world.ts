import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { OrdersDatabase } from "./orders-database.ts";
import type { Directory, SimulatedTenant } from "./simulator.ts";

/** The people of the demo; it says everywhere that they sign in with passwords made for it. */
export const demoPeople = [
  { login: "ada", name: "Ada Obermann", roles: ["app-owner"] },
  { login: "ben", name: "Ben Ortega", roles: ["platform"] },
  { login: "cleo", name: "Cleo Stern", roles: ["security"] },
] as const;

export const demoPassword = "demo";

/** Opaque id of a demo person. */
export function personId(login: string): string {
  return `p_${createHash("sha256").update(`demo:${login}`).digest("hex").slice(0, 16)}`;
}

/** The chat room in which people are told. */
export const demoRoom = "ops";

/** Names of the applications that the demo rotates. */
export const demoApplications = { entra: "billing-api", failing: "reports-api", postgres: "orders-db" } as const;

/** Everything the demo's documents need to know of the simulated tenant. */
export interface DemoPlaces {
  readonly folder: string;
  readonly api: number;
  readonly hook: string | null;
}

/** The tenant as a company might have it: secrets made by hand, consumers of every kind, a database with two roles. */
export function demoScenario(folder: string, orders: OrdersDatabase): object {
  const file = (name: string) => join(folder, "files", name);
  const application = (name: string, expiresInDays: number) => ({
    name,
    displayName: name,
    owners: ["writer"],
    secrets: [{ name: "current", displayName: "made by hand", startDaysAgo: 360 - expiresInDays, expiresInDays }],
  });
  const reads = (name: string, vault: string) => ({ application: name, vault, secret: name, role: "user" });
  return {
    applications: [
      application(demoApplications.entra, 13),
      application(demoApplications.failing, 12),
      application("warehouse", 200),
    ],
    chat: [{ name: demoRoom, kind: "slack" }],
    vaults: [{ name: "main" }, { name: "partner" }],
    vaultEntries: [
      ...[demoApplications.entra, demoApplications.failing].flatMap((name) =>
        ["main", "partner"].map((vault) => ({ vault, secret: name, from: { application: name, secret: "current" } })),
      ),
      ...(orders.initial === null
        ? []
        : [{ vault: "main", secret: demoApplications.postgres, value: JSON.stringify(orders.initial) }]),
    ],
    access: [demoApplications.entra, demoApplications.failing].flatMap((name) => [
      reads(name, "main"),
      reads(name, "partner"),
    ]),
    postgres: [{ name: "orders", host: orders.host, port: orders.port, listenPort: 0 }],
    workloads: [
      {
        name: "billing-web",
        kind: "entra-latest",
        application: demoApplications.entra,
        vault: "main",
        secret: demoApplications.entra,
        intervalSeconds: 600,
        cacheSeconds: 3_600,
        ipAddress: "10.1.0.11",
      },
      {
        name: "billing-batch",
        kind: "entra-pinned",
        application: demoApplications.entra,
        file: file("billing/batch.ref"),
        intervalSeconds: 900,
        cacheSeconds: 1_800,
        ipAddress: "10.1.0.12",
      },
      {
        name: "billing-partner",
        kind: "entra-copied",
        application: demoApplications.entra,
        vault: "partner",
        secret: demoApplications.entra,
        intervalSeconds: 900,
        cacheSeconds: 1_800,
        ipAddress: "10.1.0.13",
      },
      {
        name: "reports-web",
        kind: "entra-latest",
        application: demoApplications.failing,
        vault: "main",
        secret: demoApplications.failing,
        intervalSeconds: 300,
        cacheSeconds: 3_600,
        ipAddress: "10.1.0.21",
      },
      {
        name: "reports-partner",
        kind: "entra-copied",
        application: demoApplications.failing,
        vault: "partner",
        secret: demoApplications.failing,
        intervalSeconds: 300,
        cacheSeconds: 1_800,
        ipAddress: "10.1.0.22",
      },
      // Seldom: each sign-in is a new session of a real server, and most of what a day costs is making them.
      {
        name: "orders-api",
        kind: "postgres-file",
        postgres: "orders",
        file: file("orders/connection.json"),
        intervalSeconds: 900,
        cacheSeconds: 1_800,
        ipAddress: "10.1.0.31",
      },
      // Looks at other times than the first: whenever the file is written, one of them lags.
      {
        name: "orders-report",
        kind: "postgres-file",
        postgres: "orders",
        file: file("orders/connection.json"),
        intervalSeconds: 900,
        cacheSeconds: 1_800,
        startAfterSeconds: 900,
        ipAddress: "10.1.0.32",
      },
    ],
  };
}

/** Writes what the consumers hold on the first day: a pinned reference and a connection file. */
export async function writeConsumerFiles(
  folder: string,
  tenant: SimulatedTenant,
  orders: OrdersDatabase,
): Promise<void> {
  mkdirSync(join(folder, "files/billing"), { recursive: true });
  mkdirSync(join(folder, "files/orders"), { recursive: true });
  const directory = await tenant.directory();
  const reference = await newestVersion(directory, "main", demoApplications.entra);
  writeFileSync(join(folder, "files/billing/batch.ref"), `${reference}\n`, { mode: 0o600 });
  if (orders.initial === null) return;
  const { hostname, port } = new URL(directory.urls.postgres.orders ?? "postgres://127.0.0.1:0");
  const connection = { host: hostname, port: Number(port), database: "orders", ...orders.initial };
  writeFileSync(join(folder, "files/orders/connection.json"), `${JSON.stringify(connection, null, 2)}\n`, {
    mode: 0o600,
  });
}

/** Address of the newest version of an entry, asked for as any client of the vault does. */
async function newestVersion(directory: Directory, vault: string, name: string): Promise<string> {
  const { clientId, clientSecret } = directory.callers.vault;
  const token = await fetch(new URL(`/${directory.tenant.id}/oauth2/v2.0/token`, directory.urls.authority), {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "client_credentials",
      client_id: clientId,
      client_secret: clientSecret,
      scope: "https://vault.azure.net/.default",
    }),
  });
  const { access_token: bearer } = (await token.json()) as { access_token: string };
  const answer = await fetch(new URL(`/secrets/${name}?api-version=7.6`, directory.urls.vaults[vault]), {
    headers: { authorization: `Bearer ${bearer}` },
  });
  const { id } = (await answer.json()) as { id: string };
  return id;
}

/** Writes countersign.yaml, inventory.yaml, policy.yaml and the secret files they refer to. */
export function writeDocuments(places: DemoPlaces, directory: Directory, orders: OrdersDatabase, clock: string): void {
  const { folder } = places;
  const secret = (name: string, value: string) => writeFileSync(join(folder, name), value, { mode: 0o600 });
  secret("reader.secret", directory.callers.reader.clientSecret);
  secret("writer.secret", directory.callers.writer.clientSecret);
  secret("vault.secret", directory.callers.vault.clientSecret);
  secret("rotator.secret", orders.rotator.password);
  // The address of an incoming webhook is itself the secret.
  secret("room.secret", directory.chat.find(({ name }) => name === demoRoom)?.url ?? "");
  secret("hook.secret", randomBytes(24).toString("base64"));
  for (const { login } of demoPeople) secret(`${login}.secret`, demoPassword);
  writeFileSync(join(folder, "countersign.yaml"), configYaml(places, directory, orders, clock));
  writeFileSync(join(folder, "inventory.yaml"), inventoryYaml(directory));
  writeFileSync(join(folder, "policy.yaml"), policyYaml);
}

function configYaml({ api, hook }: DemoPlaces, directory: Directory, orders: OrdersDatabase, clock: string): string {
  const { reader, writer, vault } = directory.callers;
  const postgres = new URL(directory.urls.postgres.orders ?? "postgres://127.0.0.1:0");
  const people = demoPeople.map(
    ({ login, name, roles }) =>
      `    - { person: ${personId(login)}, name: ${name}, email: ${login}@demo.example, iss: "https://demo.countersign.invalid", sub: ${login}, roles: [${roles.join(", ")}], password: "file:${login}.secret" }`,
  );
  const store = (name: string) =>
    `  - { name: ${name}, kind: key-vault, environment: dev, prod: false, tenant: demo, url: "${directory.urls.vaults[name]}", audience: "https://vault.azure.net", client: { clientId: ${vault.clientId}, secret: "file:vault.secret" }, names: ["billing-*", "reports-*", "orders-*"] }`;
  return `# Made for the demo: a simulated tenant on this machine, a virtual clock, local sign-in.
version: 1
profile: demo
state: ./state
database: { embedded: true }
network: { loopback: true }
clock: { url: "${clock}" }
api: { listen: "127.0.0.1:${api}", url: "http://127.0.0.1:${api}" }
tenants:
  - name: demo
    id: ${directory.tenant.id}
    authority: "${directory.urls.authority}"
    graph: "${directory.urls.graph}"
    reader: { clientId: ${reader.clientId}, secret: "file:reader.secret" }
    writer: { clientId: ${writer.clientId}, secret: "file:writer.secret" }
    ownAddresses: ["127.0.0.1"]
    signInLogLagSeconds: 600
connections:
${store("main")}
${store("partner")}
  - { name: files, kind: files, environment: dev, prod: false, root: ./files, paths: ["billing/*.ref", "orders/*.json"] }
  - { name: orders, kind: postgres, environment: dev, prod: false, host: ${postgres.hostname}, port: ${postgres.port}, database: orders, user: ${orders.rotator.user}, password: "file:rotator.secret", tls: { mode: disable }, roles: ["orders_*"] }
scan: { cron: "0 6 * * *", zone: Europe/Berlin, changesEverySeconds: 21600 }
audit: { everySeconds: 21600 }
liveness: { leaseMs: 10000, beatMs: 1000, freshMs: 5000, callDeadlineMs: 10000, settleMs: 10000 }
notify: [${[`{ name: ${demoRoom}, kind: slack, url: "file:room.secret" }`, ...(hook === null ? [] : [`{ kind: webhook, url: "${hook}", secret: "file:hook.secret" }`])].join(", ")}]
signIn:
  local:
${people.join("\n")}
`;
}

function inventoryYaml(directory: Directory): string {
  const ids = (name: string) => {
    const found = directory.applications.find((application) => application.name === name);
    return `objectId: ${found?.objectId}\n    appId: ${found?.appId}`;
  };
  const owner = personId("ada");
  const { entra, failing, postgres } = demoApplications;
  return `# The allowlist: only what stands here may ever be touched.
apiVersion: countersign/inventory/v1
applications:
  - name: ${entra}
    procedure: entra-client-secret
    tenant: demo
    ${ids(entra)}
    environment: dev
    owners: [${owner}]
    record: { connection: main, name: ${entra} }
    consumers:
      - { name: billing-web, kind: latest, environment: dev, pickup: PT1H, cadence: PT10M, callers: [10.1.0.11] }
      - { name: billing-batch, kind: pinned, environment: dev, connection: files, path: billing/batch.ref, pickup: PT30M, cadence: PT15M, callers: [10.1.0.12] }
      - { name: billing-partner, kind: copied, environment: dev, connection: partner, entry: ${entra}, pickup: PT30M, cadence: PT15M, callers: [10.1.0.13] }
  - name: ${failing}
    procedure: entra-client-secret
    tenant: demo
    ${ids(failing)}
    environment: dev
    owners: [${owner}]
    record: { connection: main, name: ${failing} }
    consumers:
      - { name: reports-web, kind: latest, environment: dev, pickup: PT1H, cadence: PT5M, callers: [10.1.0.21] }
      - { name: reports-partner, kind: copied, environment: dev, connection: partner, entry: ${failing}, pickup: PT30M, cadence: PT5M, callers: [10.1.0.22] }
  - name: ${postgres}
    procedure: postgres-role-password
    tenant: demo
    environment: dev
    owners: [${owner}]
    connection: orders
    roles: [orders_a, orders_b]
    record: { connection: main, name: ${postgres} }
    consumers:
      - { name: orders-api, kind: connection-file, environment: dev, connection: files, path: orders/connection.json, pickup: PT30M, cadence: PT5M, callers: [] }
`;
}

const policyYaml = `# Who must say yes, when, and how long old and new secret live side by side.
apiVersion: countersign/policy/v1
name: demo
revision: 1
environments:
  dev:
    match: { environment: dev }
    prod: false
    rotateWhenExpiresIn: P14D
    secretLifetime: { max: P90D }
    overlap: { min: P4D, max: P8D }
    windows: always
    approvals:
      expiresAfter: P2D
      minLevel: session
      require:
        - { role: app-owner, from: owner-of-app, count: 1 }
        - { role: platform, from: "role:platform", count: 1 }
      separation: [requester-cannot-approve, one-person-one-role]
    proof: { times: 5, spacing: PT15S, deadline: PT5M }
    rollback: { minRemaining: P2D }
    emergency:
      approvals: { expiresAfter: PT4H, require: [{ role: security, from: "role:security", count: 1 }] }
      containWithin: PT1H
      restoreWithin: PT4H
    breakGlass: { roles: [platform], confirm: [app-owner, security], expiresAfter: PT1H, confirmWithin: P1D, reviewWithin: P3D, unconfirmed: hold }
    retire: { minGrade: strong, consumerLevel: used, quiet: P1D }
    kinds:
      # PostgreSQL keeps no history of logins: who connects only for a moment is never seen, so "used" cannot be asked for.
      postgres-role-password: { retire: { minGrade: weak, consumerLevel: value-matched, quiet: PT1H } }
    mode: supervised
`;
