import { createHash } from "node:crypto";
import { isMore, type MoreKindName, moreConnections, moreKinds, moreScenario } from "./more-consumers.ts";
import { type ChannelName, channelEntries, type Receivers } from "./telling.ts";

/** A person of the stage: signs in by name, password `stage`. */
export interface StagePerson {
  readonly login: string;
  readonly roles: readonly ("app-owner" | "platform" | "security")[];
}

/** ada owns every application; dora holds two roles and owns them as well. */
export const people: readonly StagePerson[] = [
  { login: "ada", roles: ["app-owner"] },
  { login: "ben", roles: ["platform"] },
  { login: "cleo", roles: ["security"] },
  { login: "dora", roles: ["app-owner", "platform"] },
];
export type Login = "ada" | "ben" | "cleo" | "dora";
export const password = "stage";

/** Opaque id of a person of the stage. */
export function personId(login: string): string {
  return `p_${createHash("sha256").update(`stage:${login}`).digest("hex").slice(0, 16)}`;
}

type KindName = keyof typeof consumerTimes | MoreKindName;

/** An application of the stage: its own entry in the vault `main`, and the consumers that are named. */
export interface StageApplication {
  readonly name: string;
  /** Days until its present secret ends; 100 is not due, so that only people ask. */
  readonly expiresInDays?: number;
  readonly consumers?: readonly KindName[];
  /** Its consumers read the secret anew at each sign-in: they pick up a new one at once. */
  readonly instant?: boolean;
}

export interface Ids {
  readonly objectId: string;
  readonly appId: string;
}

/** What the documents need to know of the world around them. */
export interface Places {
  readonly management: string;
  readonly authority: string;
  readonly graph: string;
  readonly tenantId: string;
  readonly vaults: Readonly<Record<string, string>>;
  readonly callers: Readonly<Record<"reader" | "writer" | "vault", string>>;
  readonly devops: Readonly<Record<string, string>>;
  readonly arm: string;
  readonly github: Readonly<Record<string, string>>;
  /** Client id of the app on the GitHub that there is. */
  readonly githubApp: string;
  readonly clusters: Readonly<Record<string, string>>;
  readonly gateways: Readonly<Record<string, string>>;
  readonly subscription: string;
  readonly api: number;
  readonly hook: string;
}

export interface Liveness {
  readonly leaseMs: number;
  readonly beatMs: number;
  readonly freshMs: number;
  readonly callDeadlineMs: number;
  readonly settleMs: number;
}

/** Short enough that a fault that swallows an answer costs a second; a lease that survives two busy cores. */
export const stageLiveness: Liveness = {
  leaseMs: 8_000,
  beatMs: 500,
  freshMs: 4_000,
  callDeadlineMs: 1_000,
  settleMs: 1_000,
};

/** Pick-up delay of each kind of consumer and how often it signs in, seconds. */
export const consumerTimes = {
  latest: { pickup: 1_800, cadence: 600 },
  pinned: { pickup: 900, cadence: 900 },
  copied: { pickup: 900, cadence: 900 },
} as const;

export const overlapSeconds = 6 * 3_600;

/** Source address of a consumer's sign-ins. */
export function addressOf(applications: readonly StageApplication[], name: string, kind: KindName): string {
  const index = applications.findIndex((application) => application.name === name);
  return `10.1.${index}.${10 + [...Object.keys(consumerTimes), ...Object.keys(moreKinds)].indexOf(kind)}`;
}

export function consumersOf(application: StageApplication): readonly KindName[] {
  return application.consumers ?? ["latest", "pinned", "copied"];
}

/** Pick-up delay and cadence of any kind. */
export function timesOf(kind: KindName): {
  readonly pickup: number;
  readonly cadence: number;
  readonly cache?: number;
} {
  return isMore(kind) ? moreKinds[kind] : consumerTimes[kind];
}

function pickupOf(application: StageApplication, kind: KindName): number {
  return application.instant === true ? 0 : timesOf(kind).pickup;
}

/** What is in the simulated tenant: secrets made by hand, one workload for each consumer. */
export function scenarioOf(applications: readonly StageApplication[], files: string): object {
  return {
    applications: applications.map(({ name, expiresInDays = 100 }) => ({
      name,
      owners: ["writer"],
      secrets: [{ name: "current", displayName: "made by hand", startDaysAgo: 300, expiresInDays }],
    })),
    vaults: [{ name: "main" }, { name: "partner" }, { name: "other" }],
    vaultEntries: applications.flatMap(({ name }) =>
      ["main", "partner", "other"].map((vault) => ({
        vault,
        secret: name,
        from: { application: name, secret: "current" },
      })),
    ),
    access: applications.flatMap(({ name }) =>
      ["main", "partner"].map((vault) => ({ application: name, vault, secret: name, role: "user" })),
    ),
    ...moreScenario(applications),
    workloads: applications.flatMap((application) =>
      consumersOf(application).map((kind) => ({
        name: `${application.name}-${kind}`,
        application: application.name,
        ...(isMore(kind)
          ? moreKinds[kind].workload(application.name, files)
          : kind === "pinned"
            ? { kind: "entra-pinned", file: `${files}/${application.name}.ref` }
            : { kind: `entra-${kind}`, vault: kind === "latest" ? "main" : "partner", secret: application.name }),
        intervalSeconds: timesOf(kind).cadence,
        cacheSeconds: timesOf(kind).cache ?? pickupOf(application, kind),
        ipAddress: addressOf(applications, application.name, kind),
      })),
    ),
  };
}

