import {
  type ApprovalStatement,
  buildStatement,
  type Digest,
  digestOf,
  formatVkey,
  generateKeyPem,
  noteKey,
  parseTrust,
  type Signer,
  signApproval,
  signerFromPem,
  type Trust,
  type TrustedPerson,
  toBase64,
  trustedKey,
  writeTrust,
} from "@countersign/evidence";
import type { FrozenPlan, StoredApproval } from "../../src/index.ts";
import { people, requester, startMs } from "../plan/samples.ts";

const iss = "https://id.example";
export const api: Signer = signerFromPem(generateKeyPem(), "session");
export const otherKey: Signer = signerFromPem(generateKeyPem(), "session");
const log: Signer = signerFromPem(generateKeyPem(), "log.example/test");
const run: Signer = signerFromPem(generateKeyPem(), "run");

const enrolled = (person: string, sub: string, ...roles: string[]): TrustedPerson => ({
  person,
  iss,
  sub,
  roles,
  level: "session",
});
export const staff: readonly TrustedPerson[] = [
  enrolled(people.ada, "ada", "app-owner", "platform"),
  enrolled(people.bob, "bob", "app-owner"),
  enrolled(people.cyd, "cyd", "platform"),
  enrolled(requester, "eve", "app-owner", "platform"),
];

/** A trust file as an executor reads it, written and parsed by the real code. */
export function trustWith(change: {
  solo?: boolean;
  people?: readonly TrustedPerson[];
  policies?: readonly string[];
}): Trust {
  return parseTrust(
    writeTrust({
      v: 1,
      origin: log.name,
      profile: "test",
      solo: change.solo ?? false,
      logKeys: [{ vkey: formatVkey(noteKey(log.name, log.publicKey)) }],
      runKeys: [trustedKey(run.publicKey)],
      sessionKeys: [trustedKey(api.publicKey)],
      people: change.people ?? staff,
      policies: (change.policies ?? [digestOf("policy")]).map((digest) => ({ digest })),
      inventories: [{ digest: digestOf("inventory") }],
    }),
  );
}

let nonces = 0;

/** A statement of `sub` in `role` about the plan, with changes. */
export function statementOf(
  frozen: FrozenPlan,
  sub: string,
  role: string,
  change: Partial<ApprovalStatement> = {},
): Uint8Array {
  const { _type, ...rest } = change;
  return buildStatement({
    approver: { iss, sub },
    checkpoint: { origin: log.name, root: toBase64(new Uint8Array(32)), size: 7 },
    decision: "approve",
    expiresAt: new Date(startMs + 3_600_000).toISOString(),
    issuedAt: new Date(startMs - 3_600_000).toISOString(),
    nonce: `nonce-${String(++nonces).padStart(20, "0")}`,
    policyDigest: frozen.plan.policyDigest as Digest,
    reasonDigest: null,
    role,
    rpId: "countersign.example",
    runId: frozen.plan.run,
    subjects: [{ digest: frozen.digest as Digest, kind: "plan" }],
    ...rest,
  });
}

/** The statement, signed by the API's session key unless another signer is given. */
export async function signed(statement: Uint8Array, signer: Signer = api): Promise<StoredApproval> {
  return { statement, envelope: await signApproval(statement, signer) };
}
