import type { StageApplication } from "./documents.ts";

/** A further kind of consumer: its words in the inventory, and the program of the tenant that lives on it. */
interface MoreKind {
  readonly kind: string;
  readonly pickup: number;
  readonly cadence: number;
  /** How long the program keeps what it read; its pick-up delay where not given. */
  readonly cache?: number;
  target(application: string): string;
  workload(application: string, files: string): object;
}

/** The project and number of the variable group that all applications share. */
export const group = { organization: "acme", project: "shop", id: 12 };
export const desk = ["Open the page of the gateway", "Paste the newest value of the record"];
const variable = (application: string) => application.toUpperCase().replaceAll("-", "_");

export const moreKinds = {
  pipeline: {
    kind: "devops-variable",
    pickup: 900,
    cadence: 900,
    target: (name) => `connection: acme, project: ${group.project}, group: ${group.id}, variable: ${variable(name)}, `,
    workload: (name) => ({
      kind: "entra-pipeline",
      container: `${group.organization}/${group.id}`,
      entry: variable(name),
    }),
  },
  setting: {
    kind: "app-setting",
    pickup: 900,
    cadence: 900,
    target: (name) => `connection: apps, resourceGroup: rg, site: ${name}, setting: CLIENT_SECRET, `,
    workload: (name) => ({ kind: "entra-site", container: name, entry: "CLIENT_SECRET" }),
  },
  // What the platform keeps of a reference may be a day old.
  reference: {
    kind: "app-reference",
    pickup: 86_400,
    cadence: 900,
    // The app itself keeps nothing.
    cache: 0,
    target: (name) => `connection: apps, resourceGroup: rg, site: ${name}, setting: REFERENCE, `,
    workload: (name) => ({ kind: "entra-site", container: name, entry: "REFERENCE" }),
  },
  workflow: {
    kind: "github-secret",
    pickup: 900,
    cadence: 900,
    target: (name) => `connection: hub, repository: acme/${name}, secret: CLIENT_SECRET, `,
    workload: (name) => ({ kind: "entra-actions", container: `hub/acme/${name}`, entry: "CLIENT_SECRET" }),
  },
  // All applications have a key of their own in one Secret. Pods hold what stood there when they began.
  pod: {
    kind: "kubernetes-secret",
    pickup: 900,
    cadence: 900,
    cache: 600,
    target: (name) =>
      `connection: live, namespace: shop, secret: entra, key: ${name}, workloads: [deployment/${name}], restart: true, `,
    workload: (name) => ({ kind: "entra-pod", container: `live/shop/deployment/${name}`, entry: name }),
  },
  partner: {
    kind: "rest",
    pickup: 900,
    cadence: 900,
    target: (name) => `connection: gateway, entry: ${name}, `,
    workload: (name) => ({ kind: "entra-gateway", container: "gateway", entry: name }),
  },
  desk: {
    kind: "manual",
    pickup: 600,
    cadence: 900,
    target: () => `checklist: [${desk.map((line) => JSON.stringify(line)).join(", ")}], `,
    workload: (name, files) => ({ kind: "entra-pinned", file: `${files}/${name}-desk.ref` }),
  },
} as const satisfies Readonly<Record<string, MoreKind>>;

export type MoreKindName = keyof typeof moreKinds;

/** Whether the name is of a kind of this page. */
export const isMore = (kind: string): kind is MoreKindName => Object.hasOwn(moreKinds, kind);

