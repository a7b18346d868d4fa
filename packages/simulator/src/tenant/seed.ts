import { checkSites } from "../appservice/seed.ts";
import { seedChat } from "../chat/seed.ts";
import { checkDevops, seedDevops } from "../devops/seed.ts";
import { seedGateways } from "../gateway/seed.ts";
import { seedGithub } from "../github/seed.ts";
import { seedClusters } from "../kubernetes/seed.ts";
import { createRandom } from "../random.ts";
import { seedSharePoint } from "../sharepoint/seed.ts";
import { seedDesks } from "../tickets/seed.ts";
import { sevenDigitTime } from "../time.ts";
import { writeSecret } from "../vault/store.ts";
import type { World } from "../world.ts";
import { addCredential } from "./credentials.ts";
import { findApplication } from "./find.ts";
import { principalByAppId } from "./lookup.ts";
import type { Application, AppManagementPolicy, Owner, Tenant, Vault } from "./model.ts";
import type { Scenario } from "./scenario.ts";
import { valueOf } from "./value-source.ts";

const DAY_MS = 86_400_000;
const CALLER_SECRET_DAYS = 3650;

/** Ids of what a scenario made, by its names. */
export interface Seeded {
  applications: Record<string, { objectId: string; appId: string; secrets: Record<string, string> }>;
}

type SeedApplication = Scenario["applications"][number];

/**
 * Adds a scenario to the tenant. Names are looked up in the scenario and in what is already there; a name that is
 * nowhere is a RangeError, thrown before anything is added. Ports are opened by the caller.
 */
export function seedScenario(world: World, scenario: Scenario): Seeded {
  checkNames(world.tenant, scenario);
  const { tenant } = world;
  const seeded: Seeded = { applications: {} };
  for (const user of scenario.users) {
    const random = world.random("users");
    tenant.users.push({
      id: random.uuid(),
      displayName: user.displayName ?? user.name,
      userPrincipalName: `${user.name}@${tenant.domain}`,
      mail: user.mail === undefined ? `${user.name}@${tenant.domain}` : user.mail,
      accountEnabled: user.accountEnabled,
    });
  }
  for (const vault of scenario.vaults) {
    const { name, port, purgeProtection, tenant: owner } = vault;
    tenant.vaults.push({ name, port, purgeProtection, secrets: {}, ...(owner === undefined ? {} : { tenant: owner }) });
  }
  tenant.aliases = [...(tenant.aliases ?? []), ...scenario.aliases];
  for (const caller of scenario.callers) addCaller(world, caller);
  // Owners may be applications of the same scenario, so all are made first.
  for (const item of scenario.applications) seeded.applications[item.name] = addApplication(world, item);
  for (const item of scenario.applications) setOwners(tenant, item);
  if (scenario.defaultPolicy !== undefined) {
    tenant.defaultPolicy = { id: tenant.defaultPolicy.id, ...scenario.defaultPolicy };
  }
  for (const entry of scenario.vaultEntries) addEntry(world, entry);
  for (const grant of scenario.access) {
    const appId = findApplication(tenant, grant.application)?.appId ?? "";
    tenant.grants.push({ appId, vault: grant.vault, secret: grant.secret, role: grant.role });
  }
  grantEverywhere(world, scenario);
  for (const database of scenario.postgres) {
    // The server behind a proxy may have moved since the last start; the proxy's own port stays.
    const known = tenant.postgres.find((item) => item.name === database.name);
    if (known === undefined) tenant.postgres.push({ ...database, roles: {} });
    else Object.assign(known, { host: database.host, port: database.port });
  }
  seedDevops(world, scenario.devops);
  seedGithub(world, scenario.github);
  seedClusters(world, scenario.clusters);
  seedGateways(world, scenario.gateways);
  seedSharePoint(world, scenario.sharepoint);
  seedChat(world, scenario.chat);
  seedDesks(world, scenario.desks);
  for (const workload of scenario.workloads) addWorkload(world, workload);
  return seeded;
}

