import { readFile } from "node:fs/promises";
import { effectiveValue } from "../appservice/references.ts";
import { signIn } from "../entra/sign-in.ts";
import { secretInWorkflow } from "../github/secrets.ts";
import { heldBy, secretOf } from "../kubernetes/objects.ts";
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
  const value = await read(world, workload);
  if (value !== null) workload.held = { value, user: null, database: null, readMs: atMs };
}

async function read(world: World, workload: Workload): Promise<string | null> {
  switch (workload.kind) {
    case "entra-pinned":
      return readPinned(world, workload);
    case "entra-pipeline":
      return readVariable(world, workload);
    case "entra-site":
      return readSetting(world, workload);
    case "entra-actions":
      return readActionsSecret(world, workload);
    case "entra-pod":
      return readInCluster(world, workload);
    case "entra-gateway":
      return readAtGateway(world, workload);
    // Somebody pasted a value into it; it reads nothing by itself.
    case "entra-held":
      return null;
    default:
      return readLatest(world, workload);
  }
}

/** A pipeline gets the variables of its group when a run of it begins. */
function readVariable(world: World, workload: Workload): string | null {
  const [organization, group] = (workload.container ?? "").split("/");
  const found = world.tenant.devops.find((item) => item.name === organization);
  return found?.groups.find((item) => String(item.id) === group)?.variables[workload.entry ?? ""]?.value ?? null;
}

/** An app finds its settings in its environment, references resolved by the platform. */
function readSetting(world: World, workload: Workload): string | null {
  const site = world.tenant.sites.find((item) => item.name === workload.container);
  return site === undefined ? null : effectiveValue(world, site, workload.entry ?? "");
}

/** A workflow of GitHub Actions is given its secrets when it begins. */
function readActionsSecret(world: World, workload: Workload): string | null {
  const [name, owner, repository, ...environment] = (workload.container ?? "").split("/");
  const host = world.tenant.github.find((item) => item.name === name);
  const found = host?.repositories.find((item) => item.owner === owner && item.name === repository);
  if (host === undefined || found === undefined) return null;
  return secretInWorkflow(host, found, environment.length === 0 ? null : environment.join("/"), workload.entry ?? "");
}

/** A pod reads a mounted Secret as it stands, and one in its environment as it stood when the pod began. */
function readInCluster(world: World, workload: Workload): string | null {
  const [name, namespace = "", kind, object = ""] = (workload.container ?? "").split("/");
  const cluster = world.tenant.clusters.find((item) => item.name === name);
  if (cluster === undefined) return null;
  if (kind === "secret") return secretOf(cluster, namespace, object)?.data[workload.entry ?? ""] ?? null;
  const found = cluster.workloads.find(
    (item) => item.namespace === namespace && item.kind === kind && item.name === object,
  );
  return found === undefined ? null : (heldBy(world, found)[workload.entry ?? ""] ?? null);
}

function readAtGateway(world: World, workload: Workload): string | null {
  const gateway = world.tenant.gateways.find((item) => item.name === workload.container);
  return gateway?.entries.find((item) => item.name === workload.entry)?.value ?? null;
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
