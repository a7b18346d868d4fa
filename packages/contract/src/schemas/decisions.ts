import { z } from "zod";
import { Base64, Digest, PersonId, Reason, RunId, RunState, Time } from "./common.ts";
import { MissingApproval } from "./runs.ts";
import { RoleName } from "./session.ts";

/** What a person is about to sign; a reject needs a reason. */
export const StatementRequest = z
  .strictObject({
    decision: z.enum(["approve", "reject"]),
    role: RoleName,
    reason: Reason.optional(),
  })
  .refine((asked) => asked.decision === "approve" || asked.reason !== undefined, {
    message: "expected a reason for a reject, got none",
    path: ["reason"],
  });

/** The exact bytes that would be signed. Nothing is stored by asking. */
export const StatementView = z
  .object({
    statement: Base64,
    digest: Digest,
    /** SHA-256 of `countersign/approval/v1\n` and the statement, base64. */
    challenge: Base64,
    planDigest: Digest,
    expiresAt: Time,
    /** Bytes of the reason attachment whose digest stands in the statement; send it back with the decision. */
    reasonAttachment: Base64.nullable(),
  })
  .meta({ id: "Statement" });

export const DecisionRequest = z.strictObject({
  statement: Base64.max(16_384),
  planDigest: Digest,
  reasonAttachment: Base64.max(16_384).nullable().default(null),
});

export const DecisionAnswer = z.object({
  run: RunId,
  state: RunState,
  person: PersonId,
  decision: z.enum(["approve", "reject"]),
  statementDigest: Digest,
  missing: z.array(MissingApproval),
});
