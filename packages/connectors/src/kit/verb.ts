import {
  CountersignError,
  type Done,
  type Facts,
  type PastAttempt,
  type Verb,
  type VerbContext,
} from "@countersign/core";

/** A verb of any parameters as the registry holds it. The executor parses parameters with the verb's own schema first. */
export type AnyVerb = Verb<never>;

/** Forgets a verb's parameter type; the one place where that happens. */
export function offer<P>(verb: Verb<P>): AnyVerb {
  return verb as unknown as AnyVerb;
}

/** The outcome of an earlier step of the plan. Throws STATE_CONFLICT when it is not done: a plan's order was broken. */
export function need(ctx: VerbContext, step: string): Done {
  const done = ctx.outcomeOf(step);
  if (done === undefined)
    throw new CountersignError("STATE_CONFLICT", `expected step ${step} to be done before ${ctx.step}, got no outcome`);
  return done;
}

/** A text among the object ids of an earlier outcome. Throws STATE_CONFLICT. */
export function needId(done: Done, name: string): string {
  const id = done.objectIds[name];
  if (typeof id !== "string")
    throw new CountersignError("STATE_CONFLICT", `expected the outcome to name ${name}, got none`);
  return id;
}

/** The journaled intent of the attempt under way. */
export function currentIntent(ctx: VerbContext): PastAttempt | undefined {
  return ctx.past.findLast((past) => past.attempt === ctx.attempt && past.direction === ctx.direction);
}

/** The value this run holds in memory, or null when it was lost. */
export function heldValue(ctx: VerbContext): ReturnType<VerbContext["value"]> | null {
  try {
    return ctx.value();
  } catch (error) {
    if (error instanceof CountersignError && error.code === "VALUE_NOT_HELD") return null;
    throw error;
  }
}

/** An outcome of a verb that only looked. */
export function looked(facts: Facts, requestIds: readonly string[] = []): Done {
  return { objectIds: {}, facts, requestIds };
}
