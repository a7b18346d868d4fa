import {
  CountersignError,
  type CredentialUse,
  type ReadContext,
  type SecretValue,
  type World,
  type WorldReader,
} from "@countersign/core";
import { parseMarker } from "../kit/markers.ts";
import { questionOf, type Records, type SignInLog, type StoredVersion, type TargetReader } from "../kit/seams.ts";
import { msOf } from "../kit/time.ts";
import { applicationIdentity, isLive, readApplication } from "./application.ts";
import { bindingOf } from "./binding.ts";
import { graphPages, type Tenant, type Tenants } from "./graph.ts";
import { lifetimeSecondsMax } from "./policy.ts";
import { type Application, Identified, page } from "./shapes.ts";
import { signInOnce } from "./sign-in.ts";

const OwnersPage = page(Identified);

/** Audiences with personal accounts hold two secrets at most. */
const personalSecretsMax = 2;

/** Tries of the sign-in with the stored value before "not shown" is said. */
const signInTriesMax = 4;

interface Needs {
  readonly tenants: Tenants;
  readonly records: Records;
  readonly targets: TargetReader;
  readonly signIns: SignInLog;
}

/** How far back uses of a credential are looked for. */
const usesMs = 30 * 86_400_000;

/** Reads everything that a plan for an Entra client secret depends on; only reads leave. */
export function entraWorld(needs: Needs): WorldReader {
  return {
    procedure: "entra-client-secret",
    async versionSignsIn(ctx, row, version) {
      if (row.procedure !== "entra-client-secret") return null;
      const stored = await needs.records(row.record.connection).version(ctx, row.record.name, version);
      return doesSignIn(ctx, needs.tenants(row.tenant), row.appId, stored.value);
    },
    async uses(ctx, row) {
      if (row.procedure !== "entra-client-secret") return null;
      const log = await needs.signIns(ctx, row.tenant, row.appId, ctx.clock.now() - usesMs);
      if (log === null) return null;
      const last = new Map<string, CredentialUse>();
      for (const { keyId, address, at } of log.lines) {
        if (keyId === null) continue;
        const use = { credential: keyId, address, at };
        const key = `${keyId} ${address ?? ""}`;
        if ((last.get(key)?.at ?? 0) <= at) last.set(key, use);
      }
      return [...last.values()];
    },
    async read(ctx, row, oldCredentialTag): Promise<World> {
      if (row.procedure !== "entra-client-secret")
        throw new CountersignError("CONFIG_INVALID", `expected an entra-client-secret row, got ${row.procedure}`);
      const tenant = needs.tenants(row.tenant);
      const store = needs.records(row.record.connection);
      const [application, owners, lifetimeMax, identity, latest] = await Promise.all([
        readApplication(ctx, tenant, row, "reader"),
        ownersOf(ctx, tenant, row.objectId),
        lifetimeSecondsMax(ctx, tenant, row.objectId),
        store.identity(ctx, row.record.name),
        store.latest(ctx, row.record.name),
      ]);
      const [readable, signsIn, consumers] = await Promise.all([
        latest === null ? false : isReadable(store, ctx, row.record.name, latest),
        latest === null ? null : doesSignIn(ctx, tenant, row.appId, latest.value),
        Promise.all(
          row.consumers.map(async (consumer) => ({
            name: consumer.name,
            ...(await needs.targets(ctx, questionOf(consumer, row.record), latest)),
          })),
        ),
      ]);
      const now = ctx.clock.now();
      const live = application.passwordCredentials.filter((credential) => isLive(credential, now));
      return {
        readAt: now,
        target: applicationIdentity(tenant, row),
        credentials: credentialsOf(application),
        record: { identity, version: latest?.version ?? null, readable },
        binding: bindingOf(live, latest, oldCredentialTag),
        recordSignsIn: signsIn,
        consumers,
        directoryOwners: owners,
        limits: {
          credentialsMax: /PersonalMicrosoftAccount/.test(application.signInAudience ?? "") ? personalSecretsMax : null,
          lifetimeSecondsMax: lifetimeMax,
        },
      };
    },
  };
}

/** Client secrets of an application as the domain knows them. */
function credentialsOf(application: Application): World["credentials"] {
  return application.passwordCredentials.map((credential) => ({
    id: credential.keyId,
    kind: "client-secret" as const,
    startsAt: credential.startDateTime == null ? null : msOf(credential.startDateTime),
    expiresAt: credential.endDateTime == null ? null : msOf(credential.endDateTime),
    marker: parseMarker(credential.displayName),
  }));
}

async function ownersOf(ctx: ReadContext, tenant: Tenant, objectId: string): Promise<string[]> {
  const owners: string[] = [];
  const call = {
    name: "application.owners",
    method: "GET",
    path: `/v1.0/applications/${encodeURIComponent(objectId)}/owners`,
    query: { $select: "id" },
    retry: "safe",
    effect: false,
    expect: [200],
    answer: OwnersPage,
    as: "reader",
  } as const;
  for await (const body of graphPages(ctx, tenant, call)) owners.push(...body.value.map((owner) => owner.id));
  return owners.sort();
}

/** Rollback reads the old value by its version: shown before anything happens, not hoped for. */
async function isReadable(
  store: ReturnType<Records>,
  ctx: ReadContext,
  name: string,
  latest: StoredVersion,
): Promise<boolean> {
  try {
    return (await store.version(ctx, name, latest.version)).value.equals(latest.value);
  } catch (error) {
    if (error instanceof CountersignError && (error.code === "OUTSIDE_NOT_FOUND" || error.code === "OUTSIDE_FORBIDDEN"))
      return false;
    throw error;
  }
}

/** True or false only where the directory says so; null when it says neither. */
async function doesSignIn(
  ctx: ReadContext,
  tenant: Tenant,
  appId: string,
  value: SecretValue,
): Promise<boolean | null> {
  for (let tries = 1; ; tries += 1) {
    const result = await signInOnce(ctx, tenant, appId, value);
    if (result.kind === "yes") return true;
    if (result.kind === "fail") return false;
    if (result.kind === "inconclusive") return null;
    if (tries >= signInTriesMax) return result.code === "AADSTS7000215" ? false : null;
    await ctx.clock.sleep(1_000 * tries, ctx.signal);
  }
}