/** What the tenant has for them besides: one variable group for all, one app each. */
export function moreScenario(applications: readonly StageApplication[]): object {
  const using = (...kinds: MoreKindName[]) =>
    applications.filter(({ consumers = [] }) => kinds.some((kind) => consumers.includes(kind)));
  const from = (name: string) => ({ from: { application: name, secret: "current" } });
  const pipelines = using("pipeline");
  const [workflows, pods, partners] = [using("workflow"), using("pod"), using("partner")];
  return {
    devops:
      pipelines.length === 0
        ? []
        : [
            {
              name: group.organization,
              projects: [group.project],
              groups: [
                {
                  id: group.id,
                  name: "secrets",
                  projects: [group.project],
                  variables: {
                    ...Object.fromEntries(
                      pipelines.map(({ name }) => [variable(name), { ...from(name), isSecret: true }]),
                    ),
                    REGION: { value: "westeurope" },
                  },
                },
              ],
              grants: [{ caller: "writer" }, { caller: "vault" }],
            },
          ],
    github:
      workflows.length === 0
        ? []
        : [
            {
              name: "hub",
              repositories: workflows.map(({ name }) => ({
                owner: "acme",
                name,
                secrets: { CLIENT_SECRET: from(name), OTHER: { value: "kept" } },
              })),
              apps: [{ installation: 77, permissions: { secrets: "write" } }],
            },
          ],
    clusters:
      pods.length === 0
        ? []
        : [
            {
              name: "live",
              accounts: [{ name: "countersign" }, { name: "another" }],
              secrets: [
                {
                  namespace: "shop",
                  name: "entra",
                  data: {
                    region: { value: "westeurope" },
                    ...Object.fromEntries(pods.map(({ name }) => [name, from(name)])),
                  },
                },
              ],
              workloads: pods.map(({ name }) => ({ namespace: "shop", name, secret: "entra", rolloutSeconds: 90 })),
            },
          ],
    gateways:
      partners.length === 0
        ? []
        : [
            {
              name: "gateway",
              readable: true,
              entries: Object.fromEntries(partners.map(({ name }) => [name, from(name)])),
            },
          ],
    sites: using("setting", "reference").map(({ name }) => ({
      site: name,
      settings: {
        CLIENT_SECRET: from(name),
        REFERENCE: { reference: { vault: "main", secret: name } },
        REGION: { value: "westeurope" },
      },
      grants: [{ caller: "writer" }],
    })),
  };
}

/** Their connections, where the tenant has such places. */
export function moreConnections(places: {
  readonly devops: Readonly<Record<string, string>>;
  readonly arm: string;
  readonly subscription: string;
  readonly writer: string;
  readonly github: Readonly<Record<string, string>>;
  readonly githubApp: string;
  readonly clusters: Readonly<Record<string, string>>;
  readonly gateways: Readonly<Record<string, string>>;
}): string[] {
  const client = `client: { clientId: ${places.writer}, secret: "file:writer.secret" }`;
  const base = "environment: dev, prod: false, tenant: stage";
  const organization = places.devops[group.organization];
  return [
    ...(organization === undefined
      ? []
      : [
          `  - { name: acme, kind: devops, ${base}, url: "${organization}/${group.organization}", ${client}, names: ["${group.project}/${group.id}/APP_*"], audit: "${organization}/${group.organization}" }`,
        ]),
    ...(places.github.hub === undefined
      ? []
      : [
          `  - { name: hub, kind: github, environment: dev, prod: false, url: "${places.github.hub}", app: { clientId: ${places.githubApp}, installation: 77, key: "file:hub.secret" }, names: ["acme/app-*/CLIENT_SECRET"] }`,
        ]),
    ...(places.clusters.live === undefined
      ? []
      : [
          `  - { name: live, kind: kubernetes, environment: dev, prod: false, url: "${places.clusters.live}", token: "file:live.secret", names: ["shop/entra/app-*"] }`,
        ]),
    ...(places.gateways.gateway === undefined
      ? []
      : [
          `  - { name: gateway, kind: rest, environment: dev, prod: false, url: "${places.gateways.gateway}", auth: { header: { name: x-api-key, secret: "file:gateway.secret" } }, names: ["app-*"], write: { method: PUT, path: "/v1/credentials/{entry}", body: { secret: "{value}", version: "{version}" }, retry: idempotent }, read: { path: "/v1/credentials/{entry}", value: $.secret }, identity: { path: "/v1/credentials/{entry}", facts: { id: $.entry.id } } }`,
        ]),
    ...(places.arm === ""
      ? []
      : [
          `  - { name: apps, kind: app-service, ${base}, subscription: ${places.subscription}, url: "${places.arm}", audience: "https://management.azure.com", ${client}, names: ["rg/app-*/*"], watch: true }`,
        ]),
  ];
}

