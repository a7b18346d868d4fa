import { z } from "zod";
import { acceptanceDaysMax } from "../fleet/acceptances.ts";
import { isCron } from "../time/cron.ts";
import { isZone } from "../time/instant.ts";
import { guidField, nameField, personField, roleField, secretField, urlField } from "./fields.ts";
import { InventoryConfigForm } from "./inventory.ts";
import { NoticesForm, NotifyForm, TicketsForm } from "./notify.ts";
import { AuditRulesForm, WebhookForm } from "./webhooks.ts";

export { guidField, nameField, personField, roleField };

const listen = z
  .string()
  .regex(
    /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:]+\]|localhost):\d{1,5}$/,
    "expected address:port such as 127.0.0.1:8080",
  );
const client = z.strictObject({ clientId: guidField, secret: secretField });
const milliseconds = (min: number, max: number) => z.int().min(min).max(max);
const environment = nameField;

const Tenant = z.strictObject({
  name: nameField,
  id: guidField,
  authority: urlField.default("https://login.microsoftonline.com"),
  graph: urlField.default("https://graph.microsoft.com"),
  /** Resource that tokens for Graph are asked for; only where it is not the origin of `graph`, as behind a gateway. */
  graphAudience: urlField.optional(),
  reader: client,
  writer: client,
  ownExecutorAppIds: z.array(guidField).max(20).default([]),
  ownAddresses: z.array(z.string().min(1).max(64)).max(50).optional(),
  signInLogLagSeconds: z.int().min(0).max(604_800).optional(),
});

/** What every connection says (I12); the rest belongs to its kind, whose connector brings the schema. */
export const ConnectionBase = z.looseObject({
  name: nameField,
  kind: nameField,
  environment,
  prod: z.boolean(),
  tenant: nameField.optional(),
  names: z.array(z.string()).optional(),
  paths: z.array(z.string()).optional(),
  roles: z.array(z.string()).optional(),
});

const LocalPerson = z.strictObject({
  person: personField,
  name: z.string().min(1).max(200),
  email: z.email().max(320),
  iss: z.string().min(1).max(500),
  sub: z.string().min(1).max(200),
  roles: z.array(roleField).min(1).max(20),
  password: secretField,
});

/** The form of countersign.yaml; rules across fields stand in checks.ts. */
export const ConfigForm = z.strictObject({
  version: z.literal(1),
  profile: z.enum(["demo", "test", "production"]),
  state: z.string().min(1).max(500).default("./.state"),
  database: z
    .union([z.strictObject({ url: secretField }), z.strictObject({ embedded: z.literal(true) })])
    .default({ embedded: true }),
  network: z
    .strictObject({
      ca: z.array(z.string().min(1).max(500)).max(20).default([]),
      proxy: urlField.nullable().default(null),
      loopback: z.boolean().default(false),
    })
    .default({ ca: [], proxy: null, loopback: false }),
  clock: z.strictObject({ url: urlField }).optional(),
  api: z.strictObject({ listen, url: urlField }),
  tenants: z.array(Tenant).min(1).max(100),
  connections: z.array(ConnectionBase).max(1_000),
  scan: z
    .strictObject({
      cron: z
        .string()
        .max(100)
        .refine(isCron, { error: "expected a cron expression of five fields such as 0 6 * * *" }),
      zone: z.string().refine(isZone, { error: "expected an IANA time zone such as Europe/Berlin" }),
      changesEverySeconds: z.int().min(0).max(86_400).default(3_600),
      /** For what no policy describes: what the inventory does not list. */
      expiringDays: z.int().min(1).max(3_650).default(30),
      lifetimeDaysMax: z.int().min(1).max(36_500).default(365),
      /** For all: without a sign-in for so long a credential is called unused. */
      quietDays: z.int().min(1).max(3_650).default(90),
      /** Refused sign-ins are said of an application for so long, from so many on. */
      failingHours: z.int().min(1).max(168).default(24),
      failingMin: z.int().min(1).max(10_000).default(3),
      /** A finding of the fleet is accepted for so long at most. */
      acceptanceDaysMax: z.int().min(1).max(acceptanceDaysMax).default(180),
    })
    .default({
      cron: "0 6 * * *",
      zone: "UTC",
      changesEverySeconds: 3_600,
      expiringDays: 30,
      lifetimeDaysMax: 365,
      quietDays: 90,
      failingHours: 24,
      failingMin: 3,
      acceptanceDaysMax: 180,
    }),
  inventory: InventoryConfigForm.prefault({}),
  /** The directory's own audit log: how often it is read, how late entries may come, how long it keeps them. */
  audit: z
    .strictObject({
      everySeconds: z.int().min(0).max(86_400).default(900),
      lateSeconds: z.int().min(60).max(86_400).default(7_200),
      retentionDays: z.int().min(1).max(90).default(7),
      /** What to do about a credential that was added out of band. */
      rules: AuditRulesForm,
    })
    .prefault({}),
  webhooks: z.array(WebhookForm).max(50).default([]),
  liveness: z
    .strictObject({
      leaseMs: milliseconds(500, 120_000).default(10_000),
      beatMs: milliseconds(50, 30_000).default(1_000),
      freshMs: milliseconds(150, 60_000).default(5_000),
      callDeadlineMs: milliseconds(200, 300_000).default(30_000),
      settleMs: milliseconds(200, 600_000).default(30_000),
    })
    .prefault({}),
  budgets: z
    .strictObject({
      effectsPerTenantMax: z.int().min(1).max(1_000).default(8),
      runsInFlightMax: z.int().min(1).max(10_000).default(64),
    })
    .prefault({}),
  notify: z.array(NotifyForm).max(50).default([]),
  tickets: z.array(TicketsForm).max(10).default([]),
  notices: NoticesForm.prefault({}),
  signIn: z.strictObject({ local: z.array(LocalPerson).max(200) }).optional(),
});

export type ConfigForm = z.infer<typeof ConfigForm>;
export type TenantConfig = ConfigForm["tenants"][number];
export type LocalPerson = z.infer<typeof LocalPerson>;
