import { type Done, SecretValue } from "@countersign/core";
import type { ScenarioInput } from "@countersign/simulator";
import { type BuiltConnectors, createConnectors } from "../src/index.ts";
import type { ConnectorsConfig } from "../src/settings.ts";
import { type ContextOptions, contextOf, openTenant, verbOf } from "./support.ts";

const old = { from: { application: "billing", secret: "old" } };

/** A GitHub, a cluster and a gateway that hold the application's secret, besides what belongs to others. */
const scenario: ScenarioInput = {
  github: [
    {
      name: "hub",
      organizations: [
        {
          login: "acme",
          secrets: {
            SHARED: { ...old, visibility: "selected", selected: ["acme/shop", "acme/site"] },
            THEIRS: { value: "kept-by-the-organization" },
          },
        },
      ],
      repositories: [
        {
          owner: "acme",
          name: "shop",
          secrets: { CLIENT_SECRET: old, OTHER: { value: "kept-by-the-repository" } },
          environments: [{ name: "live/eu west", secrets: { CLIENT_SECRET: old } }],
        },
        { owner: "acme", name: "site" },
        { owner: "acme", name: "elsewhere", secrets: { CLIENT_SECRET: old } },
      ],
      apps: [
        { installation: 77, permissions: { secrets: "write", environments: "write", organization_secrets: "write" } },
      ],
      tokens: [
        {
          token: "token-of-another-person",
          caller: "another",
          permissions: { metadata: "read", secrets: "write", organization_secrets: "write" },
        },
        { token: "token-that-may-read-only", caller: "reader", permissions: { metadata: "read", secrets: "read" } },
      ],
    },
  ],
  clusters: [
    {
      name: "live",
      accounts: [{ name: "countersign" }, { name: "another" }],
      secrets: [
        { namespace: "shop", name: "entra", data: { "client-secret": old, other: { value: "kept-by-the-cluster" } } },
        { namespace: "shop", name: "fixed", immutable: true, data: { "client-secret": old } },
        {
          namespace: "shop",
          name: "owned",
          owner: { kind: "ExternalSecret", name: "x" },
          data: { "client-secret": old },
        },
        {
          namespace: "shop",
          name: "chart",
          labels: { "app.kubernetes.io/managed-by": "Helm" },
          data: { "client-secret": old },
        },
      ],
      workloads: [
        { namespace: "shop", name: "web", secret: "entra", rolloutSeconds: 60 },
        { kind: "statefulset", namespace: "shop", name: "queue", secret: "entra", rolloutSeconds: 120 },
        { kind: "daemonset", namespace: "shop", name: "agent", secret: "entra", rolloutSeconds: 30 },
      ],
    },
  ],
  gateways: [
    { name: "readable", readable: true, entries: { "billing-main": old, other: { value: "kept-by-the-gateway" } } },
    { name: "blind", entries: { "billing-main": old, other: { value: "kept-by-the-gateway" } } },
  ],
};

type Described = Record<string, unknown>;

/** The interfaces as an administrator would describe them. */
export const described = {
  write: {
    method: "PUT",
    path: "/v1/credentials/{entry}",
    body: { secret: "{value}", version: "{version}", by: "countersign {run}" },
    retry: "idempotent",
  },
  read: { path: "/v1/credentials/{entry}", value: "$.secret" },
  version: { path: "/v1/credentials/{entry}", version: "$.state[0].version" },
  identity: { path: "/v1/credentials/{entry}", facts: { id: "$.entry.id" } },
} as const;

export interface OutsidesOptions {
  readonly pat?: string;
  readonly rest?: Described;
  readonly profile?: ConnectorsConfig["profile"];
  readonly kubernetes?: Described;
}