function addApplication(world: World, item: SeedApplication): Seeded["applications"][string] {
  const { tenant, clock } = world;
  const random = createRandom(world.seed, `application:${item.name}`);
  const createdMs = clock.nowMs - item.createdDaysAgo * DAY_MS;
  const base = {
    appId: item.appId ?? random.uuid(),
    displayName: item.displayName ?? item.name,
    createdMs,
    owners: [] as Owner[],
    credentials: [],
    lastWriteMs: 0,
  };
  const application: Application = {
    ...base,
    id: item.objectId ?? random.uuid(),
    keyCredentials: item.certificates.map((certificate) => ({
      keyId: random.uuid(),
      displayName: certificate.name,
      startText: sevenDigitTime(clock.nowMs - certificate.startDaysAgo * DAY_MS, "0000"),
      endText: sevenDigitTime(clock.nowMs + certificate.expiresInDays * DAY_MS, "0000"),
    })),
    tags: [...item.tags],
    signInAudience: item.signInAudience,
    notes: item.notes,
    serviceManagementReference: item.serviceManagementReference,
    isDisabled: item.isDisabled,
    redirectUris: [...item.redirectUris],
  };
  tenant.applications.push(application);
  tenant.servicePrincipals.push({
    ...base,
    owners: [],
    credentials: [],
    id: random.uuid(),
    keyCredentials: [],
    tags: [],
    accountEnabled: true,
    roles: [...item.roles],
  });
  const secrets: Record<string, string> = {};
  for (const secret of item.secrets) {
    const credential = addCredential(world, application, {
      displayName: secret.displayName === undefined ? secret.name : secret.displayName,
      startMs: clock.nowMs - secret.startDaysAgo * DAY_MS,
      endMs: clock.nowMs + Math.round(secret.expiresInDays * DAY_MS),
      createdBy: null,
    });
    secrets[secret.name] = credential.keyId;
  }
  tenant.names[item.name] = { objectId: application.id, secrets };
  if (item.policy !== undefined) {
    const policy: AppManagementPolicy = { id: random.uuid(), ...item.policy };
    tenant.applicationPolicies[application.id] = policy;
  }
  return { objectId: application.id, appId: application.appId, secrets };
}

function setOwners(tenant: Tenant, item: SeedApplication): void {
  const application = findApplication(tenant, item.name);
  for (const name of item.owners) {
    const owner = findOwner(tenant, name);
    if (owner !== null) application?.owners.push(owner);
  }
}

function findOwner(tenant: Tenant, name: string): Owner | null {
  const user = tenant.users.find((candidate) => candidate.userPrincipalName === `${name}@${tenant.domain}`);
  if (user !== undefined) return { kind: "user", id: user.id };
  const appId = tenant.callers.find((caller) => caller.name === name)?.appId ?? findApplication(tenant, name)?.appId;
  const sp = principalByAppId(tenant, appId ?? "");
  return sp === undefined ? null : { kind: "servicePrincipal", id: sp.id };
}

function addCaller(world: World, caller: Scenario["callers"][number]): void {
  const { tenant } = world;
  if (tenant.callers.some((known) => known.name === caller.name)) return;
  const made = addApplication(world, {
    name: caller.name,
    signInAudience: "AzureADMyOrg",
    createdDaysAgo: 30,
    isDisabled: false,
    notes: null,
    serviceManagementReference: null,
    tags: [],
    redirectUris: [],
    roles: caller.roles,
    owners: [],
    secrets: [{ name: "trial", startDaysAgo: 1, expiresInDays: CALLER_SECRET_DAYS }],
    certificates: [],
  });
  const application = findApplication(tenant, caller.name);
  const credential = application?.credentials[0];
  const sp = principalByAppId(tenant, made.appId);
  tenant.callers.push({
    name: caller.name,
    appId: made.appId,
    objectId: made.objectId,
    servicePrincipalId: sp?.id ?? "",
    secret: credential?.secretText ?? "",
    keyId: credential?.keyId ?? "",
  });
  for (const [vault, role] of Object.entries(caller.vaults)) {
    tenant.grants.push({ appId: made.appId, vault, secret: null, role });
  }
}

/** A grant on `*` becomes one grant per vault, for the vaults of this scenario as well. */
function grantEverywhere(world: World, scenario: Scenario): void {
  const { tenant } = world;
  const added = new Set(scenario.vaults.map((vault) => vault.name));
  for (const grant of tenant.grants.filter((item) => item.vault === "*")) {
    for (const vault of tenant.vaults) {
      const has = tenant.grants.some((item) => item.appId === grant.appId && item.vault === vault.name);
      if (!has || added.has(vault.name)) tenant.grants.push({ ...grant, vault: vault.name });
    }
  }
}

function addEntry(world: World, entry: Scenario["vaultEntries"][number]): void {
  const vault = world.tenant.vaults.find((item) => item.name === entry.vault) as Vault;
  writeSecret(world, vault, entry.secret, {
    value: valueOf(world, entry, `vaultEntries ${entry.secret}`),
    contentType: entry.contentType,
    tags: { ...entry.tags },
    enabled: true,
    nbf: null,
    exp: null,
    writer: null,
  });
}

