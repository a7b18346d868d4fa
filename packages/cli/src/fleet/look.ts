import type { BuiltConnectors } from "@countersign/connectors";
import {
  type CallerFound,
  CountersignError,
  type ObjectOwners,
  type ReadContext,
  type ScannedObject,
  type Scanner,
  type VaultEntry,
} from "@countersign/core";
import { type EngineClock, systemClock } from "@countersign/engine";
import { type Installation, openClock, openConnectors } from "@countersign/server";
import { say } from "../output.ts";
import { listed, ownersOf } from "./read-tenant.ts";

/** What a look at one tenant has found. */
export interface Looked {
  readonly tenant: string;
  readonly objects: readonly ScannedObject[];
  readonly owners: ReadonlyMap<string, ObjectOwners>;
  /** Null: no vault of the configuration may be listed. */
  readonly entries: readonly VaultEntry[] | null;
  /** By application id; null: nobody asked, or there is no log. */
  readonly callers: ReadonlyMap<string, readonly CallerFound[]> | null;
}

/** How far back sign-ins are looked at. */
const callersMs = 30 * 86_400_000;
/** Applications whose sign-ins are asked for: the log answers five questions in ten seconds. */
const askedMax = 1_000;

/** Looks at one tenant; `signIns`: also at who signed in with which application, one question each. */
export async function lookAt(
  connectors: BuiltConnectors,
  ctx: ReadContext,
  tenant: string,
  signIns: boolean,
): Promise<Looked> {
  const scanner = connectors.scanners.find((one) => one.tenant === tenant);
  if (scanner === undefined)
    throw new CountersignError("INPUT_INVALID", `expected a tenant of the configuration, got ${tenant}`);
  const objects = await listed(scanner, ctx);
  const owners = await ownersOf(scanner, ctx, objects.length);
  const entries = await entriesSeen(connectors, ctx);
  return {
    tenant,
    objects,
    owners,
    entries,
    callers: signIns ? await callersSeen(scanner, ctx, objects) : null,
  };
}

async function entriesSeen({ finder }: BuiltConnectors, ctx: ReadContext): Promise<VaultEntry[] | null> {
  let seen: VaultEntry[] | null = null;
  for (const vault of finder.vaults) {
    const entries = await finder.entries(ctx, vault);
    if (entries === null) say(`the entries of ${vault} may not be listed: nothing is concluded from them`);
    else seen = [...(seen ?? []), ...entries];
  }
  return seen;
}

async function callersSeen(
  scanner: Scanner,
  ctx: ReadContext,
  objects: readonly ScannedObject[],
): Promise<Map<string, readonly CallerFound[]> | null> {
  const seen = new Map<string, readonly CallerFound[]>();
  const asked = objects.filter(
    ({ kind, credentials }) => kind === "application" && credentials.some((one) => one.kind === "client-secret"),
  );
  if (asked.length > askedMax) say(`sign-ins of ${askedMax} of ${asked.length} applications are looked at`);
  for (const { appId } of asked.slice(0, askedMax)) {
    const callers = await scanner.callers(ctx, appId, ctx.clock.now() - callersMs);
    if (callers === null) {
      say("the sign-in log is not to be had (AuditLog.Read.All, P1 or P2): nothing is concluded from it");
      return null;
    }
    seen.set(appId.toLowerCase(), callers);
  }
  return seen;
}

/** Opens an installation's connectors for one look, and closes them after it. */
export async function withConnectors<T>(
  installation: Installation,
  use: (connectors: BuiltConnectors, ctx: ReadContext) => Promise<T>,
): Promise<T> {
  const clock = await openClock(installation, () => {});
  const pace = paceOf(clock);
  const connectors = openConnectors(installation, pace, () => {});
  try {
    return await use(connectors, { clock: pace, signal: new AbortController().signal });
  } finally {
    await connectors.close();
    await clock.close();
  }
}

/**
 * A command waits in real time: nobody need advance a virtual clock for it. What it has waited has passed for it, or a wait
 * that was asked for would never be over.
 */
function paceOf(clock: EngineClock): EngineClock {
  const real = systemClock();
  if (clock.kind === "system") return real;
  let waitedMs = 0;
  return {
    ...real,
    now: () => clock.now() + waitedMs,
    async sleep(ms, signal) {
      await real.sleep(ms, signal);
      waitedMs += ms;
    },
  };
}

/** Application ids of the clients that the configuration names: those who rotate are not rotated. */
export function oursOf({ config }: Installation): Set<string> {
  const clients = config.tenants.flatMap(({ reader, writer, ownExecutorAppIds }) => [
    reader.clientId,
    writer.clientId,
    ...ownExecutorAppIds,
  ]);
  const more = config.connections.flatMap(({ settings }) => {
    const { client } = settings as { readonly client?: { readonly clientId?: unknown } };
    return typeof client?.clientId === "string" ? [client.clientId] : [];
  });
  return new Set([...clients, ...more].map((id) => id.toLowerCase()));
}

/** The tenant that is meant: the one named, or the only one. */
export function tenantOf({ config }: Installation, named: string | undefined): string {
  const [only, ...others] = config.tenants;
  if (named !== undefined) return named;
  if (only !== undefined && others.length === 0) return only.name;
  throw new CountersignError(
    "INPUT_INVALID",
    `expected --tenant with one of ${config.tenants.map(({ name }) => name).join(", ")}, got none`,
  );
}
