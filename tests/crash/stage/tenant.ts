import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { WorkServer } from "./database.ts";
import { consumersOf, type Row, rolesOf, vaults, workDatabase } from "./names.ts";
import type { Directory, Simulator } from "./simulator.ts";

const signInEverySeconds = 120;
/** How long a consumer keeps what it read; the inventory declares twice as much. */
const cacheSeconds = 300;

/** Seeds the tenant: an application or a pair of roles per row, each value in the vaults, nobody using it yet. */
export async function seedTenant(
  simulator: Simulator,
  server: WorkServer,
  rows: readonly Row[],
  folder: string,
): Promise<Directory> {
  const entra = rows.filter(({ procedure }) => procedure === "entra-client-secret");
  const postgres = rows.filter(({ procedure }) => procedure === "postgres-role-password");
  const account = (row: string) => ({ user: rolesOf(row)[0], password: server.initial.get(row) ?? "" });
  await simulator.post("/seed", {
    applications: entra.map(({ name }) => ({
      name,
      displayName: name,
      owners: ["writer"],
      secrets: [{ name: "current", displayName: "made by hand", startDaysAgo: 60, expiresInDays: 200 }],
    })),
    vaults: Object.values(vaults).map((name) => ({ name })),
    vaultEntries: [
      ...entra.flatMap(({ name }) =>
        Object.values(vaults).map((vault) => ({ vault, secret: name, from: { application: name, secret: "current" } })),
      ),
      ...postgres.map(({ name }) => ({ vault: vaults.main, secret: name, value: JSON.stringify(account(name)) })),
    ],
    access: entra.flatMap(({ name }) =>
      Object.values(vaults).map((vault) => ({ application: name, vault, secret: name, role: "user" })),
    ),
    postgres: [{ name: workDatabase, host: server.host, port: server.port, listenPort: 0 }],
  });
  const directory = await simulator.directory();
  mkdirSync(join(folder, "files"));
  chmodSync(join(folder, "files"), 0o700);
  const proxy = new URL(directory.urls.postgres[workDatabase] ?? "postgres://127.0.0.1:0");
  for (const { name } of postgres) {
    const connection = { host: proxy.hostname, port: Number(proxy.port), database: workDatabase, ...account(name) };
    writeFileSync(join(folder, "files", `${name}.json`), `${JSON.stringify(connection, null, 2)}\n`, { mode: 0o600 });
  }
  const main = directory.vaults.find((vault) => vault.name === vaults.main);
  for (const { name } of entra) {
    const version = main?.secrets.find((secret) => secret.name === name)?.versions.at(-1)?.version;
    writeFileSync(join(folder, "files", `${name}.ref`), `${directory.urls.vaults.main}/secrets/${name}/${version}\n`, {
      mode: 0o600,
    });
  }
  return directory;
}

/** Starts the programs that live on one row's secret: they sign in from now on, until {@link stopWorkloads}. */
export async function startWorkloads(simulator: Simulator, row: Row, folder: string): Promise<void> {
  // All at the same instant: each instant at which something happens is one more at which the whole product looks around.
  const shared = (name: string, address: string) => ({
    name,
    intervalSeconds: signInEverySeconds,
    cacheSeconds,
    startAfterSeconds: 1,
    ipAddress: address,
  });
  const workloads = consumersOf(row).map(({ name, kind, address }) => {
    const common = shared(name, address);
    switch (kind) {
      case "latest":
        return { ...common, kind: "entra-latest", application: row.name, vault: vaults.main, secret: row.name };
      case "copied":
        return { ...common, kind: "entra-copied", application: row.name, vault: vaults.partner, secret: row.name };
      case "pinned":
        return {
          ...common,
          kind: "entra-pinned",
          application: row.name,
          file: join(folder, "files", `${row.name}.ref`),
        };
      case "connection-file":
        return {
          ...common,
          kind: "postgres-file",
          postgres: workDatabase,
          file: join(folder, "files", `${row.name}.json`),
        };
    }
  });
  await simulator.post("/seed", { workloads });
}

/** A row whose run is over costs nothing any more. */
export async function stopWorkloads(simulator: Simulator, row: Row): Promise<void> {
  for (const { name } of consumersOf(row)) await simulator.post(`/workloads/${name}/stop`, {});
}
