import {
  type AuditLog,
  type Connectors,
  CountersignError,
  type InventoryFrom,
  type ReadContext,
  type Scanner,
  type TenantConfig,
  type VaultEntry,
  type WorldReader,
} from "@countersign/core";
import type { z } from "zod";
import { connectSubscription } from "./appservice/app.ts";
import { refreshReference } from "./appservice/refresh-reference.ts";
import { AppServiceConnection } from "./appservice/schema.ts";
import { setSetting } from "./appservice/set-setting.ts";
import { appServiceTargets } from "./appservice/target.ts";
import { consumerConfirm } from "./consumer/confirm.ts";
import { connectOrganization } from "./devops/organization.ts";
import { DevopsConnection } from "./devops/schema.ts";
import { setVariable } from "./devops/set-variable.ts";
import { devopsTargets } from "./devops/target.ts";
import { addPassword } from "./entra/add-password.ts";
import { entraAuditLog } from "./entra/audit-log.ts";
import { graphScope, type Tenant } from "./entra/graph.ts";
import { type InventoryFound, readInventoryFile, readInventoryList } from "./entra/inventory-source.ts";
import { prove } from "./entra/prove.ts";
import { proveRefused } from "./entra/prove-refused.ts";
import { removePassword } from "./entra/remove-password.ts";
import { entraScanner } from "./entra/scanner.ts";
import { createSignInLog } from "./entra/sign-in-log.ts";
import { createTwins } from "./entra/twins.ts";
import { entraWorld } from "./entra/world.ts";
import { referenceFilePoint } from "./files/point.ts";
import { FilesConnection } from "./files/schema.ts";
import { connectionFileWrite } from "./files/write-connection.ts";
import { connectGithub } from "./github/account.ts";
import { putActionsSecret } from "./github/put-secret.ts";
import { GithubConnection } from "./github/schema.ts";
import { githubTargets } from "./github/target.ts";
import { listEntries } from "./keyvault/list.ts";
import { KeyVaultConnection } from "./keyvault/schema.ts";
import { defaultApiVersion, recordStore, type Vault } from "./keyvault/vault.ts";
import { keyvaultCopy, keyvaultWrite } from "./keyvault/verbs.ts";
import { isLoopbackHost } from "./kit/addresses.ts";
import { createBudgets } from "./kit/budget.ts";
import { createCopies } from "./kit/copies.ts";
import type { Ground } from "./kit/ground.ts";
import { createHttp, type Endpoint, type Http } from "./kit/http.ts";
import { limits } from "./kit/limits.ts";
import type { Records } from "./kit/seams.ts";
import { clientSecretTokens } from "./kit/token.ts";
import { defaultWaits } from "./kit/twice.ts";
import { type AnyVerb, offer } from "./kit/verb.ts";
import { connectCluster } from "./kubernetes/cluster.ts";
import { patchSecret } from "./kubernetes/patch-secret.ts";
import { KubernetesConnection } from "./kubernetes/schema.ts";
import { kubernetesTargets } from "./kubernetes/target.ts";
import { manualAsk } from "./manual/ask.ts";
import { manualTargets } from "./manual/target.ts";
import { disableRole } from "./postgres/disable-role.ts";
import { provePostgres } from "./postgres/prove.ts";
import { PostgresConnection } from "./postgres/schema.ts";
import type { Server } from "./postgres/server.ts";
import { createSessions } from "./postgres/sessions.ts";
import { setPassword } from "./postgres/set-password.ts";
import { postgresWorld } from "./postgres/world.ts";
import { RestConnection } from "./rest/schema.ts";
import { connectService } from "./rest/service.ts";
import { restTargets } from "./rest/target.ts";
import { writeEntry } from "./rest/write.ts";
import type { ConnectorsConfig, ConnectorsDeps } from "./settings.ts";
import { createTargets, storedTargets } from "./targets.ts";

/** The connectors of a build, and what an executor needs besides verbs. */
export interface BuiltConnectors extends Connectors {
  /** Late twins of a run at an application; see `entra/twins.ts`. */
  readonly twins: ReturnType<typeof createTwins>;
  /** What vaults show of who uses an application; only reads leave. */
  readonly finder: Finder;
  /** Reads the inventory where people keep it. Throws OUTSIDE_*, CONFLICT, LIMIT_EXCEEDED, IDENTITY_MISMATCH. */
  inventoryAt(ctx: ReadContext, from: InventoryFrom): Promise<InventoryFound>;
  /** Ends all connections. */
  close(): Promise<void>;
}

/** Who signs in at a tenant. */
type Client = TenantConfig["reader"];

