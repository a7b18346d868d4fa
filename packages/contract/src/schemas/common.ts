import type { RunState as CoreRunState } from "@countersign/core";
import { z } from "zod";

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** RFC 3339, UTC, milliseconds, `Z`: the only form of a time in the API. */
export const Time = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/)
  .meta({ id: "Time", description: "RFC 3339 in UTC with milliseconds" });

/** A SHA-256 digest in the form used everywhere. */
export const Digest = z
  .string()
  .regex(/^sha256:[0-9a-f]{64}$/)
  .meta({ id: "Digest" });

export const RunId = z
  .string()
  .regex(/^run_[0-9a-hjkmnp-tv-z]{26}$/)
  .meta({ id: "RunId" });

/** Opaque id of a person; names come from `GET /v1/people` and never stand in the log. */
export const PersonId = z
  .string()
  .regex(/^p_[0-9a-f]{16}$/)
  .meta({ id: "PersonId" });

/** Name of an inventory row. */
export const RowName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/);

/** Base64 with padding. */
export const Base64 = z.base64();

/** Opaque place in a list; pass it back as it came. */
export const Cursor = z.string().regex(/^[A-Za-z0-9_-]{1,1024}$/);

/** Text without control, invisible or private characters. */
export const Printable = z
  .string()
  .regex(/^[^\p{Cc}\p{Cf}\p{Co}\p{Cs}]*$/u, "expected printable text, got control characters");

/** What a person gives as a reason. */
export const Reason = Printable.trim().min(3).max(2000);

/** Any JSON value. Not `z.json()`: its recursion would need references that an OpenAPI document cannot resolve inline. */
export const JsonValue = z.custom<Json>((value) => value !== undefined);

/** Facts of the journal and of findings: JSON without secrets. */
export const Facts = z.record(z.string(), JsonValue);

/** One line of a facet: a value and how many rows have it under the other filters. */
export const FacetCount = z.object({ value: z.string(), count: z.int().nonnegative() });

/** Whether a run has ended in each of its states, in the order of its life; the compiler holds the keys to the one table. */
const hasEnded: Readonly<Record<CoreRunState, boolean>> = {
  requested: false,
  blocked: true,
  planned: false,
  awaiting_approval: false,
  approved: false,
  scheduled: false,
  executing: false,
  overlapping: false,
  retiring: false,
  completed: true,
  held: false,
  rolling_back: false,
  rolled_back: true,
  rejected: true,
  expired: true,
  withdrawn: true,
  superseded: true,
  left_as_is: true,
};
/** States of a run, in the order of its life. */
export const runStates = Object.keys(hasEnded) as [CoreRunState, ...CoreRunState[]];
export const RunState = z.enum(runStates).meta({ id: "RunState" });
export type RunState = z.infer<typeof RunState>;

/** States from which a run never moves again. */
export const closedStates: ReadonlySet<RunState> = new Set(runStates.filter((state) => hasEnded[state]));

export const triggers = ["due", "event", "compromise", "leaver", "policy", "manual"] as const;
export const Trigger = z.enum(triggers);

/** Why something is so: a code of a closed list, and figures. */
export const Because = z.looseObject({ code: z.string() });
