import { readFile } from "node:fs/promises";
import { signIn } from "../entra/sign-in.ts";
import type { Workload } from "../tenant/model.ts";
import { readSecret } from "../vault/store.ts";
import type { World } from "../world.ts";

const REFERENCE = /(https?:\/\/[^\s"'<>/]+)\/secrets\/([0-9a-zA-Z-]{1,127})\/([0-9a-f]{32})/;

/** One sign-in of a workload that lives on a client secret. It does not retry; a failed one is counted. */
export async function actEntra(world: World, workload: Workload, atMs: number): Promise<void> {
  await refresh(world, workload, atMs);
  const correlationId = world.random("workload-correlation").uuid();
  const result = signIn(world, {
    clientId: workload.appId ?? "",
    secret: workload.held?.value ?? "",
    resource: "https://graph.microsoft.com",
    ipAddress: workload.ipAddress,
    correlationId,
    workload: workload.name,
  });
  world.effects.append({
    op: "token",
    caller: workload.appId,
    workload: workload.name,
    target: { appId: workload.appId, keyId: result.keyId, ipAddress: workload.ipAddress },
    effect: result.ok,
    status: result.ok ? 200 : 401,
    code: result.ok ? null : `AADSTS${result.code}`,
    fault: null,
    requestId: correlationId,
    clientRequestId: null,
    userAgent: `workload/${workload.kind}`,
  });
}

/** Looks again once the cache is too old; a failed look keeps what was held, as real clients do. */
async function refresh(world: World, workload: Workload, atMs: number): Promise<void> {
  const { held } = workload;
  if (held !== null && atMs - held.readMs < workload.cacheMs) return;
  const value = workload.kind === "entra-pinned" ? await readPinned(world, workload) : readLatest(world, workload);
  if (value !== null) workload.held = { value, user: null, database: null, readMs: atMs };
}

function readLatest(world: World, workload: Workload): string | null {
  const vault = world.tenant.vaults.find((item) => item.name === workload.vault);
  if (vault === undefined || workload.secret === null) return null;
  const read = readSecret(vault, workload.secret, null);
  return read.ok ? read.version.value : null;
}

/** The reference file names one version by its address; its format is otherwise free. */
async function readPinned(world: World, workload: Workload): Promise<string | null> {
  const text = await readFile(workload.file ?? "", "utf8").catch(() => "");
  const match = REFERENCE.exec(text);
  if (match === null) return null;
  const [, base, name = "", version = ""] = match;
  const vault = world.tenant.vaults.find((item) => world.addresses.vaults[item.name] === base);
  if (vault === undefined) return null;
  const read = readSecret(vault, name, version);
  return read.ok ? read.version.value : null;
}
