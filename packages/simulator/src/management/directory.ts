import { listedCredentials, presentCredentials } from "../tenant/credentials.ts";
import { principalByAppId } from "../tenant/lookup.ts";
import { isoTime } from "../time.ts";
import type { World } from "../world.ts";

/**
 * Body of `GET /directory`: ids of everything, and the credentials of the callers made for whoever drives the tenant.
 * Beside `/holdings` the only answer on this port that holds secret values.
 */
export function directory(world: World): Record<string, unknown> {
  const { tenant, addresses } = world;
  const nameOf = new Map(Object.entries(tenant.names).map(([name, known]) => [known.objectId, name]));
  return {
    seed: world.seed,
    tenant: { id: tenant.id, name: tenant.name, domain: tenant.domain },
    urls: addresses,
    callers: Object.fromEntries(
      tenant.callers.map(({ name, ...caller }) => [
        name,
        {
          clientId: caller.appId,
          clientSecret: caller.secret,
          objectId: caller.objectId,
          servicePrincipalId: caller.servicePrincipalId,
          keyId: caller.keyId,
        },
      ]),
    ),
    users: tenant.users,
    applications: tenant.applications.map((app) => ({
      name: nameOf.get(app.id) ?? app.displayName,
      displayName: app.displayName,
      objectId: app.id,
      appId: app.appId,
      servicePrincipalId: principalByAppId(tenant, app.appId)?.id ?? null,
      owners: app.owners,
      credentials: presentCredentials(app).map((credential) => ({
        keyId: credential.keyId,
        displayName: credential.displayName,
        end: isoTime(credential.endMs),
        createdBy: credential.createdBy,
        // Listed by every replica: from then on nobody can say that it was not to be seen.
        visible: [0, 1, 2].every((replica) => listedCredentials(app, replica, world.clock.nowMs).includes(credential)),
      })),
    })),
    vaults: tenant.vaults.map((vault) => ({
      name: vault.name,
      url: addresses.vaults[vault.name],
      secrets: Object.values(vault.secrets).map((secret) => ({
        name: secret.name,
        deleted: secret.deleted !== null,
        versions: secret.versions.map(({ version, enabled, created, tags, writer }) => ({
          version,
          enabled,
          created,
          tags,
          writer,
        })),
      })),
    })),
    postgres: tenant.postgres.map(({ roles: _, ...database }) => ({
      ...database,
      url: addresses.postgres[database.name],
    })),
    devops: tenant.devops.map(({ grants: _, audits: __, ...organization }) => ({
      ...organization,
      url: addresses.devops[organization.name],
      groups: organization.groups.map((group) => ({ ...group, variables: Object.keys(group.variables) })),
    })),
    github: tenant.github.map(({ name, apps, tokens, organizations, repositories }) => ({
      name,
      url: addresses.github[name],
      apps: apps.map(({ clientId, installation, privateKey }) => ({ clientId, installation, privateKey })),
      tokens: tokens.map(({ caller, token }) => ({ caller, token })),
      organizations: organizations.map(({ login, id, secrets }) => ({ login, id, secrets: Object.keys(secrets) })),
      repositories: repositories.map((item) => ({
        id: item.id,
        name: `${item.owner}/${item.name}`,
        secrets: Object.keys(item.secrets),
      })),
    })),
    clusters: tenant.clusters.map(({ name, uid, accounts, secrets }) => ({
      name,
      url: addresses.clusters[name],
      uid,
      accounts: accounts.map((account) => ({ name: account.name, token: account.token })),
      secrets: secrets.map((item) => ({
        name: `${item.namespace}/${item.name}`,
        uid: item.uid,
        keys: Object.keys(item.data),
      })),
    })),
    gateways: tenant.gateways.map(({ name, token, entries }) => ({
      name,
      url: addresses.gateways[name],
      token,
      entries: entries.map((entry) => entry.name),
    })),
    chat: tenant.chat.map(({ name, kind, messages }) => ({
      name,
      kind,
      url: addresses.chat[name],
      messages: messages.length,
    })),
    desks: tenant.desks.map(({ tickets: _, ...desk }) => ({ ...desk, url: addresses.desks[desk.name] })),
    subscription: tenant.subscription,
    sites: tenant.sites.map(({ grants: _, settings, references, ...site }) => ({
      ...site,
      settings: Object.keys(settings),
      references: Object.fromEntries(
        Object.entries(references).map(([name, { version, readMs }]) => [name, { version, read: isoTime(readMs) }]),
      ),
    })),
    workloads: tenant.workloads.map(({ held, nextMs, ...workload }) => ({
      ...workload,
      next: isoTime(nextMs),
      lastRead: held === null ? null : isoTime(held.readMs),
    })),
  };
}
