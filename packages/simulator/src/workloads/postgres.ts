import { readFile } from "node:fs/promises";
import { signInOnce } from "../postgres/client.ts";
import { workloadName } from "../postgres/workload-name.ts";
import type { Workload } from "../tenant/model.ts";
import { readSecret } from "../vault/store.ts";
import type { World } from "../world.ts";
import { readAccount } from "./account.ts";

const SIGN_IN_MS_MAX = 15_000;

/** One sign-in of a workload that lives on a database account: connects through the proxy, asks, leaves. */
export async function actPostgres(world: World, workload: Workload, atMs: number): Promise<void> {
  await refresh(world, workload, atMs);
  const database = world.tenant.postgres.find((item) => item.name === workload.postgres);
  const { held } = workload;
  if (database === undefined || held === null || held.user === null) {
    logWithoutConnection(world, workload, atMs);
    return;
  }
  // The proxy logs the sign-in, a refusal with its SQLSTATE; a failed one is counted, not retried.
  await signInOnce({
    port: database.listenPort,
    user: held.user,
    password: held.value,
    database: held.database ?? "postgres",
    applicationName: workloadName(workload.name, atMs),
    deadlineMs: SIGN_IN_MS_MAX,
  });
}

async function refresh(world: World, workload: Workload, atMs: number): Promise<void> {
  if (workload.held !== null && atMs - workload.held.readMs < workload.cacheMs) return;
  const text =
    workload.kind === "postgres-file"
      ? await readFile(workload.file ?? "", "utf8").catch(() => "")
      : latest(world, workload);
  const account = readAccount(text);
  if (account === null) return;
  workload.held = { value: account.password, user: account.user, database: account.database, readMs: atMs };
}

function latest(world: World, workload: Workload): string {
  const vault = world.tenant.vaults.find((item) => item.name === workload.vault);
  const read = vault === undefined ? null : readSecret(vault, workload.secret ?? "", null);
  return read?.ok ? read.version.value : "";
}

function logWithoutConnection(world: World, workload: Workload, atMs: number): void {
  world.effects.append(
    {
      op: "postgres.connect",
      caller: null,
      workload: workload.name,
      target: { database: workload.postgres, role: null },
      effect: false,
      status: "failed",
      code: "NO_CREDENTIAL",
      fault: null,
      requestId: null,
      clientRequestId: null,
      userAgent: null,
    },
    atMs,
  );
}