function addWorkload(world: World, item: Scenario["workloads"][number]): void {
  const random = world.random(`workload:${item.name}`);
  const intervalMs = Math.round(item.intervalSeconds * 1000);
  const firstMs = item.startAfterSeconds === undefined ? random.integer(1, intervalMs) : item.startAfterSeconds * 1000;
  world.tenant.workloads.push({
    name: item.name,
    kind: item.kind,
    ipAddress: item.ipAddress ?? `10.${random.integer(1, 250)}.${random.integer(0, 250)}.${random.integer(1, 250)}`,
    intervalMs,
    cacheMs: Math.round(item.cacheSeconds * 1000),
    nextMs: world.clock.nowMs + firstMs,
    appId: item.application === undefined ? null : (findApplication(world.tenant, item.application)?.appId ?? null),
    vault: item.vault ?? null,
    secret: item.secret ?? null,
    file: item.file ?? null,
    postgres: item.postgres ?? null,
    container: item.container ?? null,
    entry: item.entry ?? null,
    held: null,
    stopped: false,
  });
}

function checkNames(tenant: Tenant, scenario: Scenario): void {
  const names = (made: readonly { name: string }[], there: readonly { name: string }[]): Set<string> =>
    new Set([...made, ...there].map((item) => item.name));
  const vaults = names(scenario.vaults, tenant.vaults);
  const databases = names(scenario.postgres, tenant.postgres);
  const made = new Set([...scenario.applications, ...scenario.callers].map((item) => item.name));
  const isApplication = (name: string): boolean => made.has(name) || findApplication(tenant, name) !== undefined;
  const isUser = (name: string): boolean =>
    scenario.users.some((user) => user.name === name) ||
    tenant.users.some((user) => user.userPrincipalName === `${name}@${tenant.domain}`);
  const expect = (ok: boolean, path: string, what: string, name: string): void => {
    if (!ok) throw new RangeError(`${path}: expected the name of ${what}, got ${JSON.stringify(name)}`);
  };

  const fresh = (made: readonly { name: string }[], there: readonly { name: string }[], path: string): void => {
    const known = new Set(there.map((item) => item.name));
    for (const { name } of made) {
      if (known.has(name)) throw new RangeError(`${path}: expected a new name, got ${JSON.stringify(name)} twice`);
      known.add(name);
    }
  };
  fresh(
    scenario.applications,
    Object.keys(tenant.names).map((name) => ({ name })),
    "applications",
  );
  fresh(scenario.vaults, tenant.vaults, "vaults");
  fresh(scenario.workloads, tenant.workloads, "workloads");
  fresh(scenario.github, tenant.github, "github");
  fresh(scenario.clusters, tenant.clusters, "clusters");
  fresh(scenario.gateways, tenant.gateways, "gateways");
  checkDevops(tenant, scenario, isApplication);
  checkSites(tenant, scenario, isApplication);
  for (const app of scenario.applications) {
    for (const owner of app.owners)
      expect(isUser(owner) || isApplication(owner), `${app.name}.owners`, "an owner", owner);
  }
  for (const entry of scenario.vaultEntries) {
    expect(vaults.has(entry.vault), `vaultEntries ${entry.secret}`, "a vault", entry.vault);
    if (entry.from !== undefined) {
      expect(
        isApplication(entry.from.application),
        `vaultEntries ${entry.secret}`,
        "an application",
        entry.from.application,
      );
    }
  }
  for (const grant of scenario.access) {
    expect(isApplication(grant.application), "access", "an application", grant.application);
    expect(vaults.has(grant.vault), "access", "a vault", grant.vault);
  }
  for (const workload of scenario.workloads) {
    const path = `workloads ${workload.name}`;
    if (workload.kind.startsWith("entra"))
      expect(isApplication(workload.application ?? ""), path, "an application", workload.application ?? "");
    if (workload.kind.startsWith("postgres"))
      expect(databases.has(workload.postgres ?? ""), path, "a database", workload.postgres ?? "");
    if (workload.vault !== undefined) expect(vaults.has(workload.vault), path, "a vault", workload.vault);
    if (["entra-pipeline", "entra-site", "entra-actions", "entra-pod", "entra-gateway"].includes(workload.kind)) {
      expect(
        workload.container !== undefined && workload.entry !== undefined,
        path,
        "a container and an entry",
        "nothing",
      );
      continue;
    }
    const needsFile = workload.kind === "entra-pinned" || workload.kind === "postgres-file";
    expect(
      needsFile ? workload.file !== undefined : workload.vault !== undefined && workload.secret !== undefined,
      path,
      needsFile ? "a file" : "a vault entry",
      "nothing",
    );
  }
}
