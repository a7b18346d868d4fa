import { z } from "zod";
import { RunId, Time } from "./common.ts";

/** Name of a channel in the configuration. */
export const ChannelName = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/);

/** A notice on its way over one channel to one recipient. */
export const Delivery = z
  .object({
    id: z.int(),
    at: Time,
    /** What happened, such as `run.held`. */
    kind: z.string(),
    run: RunId.nullable(),
    channel: z.string(),
    channelKind: z.string(),
    /** Opaque id of a person, where the channel reaches single people. */
    recipient: z.string().nullable(),
    /** `due` waits or is tried again, `bundled` and `digested` go with a digest, `failed` was given up. */
    state: z.enum(["due", "bundled", "digested", "sent", "failed"]),
    attempts: z.int().nonnegative(),
    /** Why the last attempt failed; null when it arrived or none was made. */
    code: z.string().nullable(),
    /** The receiver's own number. */
    status: z.int().nullable(),
    changedAt: Time,
    nextTryAt: Time.nullable(),
    /** The ticket it went into. */
    ticket: z.object({ key: z.string().nullable(), url: z.string().nullable(), state: z.string() }).nullable(),
  })
  .meta({ id: "Delivery" });
export type Delivery = z.infer<typeof Delivery>;

/** A channel of the configuration and how it fares. */
export const ChannelView = z
  .object({
    name: z.string(),
    kind: z.string(),
    /** `dead`: several failures in a row, the others were told. `unused`: nothing went over it yet. */
    state: z.enum(["ok", "failing", "dead", "unused"]),
    failures: z.int().nonnegative(),
    failingSince: Time.nullable(),
    lastSentAt: Time.nullable(),
    lastFailedAt: Time.nullable(),
    lastCode: z.string().nullable(),
    lastStatus: z.int().nullable(),
    pausedUntil: Time.nullable(),
  })
  .meta({ id: "Channel" });
export type ChannelView = z.infer<typeof ChannelView>;

export const NoticeQuery = z.strictObject({
  run: RunId.optional(),
  channel: ChannelName.optional(),
  /** Only what waits or was given up. */
  undelivered: z.enum(["true", "false"]).optional(),
  limit: z.coerce.number().int().min(1).max(500).default(100),
});