/** `channels`: over which people are told beside the webhook; `notices`: YAML of the rules about them. */
export function configYaml(
  places: Places,
  liveness: Liveness,
  telling: { readonly channels: readonly ChannelName[]; readonly receivers: Receivers; readonly notices: string },
): string {
  const { vaults, callers } = places;
  const local = people.map(
    ({ login, roles }) =>
      `    - { person: ${personId(login)}, name: ${login}, email: ${login}@stage.example, iss: "https://stage.countersign.invalid", sub: ${login}, roles: [${roles.join(", ")}], password: "file:person.secret" }`,
  );
  const stores = Object.entries(vaults).map(
    ([name, url]) =>
      `  - { name: ${name}, kind: key-vault, environment: dev, prod: false, tenant: stage, url: "${url}", audience: "https://vault.azure.net", client: { clientId: ${callers.vault}, secret: "file:vault.secret" }, names: ["app-*"] }`,
  );
  const { notify, tickets } = channelEntries(telling.channels, telling.receivers);
  return `version: 1
profile: test
state: ./state
database: { url: "file:database.secret" }
network: { loopback: true }
clock: { url: "${places.management}" }
api: { listen: "127.0.0.1:${places.api}", url: "http://127.0.0.1:${places.api}" }
tenants:
  - name: stage
    id: ${places.tenantId}
    authority: "${places.authority}"
    graph: "${places.graph}"
    reader: { clientId: ${callers.reader}, secret: "file:reader.secret" }
    writer: { clientId: ${callers.writer}, secret: "file:writer.secret" }
    signInLogLagSeconds: 60
connections:
${[...stores, ...moreConnections({ ...places, writer: callers.writer })].join("\n")}
  - { name: files, kind: files, environment: dev, prod: false, root: ./files, paths: ["*.ref"] }
scan: { cron: "0 6 * * *", zone: Europe/Berlin, changesEverySeconds: 0 }
audit: { everySeconds: 0 }
liveness: { leaseMs: ${liveness.leaseMs}, beatMs: ${liveness.beatMs}, freshMs: ${liveness.freshMs}, callDeadlineMs: ${liveness.callDeadlineMs}, settleMs: ${liveness.settleMs} }
notify: [${[`{ kind: webhook, url: "${places.hook}", secret: "file:hook.secret" }`, ...notify].join(", ")}]
tickets: [${tickets.join(", ")}]
notices: ${telling.notices}
signIn:
  local:
${local.join("\n")}
`;
}

export function inventoryYaml(applications: readonly StageApplication[], ids: (name: string) => Ids): string {
  const rows = applications.map((application) => {
    const { name } = application;
    const consumers = consumersOf(application).map((kind) => {
      const { cadence } = timesOf(kind);
      const pickup = pickupOf(application, kind);
      const target = isMore(kind)
        ? moreKinds[kind].target(name)
        : kind === "pinned"
          ? `connection: files, path: ${name}.ref, `
          : kind === "copied"
            ? `connection: partner, entry: ${name}, `
            : "";
      return `      - { name: ${name}-${kind}, kind: ${isMore(kind) ? moreKinds[kind].kind : kind}, environment: dev, ${target}pickup: PT${pickup}S, cadence: PT${cadence}S, callers: [${addressOf(applications, name, kind)}] }`;
    });
    return `  - name: ${name}
    procedure: entra-client-secret
    tenant: stage
    objectId: ${ids(name).objectId}
    appId: ${ids(name).appId}
    environment: dev
    owners: [${personId("ada")}, ${personId("dora")}]
    record: { connection: main, name: ${name} }
    consumers:
${consumers.join("\n")}`;
  });
  return `apiVersion: countersign/inventory/v1
applications:
${rows.join("\n")}
`;
}

/** What a policy says of compromised credentials, and of people who start alone. */
export const emergencyTerms = `    emergency:
      approvals: { expiresAfter: PT1H, require: [{ role: security, from: "role:security", count: 1 }] }
      containWithin: PT1H
      restoreWithin: PT4H
    breakGlass:
      roles: [platform]
      confirm: [app-owner, security]
      expiresAfter: PT15M
      confirmWithin: PT2H
      reviewWithin: P1D
      unconfirmed: hold
`;

/** The stage's policy with them. */
export const withEmergencyTerms = (yaml: string): string =>
  yaml.replaceAll("    retire:", `${emergencyTerms}    retire:`);

const environment = (name: string) => `  ${name}:
    match: { environment: ${name} }
    prod: false
    rotateWhenExpiresIn: P14D
    secretLifetime: { max: P90D }
    overlap: { min: PT${overlapSeconds}S, max: P1D }
    windows: always
    approvals:
      expiresAfter: P1D
      minLevel: session
      require:
        - { role: app-owner, from: owner-of-app, count: 1 }
        - { role: platform, from: "role:platform", count: 1 }
      separation: [requester-cannot-approve, one-person-one-role]
    proof: { times: 3, spacing: PT5S, deadline: PT2M }
    rollback: { minRemaining: P2D }
    retire: { minGrade: strong, consumerLevel: used, quiet: PT1H }
    mode: supervised
`;

/** `test` is there so that an application can be moved to another environment. */
export const policyYaml = `# Stage policy.
apiVersion: countersign/policy/v1
name: stage
revision: 1
environments:
${environment("dev")}${environment("test")}`;