/** Looks into vaults for consumers that nobody declared. */
export interface Finder {
  /** Names of the key-vault connections of the configuration. */
  readonly vaults: readonly string[];
  /** Entries of a vault with their tags; null: we may not list them. */
  entries(ctx: ReadContext, connection: string): Promise<readonly VaultEntry[] | null>;
}

/** Sign-in and audit reports allow 5 requests per 10 s per application and tenant (Graph throttling limits). */
const reportRate = { requests: 5, windowMs: 10_000 };

/** Builds every connector from the configuration. Throws CONFIG_INVALID and HOST_REFUSED; nothing leaves yet. */
export function createConnectors(config: ConnectorsConfig, deps: ConnectorsDeps): BuiltConnectors {
  const loopback = config.network.loopback && config.profile !== "production";
  const waits = { ...defaultWaits, ...config.waits };
  const network = {
    ...config.network,
    loopback,
    callDeadlineMs: config.callDeadlineMs,
    version: deps.version,
    ...(deps.observe === undefined ? {} : { observe: deps.observe }),
  };
  const http = createHttp(network);
  const others: Http[] = [];
  const budgets = createBudgets(limits.inFlightMax);

  const tokensOf = (settings: TenantConfig, authority: Endpoint, graph: Endpoint, client: Client) =>
    clientSecretTokens({
      http,
      authority,
      tenantId: settings.id,
      clientId: client.clientId,
      secret: () => deps.readSecret(client.secret),
      scope: graphScope(settings, graph.base),
      budget: budgets(`${settings.id}:token`),
    });
  const tenants = namedBy(
    "tenant",
    config.tenants.map((settings): Tenant => {
      const authority = http.endpoint(settings.authority);
      const graph = http.endpoint(settings.graph);
      const token = budgets(`${settings.id}:token`);
      const source = (client: Client) => tokensOf(settings, authority, graph, client);
      return {
        settings,
        http,
        authority,
        graph,
        reader: source(settings.reader),
        writer: source(settings.writer),
        waits,
        budgets: {
          token,
          graph: budgets(`${settings.id}:graph`),
          reports: budgets(`${settings.id}:reports`, reportRate),
        },
      };
    }),
    (tenant) => tenant.settings.name,
  );

  const vaultSettings = settingsOf(config, "key-vault", KeyVaultConnection);
  const vaults = namedBy(
    "key-vault connection",
    vaultSettings.map((connection): Vault => {
      const tenant = tenants(connection.tenant);
      const endpoint = http.endpoint(connection.url);
      return {
        connection,
        tenantId: tenant.settings.id,
        http,
        endpoint,
        token: clientSecretTokens({
          http,
          authority: tenant.authority,
          tenantId: tenant.settings.id,
          clientId: connection.client.clientId,
          secret: () => deps.readSecret(connection.client.secret),
          scope: `${connection.audience.replace(/\/$/, "")}/.default`,
          budget: tenant.budgets.token,
        }),
        budget: budgets(`${tenant.settings.id}:vault:${endpoint.base.host}`),
        query: { "api-version": connection.apiVersion ?? defaultApiVersion },
        loopback,
      };
    }),
    (vault) => vault.connection.name,
  );

  const roots = namedBy(
    "files connection",
    settingsOf(config, "files", FilesConnection),
    (connection) => connection.name,
  );

  const servers = namedBy(
    "postgres connection",
    settingsOf(config, "postgres", PostgresConnection).map((connection): Server => {
      const local = isLoopbackHost(connection.host) || connection.host.startsWith("/");
      if (connection.tls.mode === "disable" && !(local && loopback)) {
        throw new CountersignError(
          "CONFIG_INVALID",
          `expected tls verify-full on connection ${connection.name}, got it disabled outside loopback`,
        );
      }
      return {
        connection,
        password: () => deps.readSecret(connection.password),
        callDeadlineMs: config.callDeadlineMs,
        ca: config.network.ca,
        observe: deps.observe,
      };
    }),
    (server) => server.connection.name,
  );

  const ground: Ground = {
    http,
    open(rules) {
      const other = createHttp({ ...network, ...rules });
      others.push(other);
      return other;
    },
    profile: config.profile,
    budget: budgets,
    tenant: tenants,
    readSecret: (reference) => deps.readSecret(reference),
  };
  const organizations = namedBy(
    "devops connection",
    settingsOf(config, "devops", DevopsConnection).map((connection) => connectOrganization(connection, ground)),
    (organization) => organization.connection.name,
  );
  const subscriptions = namedBy(
    "app-service connection",
    settingsOf(config, "app-service", AppServiceConnection).map((connection) =>
      connectSubscription(connection, ground),
    ),
    (subscription) => subscription.connection.name,
  );

  const githubs = namedBy(
    "github connection",
    settingsOf(config, "github", GithubConnection).map((connection) => connectGithub(connection, ground)),
    (github) => github.connection.name,
  );
  const clusters = namedBy(
    "kubernetes connection",
    settingsOf(config, "kubernetes", KubernetesConnection).map((connection) => connectCluster(connection, ground)),
    (cluster) => cluster.connection.name,
  );
  const services = namedBy(
    "rest connection",
    settingsOf(config, "rest", RestConnection).map((connection) => connectService(connection, ground)),
    (service) => service.connection.name,
  );

  const records: Records = (connection) => recordStore(vaults(connection));
  const targets = createTargets({
    ...storedTargets(records, roots),
    ...devopsTargets(organizations),
    ...appServiceTargets(subscriptions, records),
    ...githubTargets(githubs),
    ...kubernetesTargets(clusters),
    ...restTargets(services),
    ...manualTargets,
  });
  const copies = createCopies(records);
  const signIns = createSignInLog(tenants);
  const by = (id: string) => ({ id, version: deps.version });
  const verbs: readonly AnyVerb[] = [
    offer(addPassword(tenants, by("entra"))),
    offer(prove(tenants, by("entra"))),
    offer(proveRefused(tenants, records, by("entra"))),
    offer(removePassword({ tenants, records, signIns }, by("entra"))),
    offer(keyvaultWrite(vaults, by("keyvault"), waits.settleMs)),
    offer(keyvaultCopy(vaults, records, by("keyvault"), waits.settleMs)),
    offer(referenceFilePoint(roots, records, by("files"))),
    offer(connectionFileWrite(roots, records, by("files"))),
    offer(consumerConfirm({ records, targets, signIns, sessions: createSessions(servers) }, by("consumer"))),
    offer(setVariable(organizations, copies, by("devops"), waits.settleMs)),
    offer(setSetting(subscriptions, copies, by("app-service"), waits.settleMs)),
    offer(refreshReference(subscriptions, records, copies, by("app-service"))),
    offer(putActionsSecret(githubs, copies, by("github"))),
    offer(patchSecret(clusters, copies, by("kubernetes"), waits.settleMs)),
    offer(writeEntry(services, copies, by("rest"))),
    offer(manualAsk(by("manual"))),
    offer(setPassword(servers, by("postgres"))),
    offer(provePostgres(servers, by("postgres"))),
    offer(disableRole(servers, records, by("postgres"))),
  ];
  const worlds: readonly WorldReader[] = [
    entraWorld({ tenants, records, targets, signIns }),
    postgresWorld({ servers, records, targets }),
  ];
  const scanners: readonly Scanner[] = config.tenants.map((tenant) => entraScanner(tenants(tenant.name), signIns));
  const audits: readonly AuditLog[] = config.tenants.map((tenant) => entraAuditLog(tenants(tenant.name)));
  return {
    verbs: new Map(verbs.map((verb) => [verb.id, verb])),
    worlds: new Map(worlds.map((world) => [world.procedure, world])),
    scanners,
    audits,
    twins: createTwins(tenants),
    finder: {
      vaults: vaultSettings.map(({ name }) => name),
      entries: (ctx, connection) => listEntries(ctx, vaults(connection)),
    },
    async inventoryAt(ctx, from) {
      const tenant = tenants(from.tenant);
      const reader = tokensOf(tenant.settings, tenant.authority, tenant.graph, from.client);
      // Calls go out as the source's own client, never as the directory's reader or writer.
      const own: Tenant = { ...tenant, reader, writer: reader };
      return from.kind === "sharepoint-list"
        ? readInventoryList(ctx, own, from)
        : readInventoryFile(ctx, own, from, http.endpoint(from.downloads));
    },
    async close() {
      await Promise.all([http, ...others].map((one) => one.close()));
    },
  };
}

/** A look-up by name that says what was looked for. */
function namedBy<T>(what: string, list: readonly T[], nameOf: (item: T) => string): (name: string) => T {
  const byName = new Map(list.map((item) => [nameOf(item), item]));
  return (name) => {
    const found = byName.get(name);
    if (found === undefined)
      throw new CountersignError("CONFIG_INVALID", `expected a ${what} named ${name} in the configuration, got none`);
    return found;
  };
}

/** Connections of one kind, in the form of their schema. */
function settingsOf<T>(config: ConnectorsConfig, kind: string, schema: z.ZodType<T>): readonly T[] {
  return config.connections
    .filter((connection) => connection.kind === kind)
    .map((connection) => {
      const parsed = schema.safeParse(connection.settings);
      if (parsed.success) return parsed.data;
      throw new CountersignError(
        "CONFIG_INVALID",
        `expected a well-formed connection ${connection.name}, got one that is not`,
      );
    });
}
