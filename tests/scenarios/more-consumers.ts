import type { StageApplication } from "./documents.ts";

/** A further kind of consumer: its words in the inventory, and the program of the tenant that lives on it. */
interface MoreKind {
  readonly kind: string;
  readonly pickup: number;
  readonly cadence: number;
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
    target: (name) => `connection: apps, resourceGroup: rg, site: ${name}, setting: REFERENCE, `,
    workload: (name) => ({ kind: "entra-site", container: name, entry: "REFERENCE" }),
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
    ...(places.arm === ""
      ? []
      : [
          `  - { name: apps, kind: app-service, ${base}, subscription: ${places.subscription}, url: "${places.arm}", audience: "https://management.azure.com", ${client}, names: ["rg/app-*/*"], watch: true }`,
        ]),
  ];
}
