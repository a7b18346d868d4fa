import { z } from "zod";
import { isCron } from "../time/cron.ts";
import { isZone } from "../time/instant.ts";
import { nameField, personField, roleField, secretField, urlField } from "./fields.ts";

/** `hooks.slack.com` or `*.logic.azure.com`. */
const hostPattern = z
  .string()
  .max(253)
  .regex(/^(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)*$/, "expected a host such as hooks.slack.com or *.logic.azure.com");

/** `run.held`, or `run.*` for all of a family. */
const kindPattern = z
  .string()
  .regex(/^(?:\*|[a-z]+\.(?:\*|[a-z-]+)|digest)$/, "expected a kind of notice such as run.held, run.* or *");

/** What every channel may say: its name, and about which applications it takes notices. Left out: all. */
const about = {
  name: nameField.optional(),
  /** Only about applications of which one of these people is an owner. */
  owners: z.array(personField).min(1).max(500).optional(),
  environments: z.array(nameField).min(1).max(50).optional(),
  tenants: z.array(nameField).min(1).max(100).optional(),
};
/** Where people are told they may say which kinds they want; what goes into a ticket is not theirs to say. */
const taking = { ...about, kinds: z.array(kindPattern).min(1).max(50).optional() };

/** Kinds that the digest bundles wait for it here. */
const bundling = { digest: z.boolean().default(false) };

const Webhook = z.strictObject({ kind: z.literal("webhook"), ...taking, url: urlField, secret: secretField });
/** The address of an incoming webhook is itself the secret. */
const Slack = z.strictObject({
  kind: z.literal("slack"),
  ...taking,
  url: secretField,
  hosts: z.array(hostPattern).min(1).max(10).default(["hooks.slack.com"]),
  ...bundling,
});
const Teams = z.strictObject({
  kind: z.literal("teams"),
  ...taking,
  url: secretField,
  hosts: z.array(hostPattern).min(1).max(10).default(["*.logic.azure.com", "*.api.powerplatform.com"]),
  ...bundling,
});
/** One address and nothing else: no name, no list. */
const addressField = z.email().max(254);
const Mail = z
  .strictObject({
    kind: z.literal("mail"),
    ...taking,
    host: z
      .string()
      .max(253)
      .regex(/^[a-z0-9-]+(?:\.[a-z0-9-]+)*$/, "expected the name of a mail server such as smtp.example.com"),
    port: z.int().min(1).max(65_535).default(587),
    tls: z.enum(["starttls", "implicit", "none"]).default("starttls"),
    user: z.string().min(1).max(320).optional(),
    password: secretField.optional(),
    from: addressField,
    /** Left out: each person whom a notice is for gets it at the person's own address. */
    to: z.array(addressField).max(50).default([]),
    ...bundling,
  })
  .refine((mail) => (mail.user === undefined) === (mail.password === undefined), {
    error: "expected user and password, or neither",
  });
/** Where people are told. */
export const NotifyForm = z.discriminatedUnion("kind", [Webhook, Slack, Teams, Mail]);

const Jira = z.strictObject({
  kind: z.literal("jira"),
  ...about,
  url: urlField,
  user: z.email().max(320),
  token: secretField,
  project: z.string().regex(/^[A-Z][A-Z0-9_]{1,19}$/, "expected a project key such as OPS"),
  issueType: z.string().min(1).max(60).default("Task"),
  /** Name of the transition that closes an issue; left out: the first one into a status of category done. */
  closeTransition: z.string().min(1).max(100).optional(),
  /** So long a new issue may be missing from the search: until then its absence proves nothing. */
  searchLagSeconds: z.int().min(0).max(86_400).default(300),
});
const ServiceNow = z.strictObject({
  kind: z.literal("servicenow"),
  ...about,
  url: urlField,
  user: z.string().min(1).max(200),
  password: secretField,
  table: z
    .string()
    .regex(/^[a-z][a-z0-9_]{1,79}$/, "expected a table such as incident")
    .default("incident"),
  assignmentGroup: z.string().min(1).max(100).optional(),
  /** Value of `state` that resolves a record, and its close code. */
  resolvedState: z.string().min(1).max(20).default("6"),
  closeCode: z.string().min(1).max(100).default("Solution provided"),
});

/** Where tickets stand. */
export const TicketsForm = z.discriminatedUnion("kind", [Jira, ServiceNow]);

const cronField = z
  .string()
  .max(100)
  .refine(isCron, { error: "expected a cron expression of five fields such as 0 7 * * *" });
const zoneField = z.string().refine(isZone, { error: "expected an IANA time zone such as Europe/Berlin" });

/** When people are reminded, who hears of what nobody decides, and what is bundled into digests. */
export const NoticesForm = z.strictObject({
  /** So long after they were asked, approvers who have not decided are asked again. */
  remindAfterSeconds: z
    .array(
      z
        .int()
        .min(1)
        .max(30 * 86_400),
    )
    .max(5)
    .default([4 * 3_600, 12 * 3_600]),
  /** So long before approvals expire, people of a further role are told. Who may approve stays as the plan says. */
  escalate: z
    .strictObject({
      beforeExpirySeconds: z
        .int()
        .min(1)
        .max(30 * 86_400)
        .default(4 * 3_600),
      role: roleField.default("security"),
    })
    .nullable()
    .prefault({}),
  /** On channels with `digest: true` these kinds wait and go out together; null: each goes by itself. */
  digest: z
    .strictObject({
      cron: cronField.default("0 7 * * *"),
      zone: zoneField.default("UTC"),
      itemsMax: z.int().min(1).max(100).default(20),
      kinds: z
        .array(kindPattern)
        .min(1)
        .max(20)
        .default(["run.blocked", "run.completed", "run.superseded", "run.executing", "run.overlapping"]),
    })
    .nullable()
    .prefault({}),
  /** Credentials that expire: so many stand in one notice to the same owners; the rest is counted. When: policy says. */
  expiry: z.strictObject({ itemsMax: z.int().min(1).max(100).default(20) }).prefault({}),
  /** What each owner has before him, once a week; null: nobody is written to. */
  weekly: z
    .strictObject({
      cron: cronField.default("0 8 * * 1"),
      zone: zoneField.default("UTC"),
      /** So far ahead it names what expires. */
      expiresWithinDays: z.int().min(1).max(365).default(30),
      /** So many lines of each part; the rest is counted. */
      itemsMax: z.int().min(1).max(50).default(20),
      /** Also who has nothing before him. */
      evenIfEmpty: z.boolean().default(false),
    })
    .nullable()
    .prefault({}),
});

type Named<T> = T & { readonly name: string };
/** One channel over which people are told. */
export type NotifyConfig = Named<z.infer<typeof NotifyForm>>;
/** One ticket system. */
export type TicketsConfig = Named<z.infer<typeof TicketsForm>>;
export type NoticesConfig = z.infer<typeof NoticesForm>;

/** Gives every channel a name: its own, or its kind, numbered from the second on. */
export function named<T extends { readonly kind: string; readonly name?: string | undefined }>(
  channels: readonly T[],
): Named<T>[] {
  const count = new Map<string, number>();
  return channels.map((channel) => {
    const n = (count.get(channel.kind) ?? 0) + 1;
    count.set(channel.kind, n);
    return { ...channel, name: channel.name ?? (n === 1 ? channel.kind : `${channel.kind}-${n}`) };
  });
}
