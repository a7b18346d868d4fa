import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeByHand, portalUsers } from "./by-hand.ts";
import { placesOf, workloadOf } from "./consumers.ts";
import type { WorkServer } from "./database.ts";
import type { Lane } from "./lane.ts";
import {
  consumersOf,
  isEntra,
  isNamed,
  programOf,
  type Row,
  rolesOf,
  seated,
  seatsOf,
  tenantIdOf,
  vaults,
  workDatabase,
} from "./names.ts";
import type { Directory, Simulator } from "./simulator.ts";

const signInEverySeconds = 240;
/** How long a consumer keeps what it read; the inventory declares twice as much. */
const cacheSeconds = 300;

const readerRoles = ["Application.Read.All", "AuditLog.Read.All", "Policy.Read.All"];

/** Seeds the tenant: an application or a pair of roles per row, each value in the vaults, nobody using it yet. */
export async function seedTenant(
  simulator: Simulator,
  server: WorkServer,
  rows: readonly Row[],
  folder: string,
): Promise<Directory> {
  const entra = rows.filter(isEntra);
  const postgres = rows.filter((row) => !isEntra(row));
  const account = (row: string) => ({ user: rolesOf(row)[0], password: server.initial.get(row) ?? "" });
  const seats = seatsOf(rows).filter((seat) => seat !== undefined);
  await simulator.post("/seed", {
    users: portalUsers,
    aliases: seats.map((seat) => tenantIdOf("", seat)),
    applications: entra.map(({ name, seat }) => ({
      name,
      displayName: name,
      owners: [seated("writer", seat)],
      secrets: [{ name: "current", displayName: "made by hand", startDaysAgo: 60, expiresInDays: 200 }],
    })),
    callers: seats.flatMap((seat) => [
      { name: seated("reader", seat), roles: readerRoles },
      { name: seated("writer", seat), roles: ["Application.ReadWrite.OwnedBy", ...readerRoles] },
      { name: seated("vault", seat), vaults: { "*": "officer" } },
    ]),
    vaults: seatsOf(rows).flatMap((seat) =>
      Object.values(vaults).map((name) => ({
        name: seated(name, seat),
        ...(seat === undefined ? {} : { tenant: tenantIdOf("", seat) }),
      })),
    ),
    vaultEntries: [
      ...entra.flatMap(({ name, seat }) =>
        Object.values(vaults).map((vault) => ({
          vault: seated(vault, seat),
          secret: name,
          from: { application: name, secret: "current" },
        })),
      ),
      ...postgres.map(({ name, seat }) => ({
        vault: seated(vaults.main, seat),
        secret: name,
        value: JSON.stringify(account(name)),
      })),
    ],
    access: entra.flatMap(({ name, seat }) =>
      Object.values(vaults).map((vault) => ({
        application: name,
        vault: seated(vault, seat),
        secret: name,
        role: "user",
      })),
    ),
    ...placesOf(rows),
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
  for (const { name, seat } of entra) {
    const main = directory.vaults.find((vault) => vault.name === seated(vaults.main, seat));
    const version = main?.secrets.find((secret) => secret.name === name)?.versions.at(-1)?.version;
    writeFileSync(
      join(folder, "files", `${name}.ref`),
      `${directory.urls.vaults[seated(vaults.main, seat)]}/secrets/${name}/${version}\n`,
      {
        mode: 0o600,
      },
    );
  }
  return directory;
}

/** Starts the programs that live on these rows' secrets: they sign in from now on, until {@link stopWorkloads}. */
export async function startWorkloads(
  lane: Lane,
  rows: readonly Row[],
  intervalSeconds = signInEverySeconds,
): Promise<void> {
  const { simulator, folder } = lane;
  // All at the same instant: each instant at which something happens is one more at which the whole product looks around.
  const workloads = rows.flatMap((row) =>
    consumersOf(row).map((consumer) => ({
      ...workloadOf(row, consumer, join(folder, "files")),
      intervalSeconds,
      // What a reference is worth is kept by the platform; the app itself keeps nothing.
      cacheSeconds: consumer.kind === "reference" ? 0 : cacheSeconds,
      startAfterSeconds: 1,
    })),
  );
  await simulator.post("/seed", { workloads });
  await makeByHand(lane, rows, intervalSeconds);
}

/** A row whose run is over costs nothing any more. */
export async function stopWorkloads(simulator: Simulator, row: Row): Promise<void> {
  const programs = isNamed(row) ? [programOf(row)] : [];
  for (const name of [...consumersOf(row).map((consumer) => consumer.name), ...programs])
    await simulator.post(`/workloads/${name}/stop`, {});
}
