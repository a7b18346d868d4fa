import { randomBytes, randomUUID } from "node:crypto";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { EmbeddedDatabase } from "../../src/database/embedded.ts";
import { migrate } from "../../src/database/migrate.ts";
import { databaseKey } from "../../src/database/passwords.ts";
import { type Connections, embeddedAdmin, prepareUsers } from "../../src/database/users.ts";
import type { RunRequest } from "../../src/store/run-store.ts";
import { openStore, type Store, type StoreRole } from "../../src/store/store.ts";
import { placesIn, startTestServer } from "../cluster.ts";

export const startedAt = Date.UTC(2026, 10, 22, 6);
export const ada = "p_00000000000000aa";
export const bob = "p_00000000000000bb";

/** A folder in which a server may run also when we are root. */
export async function scratchFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "cs-"));
  await chmod(folder, 0o711);
  return folder;
}

/** One server per test file, with databases of their own. `flush`: write to the disk as in production, for a benchmark. */
export async function startServer(options: { flush?: boolean } = {}) {
  const scratch = await scratchFolder();
  const state = placesIn(scratch).stateFolder;
  const start = () => startTestServer(scratch, options);
  let embedded: EmbeddedDatabase = await start();
  let count = 0;
  return {
    scratch,
    state,
    get embedded() {
      return embedded;
    },
    /** A database of its own, migrated; `migrated: false` leaves it empty. */
    async database(options: { migrated?: boolean } = {}): Promise<Connections> {
      const admin = await embeddedAdmin(embedded, `countersign_${++count}`);
      const connections = await prepareUsers(admin, await databaseKey(state));
      if (options.migrated !== false) await migrate(connections.cs_migrator);
      return connections;
    },
    /** The server dies without a word and comes back. */
    async crash(): Promise<void> {
      await embedded.stop("immediate");
      embedded = await start();
    },
    async end(): Promise<void> {
      await embedded.stop();
      await rm(scratch, { recursive: true, force: true });
    },
  };
}

export function storesOf(connections: Connections): Record<StoreRole, Store> & { close(): Promise<void> } {
  const open = (role: StoreRole) => openStore({ role, connection: connections[role] });
  const stores = {
    cs_api: open("cs_api"),
    cs_scanner: open("cs_scanner"),
    cs_executor: open("cs_executor"),
    cs_notifier: open("cs_notifier"),
  };
  return {
    ...stores,
    async close() {
      await Promise.all(Object.values(stores).map((store) => store.close()));
    },
  };
}

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

export function newRunId(): string {
  return `run_${[...randomBytes(26)].map((byte) => alphabet[byte % 32]).join("")}`;
}

export function request(change: Partial<RunRequest> = {}): RunRequest {
  const id = newRunId();
  return {
    id,
    tenant: "contoso",
    environment: "dev",
    targetKey: `entra:${id}`,
    target: { objectId: "00000000-0000-4000-8000-000000000001" },
    procedure: "entra-client-secret@1",
    trigger: "manual",
    requester: ada,
    at: startedAt,
    ...change,
  };
}

export const lease = { leaseMs: 10_000, callDeadlineMs: 30_000 };

/** A live worker. */
export async function newWorker(store: Store): Promise<string> {
  const id = randomUUID();
  await store.workerStart({ id, role: "executor", host: "here", bootId: "boot", pid: 4711, pidStarted: "1" });
  return id;
}

export const nobodyDead: readonly string[] = [];

/** Claims one run, or as many as are due. */
export function claimAll(
  store: Store,
  worker: string,
  change: { run?: string; now?: number; tenantMax?: number } = {},
) {
  return store.claim({ ...lease, worker, now: startedAt, provenDead: nobodyDead, limit: 64, tenantMax: 64, ...change });
}

export const planBytes = (run: string) => Buffer.from(`{"run":"${run}","v":1}`);

/** Files a run and takes it to `awaiting_approval`; returns its plan's digest. */
export async function toApproval(
  stores: Record<StoreRole, Store>,
  worker: string,
  change: Partial<RunRequest> = {},
  plan = planBytes,
) {
  const run = await stores.cs_api.submitRun(request(change));
  const [claimed] = await claimAll(stores.cs_executor, worker, { run });
  if (claimed === undefined) throw new Error("expected the run to be claimed");
  const hold = { run, worker, at: startedAt, because: null };
  const fence = await stores.cs_executor.transition({
    ...hold,
    fence: claimed.run.fence,
    from: "requested",
    to: "planned",
    notBefore: null,
    release: false,
    plan: plan(run),
    policyDigest: `sha256:${"ab".repeat(32)}`,
    findings: [{ code: "owner-present", result: "pass", observed: 1, required: 1 }],
  });
  await stores.cs_executor.transition({
    ...hold,
    fence,
    from: "planned",
    to: "awaiting_approval",
    notBefore: startedAt + 86_400_000,
    release: true,
  });
  const row = await stores.cs_api.run(run);
  return { run, planDigest: row?.planDigest ?? "" };
}

export function decision(run: string, planDigest: string, person: string, complete: boolean) {
  return {
    run,
    planDigest,
    person,
    role: "app-owner",
    decision: "approve" as const,
    level: "session" as const,
    statement: Buffer.from(`statement of ${person} about ${run}`),
    envelope: Buffer.from(`envelope of ${person} about ${run}`),
    at: startedAt + 1_000,
    quorum: () => ({ complete, notBefore: startedAt + 1_000 }),
  };
}

/** Takes a run to `executing`, held by `worker`; returns the hold. */
export async function toExecuting(
  stores: Record<StoreRole, Store>,
  worker: string,
  change: Partial<RunRequest> = {},
  plan = planBytes,
) {
  const { run, planDigest } = await toApproval(stores, worker, change, plan);
  await stores.cs_api.decide(decision(run, planDigest, bob, true));
  const [claimed] = await claimAll(stores.cs_executor, worker, { run, now: startedAt + 2_000 });
  if (claimed === undefined) throw new Error("expected the approved run to be claimed");
  const fence = await stores.cs_executor.transition({
    run,
    worker,
    fence: claimed.run.fence,
    from: "approved",
    to: "executing",
    at: startedAt + 2_000,
    because: null,
    notBefore: startedAt + 2_000,
    release: false,
    take: [
      { key: `vault:${run}`, held: "effects" },
      { key: `application:${run}`, held: "run" },
    ],
  });
  return { run, worker, fence };
}