/** What the tenant says of the places, with what their callers sign in with. */
export interface MorePlaces {
  readonly github: readonly {
    readonly name: string;
    readonly apps: readonly { readonly clientId: string; readonly privateKey: string }[];
  }[];
  readonly clusters: readonly {
    readonly name: string;
    readonly accounts: readonly { readonly name: string; readonly token: string }[];
  }[];
  readonly gateways: readonly { readonly name: string; readonly token: string }[];
}

/** Secrets of their connections by the file that the configuration names. */
export function moreSecrets(directory: MorePlaces): [string, string][] {
  return [
    ...directory.github.map(({ name, apps }): [string, string] => [`${name}.secret`, apps[0]?.privateKey ?? ""]),
    ...directory.clusters.map(({ name, accounts }): [string, string] => [`${name}.secret`, accounts[0]?.token ?? ""]),
    ...directory.gateways.map(({ name, token }): [string, string] => [`${name}.secret`, token]),
  ];
}

/** Somebody else who works on the same places with rights of his own: reads, or writes one key first. */
export function othersAt(
  urls: {
    readonly authority: string;
    readonly devops: Readonly<Record<string, string>>;
    readonly clusters: Readonly<Record<string, string>>;
  },
  directory: MorePlaces & {
    readonly tenant: { readonly id: string };
    readonly callers: { readonly vault: { readonly clientId: string; readonly clientSecret: string } };
  },
) {
  async function call(url: string, headers: Record<string, string>, method = "GET", body?: unknown) {
    const answer = await fetch(url, {
      method,
      headers: { "content-type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`expected ${method} ${url} to work, got ${answer.status}`);
    return (await answer.json()) as Record<string, Record<string, never>>;
  }
  return {
    /** Keys of the one Secret, in plain. */
    async secret(key?: string, value = ""): Promise<Record<string, string>> {
      const token = directory.clusters[0]?.accounts.find(({ name }) => name === "another")?.token;
      const url = `${urls.clusters.live}/api/v1/namespaces/shop/secrets/entra`;
      const headers = { authorization: `Bearer ${token}`, "content-type": "application/merge-patch+json" };
      const { data = {} } =
        key === undefined
          ? await call(url, headers)
          : await call(url, headers, "PATCH", { stringData: { [key]: value } });
      return Object.fromEntries(
        Object.entries(data).map(([name, text]) => [name, Buffer.from(String(text), "base64").toString()]),
      );
    },
    /** Variables of the one group that are not secret. */
    async variable(name?: string, value = ""): Promise<Record<string, string | null>> {
      const { clientId, clientSecret } = directory.callers.vault;
      const form = { grant_type: "client_credentials", client_id: clientId, client_secret: clientSecret };
      const answer = await fetch(`${urls.authority}/${directory.tenant.id}/oauth2/v2.0/token`, {
        method: "POST",
        body: new URLSearchParams({ ...form, scope: "499b84ac-1321-427f-aa17-267ca6975798/.default" }),
      });
      const { access_token: bearer } = (await answer.json()) as { access_token: string };
      const headers = { authorization: `Bearer ${bearer}` };
      const at = `_apis/distributedtask/variablegroups/${group.id}?api-version=7.1`;
      const base = `${urls.devops[group.organization]}/${group.organization}`;
      const held = await call(`${base}/${group.project}/${at}`, headers);
      const variables: Record<string, { value: string | null }> = { ...held["variables"] };
      if (name !== undefined) {
        variables[name] = { value };
        await call(`${base}/${at}`, headers, "PUT", { ...held, variables });
      }
      return Object.fromEntries(Object.entries(variables).map(([key, item]) => [key, item.value]));
    },
  };
}
