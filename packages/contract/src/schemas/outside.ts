import { z } from "zod";
import { RunId, Time } from "./common.ts";

/** How an address answered the last time that it was called. */
export const Reach = z
  .object({
    address: z.string(),
    /** `unused`: nothing was called there yet. */
    state: z.enum(["answers", "failing", "unused"]),
    answeredAt: Time.nullable(),
    failedAt: Time.nullable(),
    failingSince: Time.nullable(),
    /** Of the last failure. */
    code: z.string().nullable(),
  })
  .meta({ id: "Reach" });
export type Reach = z.infer<typeof Reach>;

/** `full`: a whole listing; `delta`: what has changed since; `details`: the second pass after either. */
const ScanKind = z.enum(["full", "delta", "details"]);

/** A scan that failed when it was last tried, and has not come through since. */
export const FailedScan = z.object({
  tenant: z.string(),
  kind: ScanKind,
  at: Time,
  code: z.string(),
  /** The same in words. */
  sentence: z.string(),
});
export type FailedScan = z.infer<typeof FailedScan>;

/** A look of the scanner at a tenant. */
export const ScanView = z
  .object({
    tenant: z.string(),
    kind: ScanKind,
    state: z.enum(["running", "done", "failed"]),
    dueAt: Time,
    startedAt: Time,
    finishedAt: Time.nullable(),
    attempts: z.int(),
    applications: z.int().nullable(),
    /** Why it failed, as an error code; kept while it is tried again. */
    code: z.string().nullable(),
  })
  .meta({ id: "Scan" });
export type ScanView = z.infer<typeof ScanView>;

/** A tenant's directory. */
export const DirectoryView = z
  .object({
    name: z.string(),
    id: z.string(),
    /** Sign-in and directory. */
    reaches: z.array(Reach),
    lastFull: ScanView.nullable(),
    lastDelta: ScanView.nullable(),
    lastPass: ScanView.nullable(),
  })
  .meta({ id: "Directory" });

/** A connection of the configuration: where values may be written. */
export const ConnectionView = z
  .object({
    name: z.string(),
    kind: z.string(),
    environment: z.string(),
    prod: z.boolean(),
    tenant: z.string().nullable(),
    /** Null: it is on this machine, nothing is called. */
    reach: Reach.nullable(),
  })
  .meta({ id: "Connection" });
export type ConnectionView = z.infer<typeof ConnectionView>;

/** A way in for events. */
export const WebhookView = z
  .object({
    name: z.string(),
    kind: z.string(),
    /** How many keys verify; two while one is being replaced. */
    keys: z.int(),
    perMinuteMax: z.int(),
    lastAt: Time.nullable(),
    /** Verified events of the last seven days, by what became of them. */
    outcomes: z.record(z.string(), z.int()),
  })
  .meta({ id: "Webhook" });
export type WebhookView = z.infer<typeof WebhookView>;

/** A verified event from outside. */
export const HookEventView = z
  .object({
    hook: z.string(),
    type: z.string(),
    at: Time,
    outcome: z.string(),
    /** Which of the hook's keys signed, counted from 0. */
    key: z.int(),
    run: RunId.nullable(),
  })
  .meta({ id: "HookEvent" });
export type HookEventView = z.infer<typeof HookEventView>;

export const OutsideView = z
  .object({
    directories: z.array(DirectoryView),
    connections: z.array(ConnectionView),
    webhooks: z.array(WebhookView),
    /** The newest 50. */
    events: z.array(HookEventView),
  })
  .meta({ id: "Outside" });
export type OutsideView = z.infer<typeof OutsideView>;
