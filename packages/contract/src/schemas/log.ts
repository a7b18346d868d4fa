import { z } from "zod";
import { Time } from "./common.ts";
import { Checkpoint } from "./status.ts";

/** One entry as stored: the canonical bytes as text, and its place in the log. */
export const LogEntry = z.object({
  index: z.int().nonnegative(),
  text: z.string(),
});

export const LogQuery = z.strictObject({
  from: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(1000).default(200),
});
export const LogPage = z.object({ entries: z.array(LogEntry), next: z.int().nullable(), size: z.int().nonnegative() });

/** The latest signed checkpoint, as a signed note (C2SP). */
export const CheckpointView = z.object({ checkpoint: Checkpoint.nullable(), note: z.string().nullable() });

/** Data of one server-sent event: the log grew, and which runs it is about. Readers fetch again; it carries no content. */
export const ChangeEvent = z.object({ size: z.int(), runs: z.array(z.string()), all: z.boolean(), now: Time });
export type ChangeEvent = z.infer<typeof ChangeEvent>;
