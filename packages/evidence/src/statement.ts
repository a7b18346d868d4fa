import { sameBytes } from "./base64.ts";
import { canonicalBytes, type Json, parseCanonical } from "./canonical.ts";
import { sha256 } from "./digest.ts";
import { type EnvelopeKey, signEnvelope, verifyEnvelope } from "./dsse.ts";
import type { Signer } from "./ed25519.ts";
import { assertThat } from "./errors.ts";
import { checkpoint, digest, id, role, runId, time } from "./fields.ts";
import { LIMITS } from "./limits.ts";
import { list, nullable, object, oneOf, type Shaped, text } from "./shape.ts";

/** `_type` of an approval statement; also the first line of its challenge. */
export const APPROVAL_TYPE = "countersign/approval/v1";
/** DSSE payload type of a session-level approval. */
export const APPROVAL_PAYLOAD_TYPE = "application/vnd.countersign.approval.v1+json";

// `remains`: what stays outside when a held run is closed as it stands.
const subject = object({ digest, kind: oneOf("plan", "remains") });

const approvalStatement = object({
  _type: oneOf(APPROVAL_TYPE),
  approver: object({ iss: id, sub: id }),
  checkpoint,
  // `confirm`, `accept` and `object` are words on a break-glass use: of the second person, and of the reviewer.
  // `close` asks to close a held run as it stands, `close-confirm` is the second person's word.
  decision: oneOf("approve", "reject", "break-glass", "confirm", "accept", "object", "close", "close-confirm"),
  expiresAt: time,
  issuedAt: time,
  nonce: text(/^[A-Za-z0-9_-]{22,86}$/, "16 to 64 bytes in base64url", 86),
  policyDigest: digest,
  reasonDigest: nullable(digest),
  role,
  rpId: id,
  runId,
  subjects: list(subject, 1, 16),
});

/** What a person signs: a yes or no to exact digests, in one role, under one policy, until a time. */
export type ApprovalStatement = Shaped<typeof approvalStatement>;

/** The statement's canonical bytes: what is signed, and what the statement digest is taken over. */
export function buildStatement(statement: Omit<ApprovalStatement, "_type">): Uint8Array {
  const checked = approvalStatement({ ...statement, _type: APPROVAL_TYPE }, "statement");
  const bytes = canonicalBytes(checked as unknown as Json);
  assertThat(
    bytes.length <= LIMITS.statementBytesMax,
    "too-large",
    `expected a statement of at most ${LIMITS.statementBytesMax} bytes`,
  );
  return bytes;
}

/** Parses statement bytes: canonical, no unknown key, `expiresAt` after `issuedAt`. */
export function parseStatement(bytes: Uint8Array): ApprovalStatement {
  const statement = approvalStatement(parseCanonical(bytes, LIMITS.statementBytesMax), "statement");
  assertThat(
    statement.expiresAt > statement.issuedAt,
    "bad-shape",
    "expected the statement to expire after it was issued",
  );
  return statement;
}

/** SHA256("countersign/approval/v1\n" || statement): what a passkey or an identity provider's nonce binds. */
export function approvalChallenge(statement: Uint8Array): Uint8Array {
  return sha256(Buffer.concat([Buffer.from(`${APPROVAL_TYPE}\n`), statement]));
}

/** Signs a statement at level `session`; the result is the envelope file's bytes, whose digest is `evidenceDigest`. */
export function signApproval(statement: Uint8Array, sessionSigner: Signer): Promise<Uint8Array> {
  parseStatement(statement);
  return signEnvelope(APPROVAL_PAYLOAD_TYPE, statement, sessionSigner);
}

/** An approval whose signature holds. Whether the person may give it is a question of trust file and plan. */
export interface VerifiedApproval {
  readonly statement: ApprovalStatement;
  readonly bytes: Uint8Array;
  readonly level: "session";
  readonly keyId: string;
}

/** Proves that a trusted session key signed exactly these statement bytes, and returns what they say. */
export function verifyApproval(
  statement: Uint8Array,
  envelope: Uint8Array,
  sessionKeys: readonly EnvelopeKey[],
): VerifiedApproval {
  const { payload, key } = verifyEnvelope(envelope, APPROVAL_PAYLOAD_TYPE, sessionKeys);
  assertThat(
    sameBytes(payload, statement),
    "bad-signature",
    "expected the envelope to hold this statement, got another",
  );
  return { statement: parseStatement(payload), bytes: payload, level: "session", keyId: key.keyId };
}