/** That tenant with the connectors for it. */
export async function openOutsides(options: OutsidesOptions = {}) {
  const tenant = await openTenant();
  const { sim, clock } = tenant;
  await sim.seed(scenario);
  const world = sim.world.tenant;
  const [host] = world.github;
  const [cluster] = world.clusters;
  if (host === undefined || cluster === undefined) throw new Error("expected the seeded places");
  const gateway = (name: string) => {
    const found = world.gateways.find((item) => item.name === name);
    if (found === undefined) throw new Error(`expected gateway ${name}`);
    return found;
  };
  const vaultCaller = world.callers.find(({ name }) => name === "vault");
  const base = { environment: "dev", prod: false };
  const connection = (kind: string, settings: Described) => ({
    kind,
    name: String(settings.name),
    settings: { ...base, ...settings },
  });
  const client = { clientId: vaultCaller?.appId ?? "", secret: "env:vault" };
  const rest = (name: string, more: Described) =>
    connection("rest", {
      name,
      url: sim.urls.gateways[name],
      auth: { header: { name: "x-api-key", secret: `env:${name}` } },
      names: ["billing-*"],
      write: described.write,
      identity: described.identity,
      ...more,
    });
  const secrets: Record<string, () => string> = {
    "env:vault": () => vaultCaller?.secret ?? "",
    "env:app": () => host.apps[0]?.privateKey ?? "",
    "env:pat": () => options.pat ?? "",
    "env:account": () => cluster.accounts[0]?.token ?? "",
    "env:readable": () => gateway("readable").token,
    "env:blind": () => gateway("blind").token,
  };
  const read: string[] = [];
  const connectors: BuiltConnectors = createConnectors(
    {
      profile: options.profile ?? "test",
      network: { ca: [], proxy: null, loopback: true },
      callDeadlineMs: 2_000,
      waits: { settleMs: 1_000 },
      tenants: [
        {
          name: "contoso",
          id: sim.tenantId,
          authority: sim.urls.authority,
          graph: sim.urls.graph,
          reader: client,
          writer: client,
          ownExecutorAppIds: [],
        },
      ],
      connections: [
        connection("key-vault", {
          name: "main-vault",
          tenant: "contoso",
          url: sim.urls.vaults.main,
          audience: "https://vault.azure.net",
          client,
          names: ["billing-*"],
        }),
        connection("github", {
          name: "hub",
          url: sim.urls.github.hub,
          ...(options.pat === undefined
            ? { app: { clientId: host.apps[0]?.clientId, installation: 77, key: "env:app" } }
            : { token: "env:pat" }),
          names: ["acme/shop/*", "acme/shop/live/eu west/*", "acme/site/*", "acme/SHARED"],
        }),
        connection("kubernetes", {
          name: "live",
          url: sim.urls.clusters.live,
          token: "env:account",
          names: ["shop/*/client-secret"],
          ...options.kubernetes,
        }),
        rest("readable", { read: described.read, ...options.rest }),
        rest("blind", { ...options.rest }),
      ],
    },
    {
      clock,
      version: "0.0.0-test",
      readSecret(reference) {
        read.push(reference);
        return Promise.resolve(SecretValue.of(secrets[reference]?.() ?? ""));
      },
    },
  );
  const previous = tenant.latestVersion("main", "billing-secret")?.version ?? "";
  const value = SecretValue.of('n3w~value.With-%&"odd\\ characters ☕');
  await tenant.putSecret("main", "billing-secret", value.reveal());
  const version = tenant.latestVersion("main", "billing-secret")?.version ?? "";
  const outcomes = new Map<string, Done>([["store", { objectIds: { version }, facts: {}, requestIds: [] }]]);
  const common = {
    record: { connection: "main-vault", name: "billing-secret" },
    store: "store",
    created: "create",
    previous,
  };
  const oldValue = host.repositories[0]?.secrets.CLIENT_SECRET?.value ?? "";
  const seen = `${new Date(host.repositories[0]?.secrets.CLIENT_SECRET?.updatedMs ?? 0).toISOString().slice(0, 19)}Z`;

  return {
    ...tenant,
    connectors,
    value,
    oldValue,
    previous,
    version,
    outcomes,
    host,
    cluster,
    gateway,
    /** References that were resolved, in order. */
    read,
    params: {
      repository: { ...common, connection: "hub", repository: "acme/shop", entry: "CLIENT_SECRET", seen },
      environment: {
        ...common,
        connection: "hub",
        repository: "acme/shop",
        deployment: "live/eu west",
        entry: "CLIENT_SECRET",
        seen,
      },
      organization: { ...common, connection: "hub", organization: "acme", entry: "SHARED", seen },
      key: {
        ...common,
        connection: "live",
        namespace: "shop",
        entry: "entra",
        key: "client-secret",
        workloads: [] as string[],
        restart: false,
      },
      readable: { ...common, connection: "readable", entry: "billing-main" },
      blind: { ...common, connection: "blind", entry: "billing-main" },
    },
    verb: (id: string) => verbOf(connectors, id),
    context: (over: Partial<ContextOptions> = {}) =>
      contextOf({ clock, tenantId: sim.tenantId, step: "update:x", outcomes, value: () => value, ...over }),
    secrets: () => [
      ...tenant.secrets(),
      ...Object.values(secrets)
        .map((one) => one())
        .filter((one) => one !== ""),
      ...host.tokens.map(({ token }) => token),
      value.reveal(),
      oldValue,
    ],
    /** A call by somebody else, past our connectors. */
    async foreign(url: string, method: string, headers: Record<string, string>, body?: unknown) {
      const answer = await fetch(url, {
        method,
        headers: { "content-type": "application/json", ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`expected ${method} ${url} to work, got ${answer.status} ${text}`);
      return (text === "" ? {} : JSON.parse(text)) as Record<string, never>;
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

export type Outsides = Awaited<ReturnType<typeof openOutsides>>;
