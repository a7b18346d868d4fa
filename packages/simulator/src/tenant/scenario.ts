import { z } from "zod";
import { siteScenario } from "../appservice/seed.ts";
import { chatScenario } from "../chat/seed.ts";
import { devopsScenario } from "../devops/seed.ts";
import { gatewayScenario } from "../gateway/seed.ts";
import { githubScenario } from "../github/seed.ts";
import { clusterScenario } from "../kubernetes/seed.ts";
import { sharepointScenario } from "../sharepoint/seed.ts";
import { deskScenario } from "../tickets/seed.ts";

const name = z.string().min(1).max(120);
const days = z.number().finite();

const secret = z.strictObject({
  /** Key by which vault entries name it. */
  name,
  displayName: z.string().max(200).nullable().optional(),
  startDaysAgo: days.nonnegative().default(90),
  /** Negative: already expired. */
  expiresInDays: days,
});

const certificate = z.strictObject({ name, startDaysAgo: days.nonnegative().default(90), expiresInDays: days });

const restriction = z.strictObject({
  restrictionType: z.enum(["passwordAddition", "passwordLifetime", "customPasswordAddition", "symmetricKeyAddition"]),
  state: z.enum(["enabled", "disabled"]).default("enabled"),
  maxLifetime: z.string().nullable().default(null),
  restrictForAppsCreatedAfterDateTime: z.string().default("2017-01-01T00:00:00Z"),
});

const policy = z.strictObject({ isEnabled: z.boolean().default(true), passwordCredentials: z.array(restriction) });

const application = z.strictObject({
  /** Key by which the rest of the scenario names it; also the display name unless one is given. */
  name,
  displayName: z.string().max(256).optional(),
  objectId: z.uuid().optional(),
  appId: z.uuid().optional(),
  signInAudience: z
    .enum(["AzureADMyOrg", "AzureADMultipleOrgs", "AzureADandPersonalMicrosoftAccount", "PersonalMicrosoftAccount"])
    .default("AzureADMyOrg"),
  createdDaysAgo: days.nonnegative().default(400),
  isDisabled: z.boolean().default(false),
  notes: z.string().nullable().default(null),
  serviceManagementReference: z.string().nullable().default(null),
  tags: z.array(z.string()).default([]),
  redirectUris: z.array(z.string()).default([]),
  /** Application permissions on Graph. */
  roles: z.array(z.string()).default([]),
  /** Names of users or of other applications (their service principal owns). */
  owners: z.array(name).default([]),
  secrets: z.array(secret).default([]),
  certificates: z.array(certificate).default([]),
  policy: policy.optional(),
});

const role = z.enum(["officer", "user", "reader", "purge"]);

const vaultEntry = z.strictObject({
  vault: name,
  secret: name,
  /** The value is that of this application's credential. */
  from: z.strictObject({ application: name, secret: name }).optional(),
  /** A literal value, e.g. the JSON of a database account. */
  value: z.string().optional(),
  contentType: z.string().nullable().default(null),
  tags: z.record(z.string(), z.string()).default({}),
});

const workload = z.strictObject({
  name,
  kind: z.enum([
    "entra-latest",
    "entra-pinned",
    "entra-copied",
    "entra-pipeline",
    "entra-site",
    "entra-actions",
    "entra-pod",
    "entra-gateway",
    "postgres-file",
    "postgres-vault",
  ]),
  application: name.optional(),
  vault: name.optional(),
  secret: name.optional(),
  /** Absolute path of the reference file or connection file. */
  file: z.string().optional(),
  postgres: name.optional(),
  /** What its entry stands in; see the model of a workload. */
  container: name.optional(),
  /** Variable, setting, secret or key. */
  entry: name.optional(),
  intervalSeconds: z.number().min(0.05).default(600),
  /** Pick-up delay: how long it keeps what it read. */
  cacheSeconds: z.number().nonnegative().default(0),
  /** First sign-in after so long; drawn within one interval when left out. */
  startAfterSeconds: z.number().nonnegative().optional(),
  ipAddress: z.string().optional(),
});

const caller = z.strictObject({
  name,
  roles: z.array(z.string()).default([]),
  /** Roles on vaults; `*` is every vault, also later ones. */
  vaults: z.record(z.string(), role).default({}),
});

/** What `POST /seed` and `--scenario` take. Everything is added to what is there. */
export const scenarioSchema = z.strictObject({
  users: z
    .array(
      z.strictObject({
        name,
        displayName: z.string().optional(),
        mail: z.string().nullable().optional(),
        accountEnabled: z.boolean().default(true),
      }),
    )
    .default([]),
  /** Further tenant ids under which tokens are issued. */
  aliases: z.array(z.uuid()).default([]),
  callers: z.array(caller).default([]),
  applications: z.array(application).default([]),
  vaults: z
    .array(
      z.strictObject({
        name,
        port: z.int().min(0).max(65_535).default(0),
        purgeProtection: z.boolean().default(false),
        /** Tenant that its challenge names; the simulator's own by default. */
        tenant: z.uuid().optional(),
      }),
    )
    .default([]),
  vaultEntries: z.array(vaultEntry).default([]),
  access: z
    .array(z.strictObject({ application: name, vault: name, secret: name.nullable().default(null), role }))
    .default([]),
  postgres: z
    .array(
      z.strictObject({
        name,
        host: z.string().default("127.0.0.1"),
        port: z.int().min(1).max(65_535),
        listenPort: z.int().min(0).max(65_535).default(0),
      }),
    )
    .default([]),
  devops: z.array(devopsScenario).default([]),
  github: z.array(githubScenario).default([]),
  clusters: z.array(clusterScenario).default([]),
  gateways: z.array(gatewayScenario).default([]),
  sharepoint: z.array(sharepointScenario).default([]),
  chat: z.array(chatScenario).default([]),
  desks: z.array(deskScenario).default([]),
  sites: z.array(siteScenario).default([]),
  workloads: z.array(workload).default([]),
  defaultPolicy: policy.optional(),
});

export type Scenario = z.output<typeof scenarioSchema>;
export type ScenarioInput = z.input<typeof scenarioSchema>;

/** Parses strictly; throws RangeError with `path: expected …` lines. */
export function parseScenario(value: unknown): Scenario {
  const result = scenarioSchema.safeParse(value);
  if (result.success) return result.data;
  const lines = result.error.issues.map((issue) => `${issue.path.join(".") || "scenario"}: ${issue.message}`);
  throw new RangeError(lines.join("\n"));
}
