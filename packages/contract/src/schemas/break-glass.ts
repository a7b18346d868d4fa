import { z } from "zod";
import { PersonId, Reason, RunId, RunState, Time } from "./common.ts";
import { Permission } from "./permission.ts";
import { RoleName } from "./session.ts";

/** Words on a break-glass use: start alone, confirm as the second person, review it as accepted or with an objection. */
export const UseWord = z.enum(["break-glass", "confirm", "accept", "object"]);
export type UseWord = z.infer<typeof UseWord>;

/** What a person is about to sign. To start alone and to object need a reason. */
export const UseStatementRequest = z
  .strictObject({ decision: UseWord, role: RoleName, reason: Reason.optional() })
  .refine(({ decision, reason }) => reason !== undefined || decision === "confirm" || decision === "accept", {
    message: "expected a reason for break-glass and for an objection, got none",
    path: ["reason"],
  });

const Word = z.object({
  person: PersonId,
  role: z.string(),
  at: Time,
  /** Null when none was given or it has been erased. */
  reason: z.string().nullable(),
});

const Turn = Permission.extend({ roles: z.array(RoleName) });

/** Whether one person may start, or has started, this run alone. */
export const BreakGlass = z.object({
  terms: z.object({
    confirmWithinSeconds: z.int(),
    reviewWithinSeconds: z.int(),
    /** What becomes of the run when no second person confirms in time. */
    unconfirmed: z.enum(["hold", "roll-back"]),
  }),
  use: z
    .object({
      granted: Word,
      confirmUntil: Time,
      confirmed: Word.nullable(),
      reviewUntil: Time,
      reviews: z.array(Word.extend({ result: z.enum(["accepted", "objected"]) })),
    })
    .nullable(),
  /** What the person who asks may say now. */
  you: z.object({ grant: Turn, confirm: Turn, review: Turn }),
});
export type BreakGlass = z.infer<typeof BreakGlass>;

export const UseAnswer = z.object({
  run: RunId,
  state: RunState,
  person: PersonId,
  decision: UseWord,
  statementDigest: z.string(),
});

/** A break-glass use that no review has accepted: nothing begins by itself for this application until one has. */
export const Lock = z.object({ run: RunId, person: PersonId, at: Time, reviewUntil: Time });
