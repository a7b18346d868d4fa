import { z } from "zod";
import { Digest, PersonId, Time } from "./common.ts";
import { ChannelView } from "./notices.ts";
import { FailedScan } from "./outside.ts";
import { Installation } from "./session.ts";

export const Checkpoint = z.object({
  origin: z.string(),
  size: z.int().nonnegative(),
  root: z.string(),
});

export const Freeze = z.object({ since: Time, by: PersonId.nullable() });

export const Status = z
  .object({
    installation: Installation,
    /** Domain time of this installation. */
    now: Time,
    clock: z.object({
      kind: z.enum(["system", "virtual"]),
      /** Can the virtual clock be advanced from here? */
      advance: z.boolean(),
      /** The next moment at which something is due; null when nothing waits. */
      nextEventAt: Time.nullable(),
    }),
    readiness: z.object({
      mode: z.enum(["ready", "read-only"]),
      reasons: z.array(z.object({ code: z.string(), sentence: z.string() })),
    }),
    freeze: Freeze.nullable(),
    notices: z.object({
      undelivered: z.int().nonnegative(),
      /** Empty: nobody is told of anything, it only stands in the log. */
      channels: z.array(ChannelView),
    }),
    log: z.object({ size: z.int().nonnegative(), checkpoint: Checkpoint.nullable() }),
    policyDigest: Digest.nullable(),
    inventoryDigest: Digest.nullable(),
    counts: z.object({
      applications: z.int().nonnegative(),
      expired: z.int().nonnegative(),
      /** Expire within 30 days of domain time, the expired ones not counted. */
      expiring: z.int().nonnegative(),
      waitingForYou: z.int().nonnegative(),
      running: z.int().nonnegative(),
      held: z.int().nonnegative(),
      findings: z.int().nonnegative(),
    }),
    lastScanAt: Time.nullable(),
    /** Tenants that have not been listed as a whole for too long. */
    lateScans: z.array(z.string()),
    /** Scans that failed when they were last tried. */
    failedScans: z.array(FailedScan),
  })
  .meta({ id: "Status" });
export type Status = z.infer<typeof Status>;

export const ClockAdvance = z.strictObject({
  /** Seconds of domain time (at most 400 days), or `next` = to the next moment at which something is due. */
  by: z.union([
    z
      .int()
      .min(1)
      .max(400 * 86_400),
    z.literal("next"),
  ]),
});
export const ClockView = z.object({ now: Time });
