import { CountersignError, type Facts, runStates } from "@countersign/core";
import { z } from "zod";

const Because = z.object({ code: z.string(), step: z.string().optional(), run: z.string().optional() });

/** Small working data of a run, kept in its row; never anything that evidence depends on. Times are domain milliseconds. */
const RunDataForm = z.object({
  /** Until when people may approve the plan. */
  approveUntil: z.int().nullable().default(null),
  /** Both credentials are valid at least until then. */
  overlapUntil: z.int().nullable().default(null),
  /** Attempts whose credential was left behind, because their holder may still publish it; the sweep removes them. */
  abandoned: z.array(z.object({ step: z.string(), attempt: z.int() })).default([]),
  /** The worker that lost this run last, while its last request may still land; null: that time is over. Set by the claim. */
  unsettled: z.string().nullable().default(null),
  /** Workers that lost this run without proof of their death. Set by the claim. */
  unproven: z.array(z.string()).default([]),
  rollback: Because.extend({
    /** When every consumer has had its time to return; null until the undo steps are done. */
    backAt: z.int().nullable(),
    /** When it began. */
    since: z.int().default(0),
  })
    .nullable()
    .default(null),
  held: Because.extend({ from: z.enum(runStates) })
    .nullable()
    .default(null),
  /** When a person last said "go on": failures before do not count. */
  resumedAt: z.int().default(0),
  /** Work that was cut off by an error and let go, again and again since then; null once a phase came through. */
  interrupted: z.object({ count: z.int(), since: z.int() }).nullable().default(null),
  /** When the compromised credential was shown dead; null: not yet. */
  containedAt: z.int().nullable().default(null),
  /** That its consumers are late was told. */
  restoreTold: z.boolean().default(false),
  /** An emergency that could begin at its last look, and waits only for the run that it takes over to end. */
  takesOver: z.boolean().default(false),
  /** The emergency that took this run over. */
  takenOverBy: z.string().nullable().default(null),
  /** The run that replaces this one after drift. */
  successor: z.string().nullable().default(null),
  /** What the gate last said, as one string: only a change is recorded. */
  gate: z.string().nullable().default(null),
});

export type RunData = z.output<typeof RunDataForm>;

/** Reads the working data of a run's row. */
export function readRunData(phase: Facts): RunData {
  const parsed = RunDataForm.safeParse(phase);
  if (!parsed.success) throw new CountersignError("STATE_CONFLICT", "expected a run's working data, got another form");
  return parsed.data;
}

/** The form in which the row keeps it. */
export function runDataFacts(data: RunData): Facts {
  return JSON.parse(JSON.stringify(data)) as Facts;
}

/** A run that has done nothing yet. */
export const emptyRunData: RunData = RunDataForm.parse({});
