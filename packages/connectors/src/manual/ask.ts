import { CountersignError, type Facts, type Verb } from "@countersign/core";
import { z } from "zod";
import { recordReference, stepId } from "../kit/schema.ts";
import { isoOf } from "../kit/time.ts";

const Params = z.strictObject({
  /** What is to be done, line by line. */
  checklist: z.array(z.string().min(1).max(300)).min(1).max(20),
  record: recordReference,
  store: stepId,
  created: stepId,
  previous: z.string().max(200).nullable(),
});
type Params = z.infer<typeof Params>;

/** All that is known of a consumer in somebody's hands: nothing outlives its name (I11). */
export const byHand: Facts = { by: "hand" };

/**
 * `manual.ask@1`: asks the owners to update a consumer by hand. It reads and writes nothing itself: that it was done is
 * an owner's word, which the overlap waits for and the last use proves. Undoing is a word as well: that it was put back.
 */
export function manualAsk(connector: Verb["connector"]): Verb<Params> {
  return {
    id: "manual.ask@1",
    connector,
    params: Params,
    value: "none",
    effect: "change",
    retry: "idempotent",
    asks: true,
    call: "owner.ask",
    identify: () => Promise.resolve(byHand),
    intent: (_ctx, params) => ({ previous: params.previous }),
    do: (ctx, params) =>
      Promise.resolve({
        objectIds: {},
        facts: { at: isoOf(ctx.clock.now()), lines: params.checklist.length },
        requestIds: [],
      }),
    async undo(ctx) {
      const word = await ctx.confirmed(ctx.step, "undo");
      if (word === null)
        throw new CountersignError("UNDO_IMPOSSIBLE", "expected an owner's word that it was put back, got none");
      return { objectIds: {}, facts: { at: isoOf(word.at), person: word.person }, requestIds: [] };
    },
  };
}
