import {
  type KnobChange,
  type ScenarioInput,
  type Simulator,
  type SimulatorOptions,
  startSimulator,
} from "../src/index.ts";

/** One application with a secret in a vault, and who may do what with it. */
export const smallScenario: ScenarioInput = {
  users: [{ name: "alice" }, { name: "bob", accountEnabled: false }],
  applications: [
    { name: "billing", owners: ["alice", "writer"], secrets: [{ name: "current", expiresInDays: 14 }] },
    { name: "foreign", owners: ["alice"], secrets: [{ name: "current", expiresInDays: 100 }] },
  ],
  vaults: [{ name: "prod" }],
  vaultEntries: [{ vault: "prod", secret: "billing", from: { application: "billing", secret: "current" } }],
};

/** Parsed JSON that a test looks into freely; a wrong guess fails its expectation. */
export type Loose = ReturnType<JSON["parse"]>;

/** What an answer of the tenant was. */
export interface Answer {
  status: number;
  headers: Headers;
  /** Looked into freely by tests. */
  body: Loose;
}

/** A tenant under test with the few calls every test makes. */
export interface TestTenant {
  simulator: Simulator;
  /** ids by application name */
  application(name: string): { objectId: string; appId: string; credentials: { keyId: string }[] };
  call(url: string, init?: RequestInit): Promise<Answer>;
  manage(method: string, path: string, body?: unknown): Promise<Answer>;
  signIn(clientId: string, clientSecret: string, scope?: string): Promise<Answer>;
  /** `Authorization` header of one of the callers. */
  as(caller: "reader" | "writer" | "vault"): Promise<{ authorization: string }>;
  graph(caller: "reader" | "writer", method: string, path: string, body?: unknown): Promise<Answer>;
  vault(method: string, path: string, body?: unknown): Promise<Answer>;
  close(): Promise<void>;
}

/** Starts a quiet tenant with the small scenario, unless told otherwise. */
export async function startTenant(options: SimulatorOptions = {}, knobs: KnobChange = "off"): Promise<TestTenant> {
  const simulator = await startSimulator({
    seed: 7,
    knobs,
    scenario: smallScenario,
    start: "2026-11-22T12:00:00Z",
    ...options,
  });
  const { urls, tenantId, world } = simulator;
  const call = async (url: string, init?: RequestInit): Promise<Answer> => {
    const response = await fetch(url, init);
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === "" ? null : JSON.parse(text) };
  };
  const json = (method: string, body: unknown, headers: Record<string, string> = {}): RequestInit => ({
    method,
    headers: { ...headers, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const tenant: TestTenant = {
    simulator,
    application(name) {
      const known = world.tenant.names[name];
      const app = world.tenant.applications.find((item) => item.id === known?.objectId);
      if (app === undefined) throw new Error(`no application ${name}`);
      return { objectId: app.id, appId: app.appId, credentials: app.credentials };
    },
    call,
    manage: (method, path, body) => call(`${urls.management}${path}`, json(method, body)),
    signIn: (clientId, clientSecret, scope = "https://graph.microsoft.com/.default") =>
      call(`${urls.authority}/${tenantId}/oauth2/v2.0/token`, {
        method: "POST",
        body: new URLSearchParams({
          grant_type: "client_credentials",
          client_id: clientId,
          client_secret: clientSecret,
          scope,
        }),
      }),
    async as(name) {
      const caller = world.tenant.callers.find((item) => item.name === name);
      const scope = name === "vault" ? "https://vault.azure.net/.default" : "https://graph.microsoft.com/.default";
      const answer = await tenant.signIn(caller?.appId ?? "", caller?.secret ?? "", scope);
      return { authorization: `Bearer ${answer.body.access_token}` };
    },
    graph: async (caller, method, path, body) =>
      call(`${urls.graph}${path}`, json(method, body, await tenant.as(caller))),
    async vault(method, path, body) {
      const separator = path.includes("?") ? "&" : "?";
      return call(
        `${urls.vaults.prod}${path}${separator}api-version=2025-07-01`,
        json(method, body, await tenant.as("vault")),
      );
    },
    close: () => simulator.close(),
  };
  return tenant;
}
