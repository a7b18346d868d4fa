import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import {
  approvalChallenge,
  buildStatement,
  EvidenceError,
  keyIdOf,
  parseStatement,
  signApproval,
  signerFromSeed,
  verifyApproval,
} from "../src/index.ts";

const D = `sha256:${"ab".repeat(32)}` as const;
const good = {
  approver: { iss: "https://idp.test", sub: "s1" },
  checkpoint: { origin: "o/1", root: Buffer.alloc(32).toString("base64"), size: 7 },
  decision: "approve" as const,
  expiresAt: "2026-11-23T10:00:00.000Z",
  issuedAt: "2026-11-22T10:00:00.000Z",
  nonce: "A".repeat(22),
  policyDigest: D,
  reasonDigest: null,
  role: "platform",
  rpId: "localhost",
  runId: "run_01k9zzzzzz0123456789abcdef",
  subjects: [{ digest: D, kind: "plan" as const }],
};
const session = signerFromSeed(Buffer.alloc(32, 9), "session");
const keys = [{ keyId: keyIdOf(session.publicKey), publicKey: session.publicKey }];

describe("an approval", () => {
  test("verifies to the statement that was signed", async () => {
    const bytes = buildStatement(good);
    const approval = verifyApproval(bytes, await signApproval(bytes, session), keys);
    expect(approval).toMatchObject({ level: "session", keyId: keys[0]?.keyId, statement: good });
  });

  test("has a challenge that binds every byte of the statement", () => {
    const bytes = buildStatement(good);
    const expected = createHash("sha256").update("countersign/approval/v1\n").update(bytes).digest();
    expect(approvalChallenge(bytes)).toEqual(expected);
  });

  test("is refused beside another statement, even by the same person", async () => {
    const envelope = await signApproval(buildStatement(good), session);
    expect(() => verifyApproval(buildStatement({ ...good, decision: "reject" }), envelope, keys)).toThrow(
      "this statement",
    );
  });

  test("is refused after any single byte of statement or envelope was changed", async () => {
    const bytes = buildStatement(good);
    const envelope = await signApproval(bytes, session);
    for (let at = 0; at < bytes.length; at++) {
      const bad = Buffer.from(bytes);
      bad[at] = (bad[at] as number) ^ 1;
      expect(() => verifyApproval(bad, envelope, keys)).toThrow(EvidenceError);
    }
    for (let at = 0; at < envelope.length; at++) {
      const bad = Buffer.from(envelope);
      bad[at] = (bad[at] as number) ^ 1;
      expect(() => verifyApproval(bytes, bad, keys)).toThrow(EvidenceError);
    }
  });

  test.each([
    ["an unknown key", { comment: "x" }],
    ["a decision of its own", { decision: "maybe" }],
    ["an end before its beginning", { expiresAt: good.issuedAt }],
    ["no subject", { subjects: [] }],
    ["a subject of another kind", { subjects: [{ digest: D, kind: "set" }] }],
    ["a short nonce", { nonce: "AAAA" }],
    ["an empty log", { checkpoint: { ...good.checkpoint, size: 0 } }],
  ])("with %s is not a statement", (_, change) => {
    expect(() => parseStatement(buildStatement({ ...good, ...change } as never))).toThrow(EvidenceError);
  });
});
