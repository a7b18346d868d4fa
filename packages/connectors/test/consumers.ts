import { type Done, SecretValue } from "@countersign/core";
import { type BuiltConnectors, createConnectors } from "../src/index.ts";
import { type ContextOptions, contextOf, openTenant, verbOf } from "./support.ts";

/** A tenant whose application is also used by a pipeline and by an app, and the connectors for these. */
export async function openConsumers(options: { watch?: boolean; identity?: boolean; pat?: boolean } = {}) {
  const tenant = await openTenant();
  const { sim, clock } = tenant;
  const old = { from: { application: "billing", secret: "old" } };
  await sim.seed({
    devops: [
      {
        name: "acme",
        projects: ["shop", "elsewhere"],
        groups: [
          {
            id: 12,
            name: "billing",
            projects: ["shop"],
            variables: {
              CLIENT_SECRET: { ...old, isSecret: true },
              OTHER_SECRET: { value: "kept-by-the-group", isSecret: true },
              REGION: { value: "westeurope", isReadOnly: true },
              OPEN: { value: "plain" },
            },
          },
          { id: 13, name: "linked", type: "AzureKeyVault", projects: ["shop"], variables: {} },
        ],
        grants: [{ caller: "writer", pat: "pat-of-the-writer" }, { caller: "reader" }],
      },
    ],
    sites: [
      {
        site: "shop",
        settings: {
          CLIENT_SECRET: old,
          REFERENCE: { reference: { vault: "main", secret: "billing-secret" } },
          ELSEWHERE: { reference: { vault: "copy", secret: "billing-copy" } },
          REGION: { value: "westeurope" },
        },
        stickyNames: ["CLIENT_SECRET"],
        identity: options.identity ?? true,
        grants: [{ caller: "writer" }, { caller: "reader" }],
      },
      { site: "shop", slot: "staging", settings: { CLIENT_SECRET: old }, grants: [{ caller: "writer" }] },
    ],
  });
  const { tenant: world } = sim.world;
  const caller = (name: string) => {
    const found = world.callers.find((candidate) => candidate.name === name);
    if (found === undefined) throw new Error(`expected caller ${name}`);
    return found;
  };
  const client = (name: string) => ({ clientId: caller(name).appId, secret: `env:${name}` });
  const base = { environment: "dev", prod: false, tenant: "contoso" };
  const organization = `${sim.urls.devops.acme}/acme`;
  const connection = (kind: string, settings: Record<string, unknown>) => ({
    kind,
    name: String(settings.name),
    settings: { ...base, ...settings },
  });
  const connectors: BuiltConnectors = createConnectors(
    {
      profile: "test",
      network: { ca: [], proxy: null, loopback: true },
      callDeadlineMs: 2_000,
      waits: { settleMs: 1_000 },
      tenants: [
        {
          name: "contoso",
          id: sim.tenantId,
          authority: sim.urls.authority,
          graph: sim.urls.graph,
          reader: client("reader"),
          writer: client("writer"),
          ownExecutorAppIds: [],
          ownAddresses: ["127.0.0.1"],
        },
      ],
      connections: [
        connection("key-vault", {
          name: "main-vault",
          url: sim.urls.vaults.main,
          audience: "https://vault.azure.net",
          client: client("vault"),
          names: ["billing-*"],
        }),
        connection("devops", {
          name: "acme",
          url: organization,
          ...(options.pat === true ? { pat: "env:pat" } : { client: client("writer") }),
          names: ["shop/12/*", "shop/13/*"],
          audit: options.watch === true ? organization : null,
        }),
        connection("app-service", {
          name: "apps",
          subscription: world.subscription,
          url: sim.urls.arm,
          audience: "https://management.azure.com",
          client: client("writer"),
          names: ["rg/shop/*", "rg/shop/staging/*"],
          watch: options.watch ?? false,
        }),
      ],
    },
    {
      clock,
      version: "0.0.0-test",
      readSecret: (reference) =>
        Promise.resolve(
          SecretValue.of(reference === "env:pat" ? "pat-of-the-writer" : caller(reference.slice(4)).secret),
        ),
    },
  );
  const previous = tenant.latestVersion("main", "billing-secret")?.version ?? "";
  const value = SecretValue.of('n3w~value.With-%&"odd\\ characters');
  const outcomes = new Map<string, Done>();
  const store = async (text: string) => {
    await tenant.putSecret("main", "billing-secret", text);
    return tenant.latestVersion("main", "billing-secret")?.version ?? "";
  };
  outcomes.set("store", { objectIds: { version: await store(value.reveal()) }, facts: {}, requestIds: [] });
  const common = {
    record: { connection: "main-vault", name: "billing-secret" },
    store: "store",
    created: "create",
    previous,
  };

  /** Somebody else writes, as another caller, past our connectors. */
  async function call(url: string, scope: string, method: string, body?: unknown) {
    const { appId, secret } = caller("reader");
    const form = { client_id: appId, client_secret: secret, grant_type: "client_credentials", scope };
    const token = (await (
      await fetch(`${sim.urls.authority}/${sim.tenantId}/oauth2/v2.0/token`, {
        method: "POST",
        body: new URLSearchParams(form),
      })
    ).json()) as { access_token: string };
    const answer = await fetch(url, {
      method,
      headers: { authorization: `Bearer ${token.access_token}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`expected ${method} ${url} to work, got ${answer.status}`);
    return (await answer.json()) as Record<string, never>;
  }

  return {
    ...tenant,
    connectors,
    value,
    previous,
    store,
    outcomes,
    variable: { ...common, connection: "acme", project: "shop", group: 12, variable: "CLIENT_SECRET" },
    setting: { ...common, connection: "apps", resourceGroup: "rg", site: "shop", setting: "CLIENT_SECRET" },
    verb: (id: string) => verbOf(connectors, id),
    context: (over: Partial<ContextOptions> = {}) =>
      contextOf({ clock, tenantId: sim.tenantId, step: "update:x", outcomes, value: () => value, ...over }),
    group: () => {
      const found = world.devops[0]?.groups[0];
      if (found === undefined) throw new Error("expected the group");
      return found;
    },
    site: (slot: string | null = null) => {
      const found = world.sites.find((item) => item.slot === slot);
      if (found === undefined) throw new Error("expected the app");
      return found;
    },
    /** Somebody else reads the group, changes it and writes it back. */
    async changeGroup(change: (variables: Record<string, { value: string | null; isSecret?: boolean }>) => void) {
      const scope = "499b84ac-1321-427f-aa17-267ca6975798/.default";
      const group = await call(
        `${organization}/shop/_apis/distributedtask/variablegroups/12?api-version=7.1`,
        scope,
        "GET",
      );
      change(group.variables as never);
      await call(`${organization}/_apis/distributedtask/variablegroups/12?api-version=7.1`, scope, "PUT", group);
    },
    /** Somebody else lists the settings, changes them and writes them back. */
    async changeSettings(change: (settings: Record<string, string>) => void) {
      const scope = "https://management.azure.com/.default";
      const at = `${sim.urls.arm}/subscriptions/${world.subscription}/resourceGroups/rg/providers/Microsoft.Web/sites/shop/config/appsettings`;
      const settings = await call(`${at}/list?api-version=2024-11-01`, scope, "POST");
      change(settings.properties as never);
      await call(`${at}?api-version=2024-11-01`, scope, "PUT", settings);
    },
    /** Stops the next request of that kind before it does anything, lets `meanwhile` happen, and lets it go on. */
    meanwhile(op: string, act: () => Promise<void>) {
      sim.world.rules.arm({ op, nth: 1, times: 1, match: {}, action: { type: "hold", position: "after-send" } });
      const stop = sim.world.events.subscribe(({ type, data }) => {
        if (type !== "hold" || data.op !== op) return;
        stop();
        void act().then(() => sim.world.holds.decide(String(data.id), "release"));
      });
    },
    async close() {
      await connectors.close();
      await tenant.close();
    },
  };
}

export type Consumers = Awaited<ReturnType<typeof openConsumers>>;
