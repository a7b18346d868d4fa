import { z } from "zod";
import { Digest, PersonId, Reason, RunId, RunState, Time } from "./common.ts";
import { Permission } from "./permission.ts";
import { RoleName } from "./session.ts";

/** Words about closing a held run as it stands: ask for it, or confirm it as a second person of security. */
export const CloseWord = z.enum(["close", "close-confirm"]);
export type CloseWord = z.infer<typeof CloseWord>;

/** What a person is about to sign. Who asks gives a reason. */
export const CloseStatementRequest = z
  .strictObject({ decision: CloseWord, role: RoleName, reason: Reason.optional() })
  .refine(({ decision, reason }) => reason !== undefined || decision === "close-confirm", {
    message: "expected a reason for closing the run as it stands, got none",
    path: ["reason"],
  });

const Said = z.object({
  person: PersonId,
  role: z.string(),
  at: Time,
  /** Null when none was given or it has been erased. */
  reason: z.string().nullable(),
});

const Turn = Permission.extend({ roles: z.array(RoleName) });

/** What a held run would leave outside if it were closed as it stands, and who has signed that. */
export const Close = z.object({
  /** Canonical text of the list: its SHA-256 is the digest that both sign. */
  remains: z.object({ digest: Digest, text: z.string() }),
  /** Words that stand since the run was held, with nothing begun after them. */
  asked: Said.nullable(),
  confirmed: Said.nullable(),
  /** What the person who asks may say now. */
  you: z.object({ ask: Turn, confirm: Turn }),
});
export type Close = z.infer<typeof Close>;

/** The list in `remains.text`. */
export const Remains = z.object({
  _type: z.literal("countersign/remains/v1"),
  run: RunId,
  old: z.object({
    id: z.string(),
    expiresAt: Time.nullable(),
    standing: z.enum(["untouched", "removed", "unknown"]),
  }),
  /** Every attempt that made or wrote something, or may have, and was not taken back. */
  left: z.array(
    z.object({
      step: z.string(),
      attempt: z.int(),
      standing: z.enum(["done", "unknown"]),
      ids: z.record(z.string(), z.json()),
      marker: z.string().nullable(),
      target: z.record(z.string(), z.json()),
    }),
  ),
  /** Consumers, with how they were last seen on the new credential; null: not at all. */
  consumers: z.array(z.object({ name: z.string(), verified: z.string().nullable() })),
});
export type Remains = z.infer<typeof Remains>;

export const CloseAnswer = z.object({
  run: RunId,
  state: RunState,
  person: PersonId,
  decision: CloseWord,
  statementDigest: z.string(),
});
