import { canonicalBytes, type Digest, digestOf, type Json, type Trust } from "@countersign/evidence";
import { describe, expect, it } from "vitest";
import {
  authorise,
  type FrozenPlan,
  freezePlan,
  type Plan,
  type RequiredRoles,
  type StoredApproval,
} from "../../src/index.ts";
import { frozenOf, people, requester, startMs } from "../plan/samples.ts";
import { otherKey, signed, staff, statementOf, trustWith } from "./signed.ts";

const frozen = frozenOf();
const policyAsks: RequiredRoles = [
  { role: "app-owner", count: 1 },
  { role: "platform", count: 1 },
];
const trust = trustWith({});

interface Try {
  readonly frozen?: FrozenPlan;
  readonly approvals?: readonly StoredApproval[];
  readonly trust?: Trust;
  readonly required?: RequiredRoles;
  readonly at?: number | null;
}

const good = async (plan = frozen) => [
  await signed(statementOf(plan, "bob", "app-owner")),
  await signed(statementOf(plan, "cyd", "platform")),
];
const attempt = async (one: Try) =>
  authorise(
    one.frozen ?? frozen,
    one.approvals ?? (await good(one.frozen)),
    one.trust ?? trust,
    one.required ?? policyAsks,
    one.at === undefined ? startMs : one.at,
  );
const refused = (reason: RegExp) =>
  expect.objectContaining({ code: "AUTHORISATION_INVALID", message: expect.stringMatching(reason) });
const planWith = (change: Partial<Plan>) => freezePlan({ ...frozen.plan, ...change });
const approvalsWith = (change: Partial<Plan["approvals"]>) =>
  planWith({ approvals: { ...frozen.plan.approvals, ...change } });
const as = async (sub: string, role: string, change: Parameters<typeof statementOf>[3] = {}) =>
  signed(statementOf(frozen, sub, role, change));

/** Bob's good approval replaced by another one. */
const insteadOfBob = async (approval: StoredApproval) => ({ approvals: [approval, await as("cyd", "platform")] });

describe("an authorisation", () => {
  it("is proven by a quorum of signed statements about exactly this plan", async () => {
    const approvals = await good();
    const proven = authorise(frozen, approvals, trust, policyAsks, startMs);
    expect(proven).toEqual({
      kind: "quorum",
      planDigest: frozen.digest,
      statements: approvals.map((approval) => digestOf(approval.statement)),
      expiresAt: startMs + 3_600_000,
    });
  });

  it("is proven in any order of the approvals", async () => {
    expect((await attempt({ approvals: (await good()).reverse() })).planDigest).toBe(frozen.digest);
  });

  it("covers later steps after the statements expired: expiry limits the start", async () => {
    expect((await attempt({ at: null })).kind).toBe("quorum");
  });

  it("expires with the first statement that does", async () => {
    const soon = await as("bob", "app-owner", { expiresAt: new Date(startMs + 5_000).toISOString() });
    const { expiresAt } = await attempt(await insteadOfBob(soon));
    expect(expiresAt).toBe(startMs + 5_000);
    await expect(attempt({ ...(await insteadOfBob(soon)), at: startMs + 4_999 })).resolves.toBeDefined();
  });
});

describe("what a signature does not prove", () => {
  const cases: [string, RegExp, () => Promise<Try>][] = [
    ["nothing signed", /1 more approval/, async () => ({ approvals: [] })],
    ["a role missing", /1 more approval\(s\) by platform/, async () => ({ approvals: [await as("bob", "app-owner")] })],
    ["a stranger", /got a stranger/, async () => insteadOfBob(await as("mallory", "app-owner"))],
    [
      "the same name at another issuer",
      /got a stranger/,
      async () => insteadOfBob(await as("bob", "app-owner", { approver: { iss: "https://evil.example", sub: "bob" } })),
    ],
    ["a role the person does not hold", /got one without/, async () => insteadOfBob(await as("cyd", "app-owner"))],
    [
      "a role the person holds but the plan does not ask them for",
      /not-eligible-for-role/,
      async () => ({
        trust: trustWith({
          people: staff.map((one) => (one.sub === "cyd" ? { ...one, roles: ["app-owner", "platform"] } : one)),
        }),
        approvals: [await as("cyd", "app-owner"), ...(await good())],
      }),
    ],
    [
      "a role that was taken away since",
      /got one without/,
      async () => ({
        trust: trustWith({ people: staff.map((one) => (one.sub === "bob" ? { ...one, roles: ["platform"] } : one)) }),
      }),
    ],
    [
      "somebody who left since",
      /got a stranger/,
      async () => ({ trust: trustWith({ people: staff.filter((one) => one.sub !== "bob") }) }),
    ],
    [
      "a statement for another run",
      /expected a statement for run_/,
      async () => insteadOfBob(await as("bob", "app-owner", { runId: "run_01jd8y0000000000000000000b" })),
    ],
    [
      "a statement about another plan",
      /got another subject/,
      async () =>
        insteadOfBob(await as("bob", "app-owner", { subjects: [{ kind: "plan", digest: digestOf("other") }] })),
    ],
    [
      "a statement about this plan and another",
      /got another subject/,
      async () =>
        insteadOfBob(
          await as("bob", "app-owner", {
            subjects: [
              { kind: "plan", digest: frozen.digest as Digest },
              { kind: "plan", digest: digestOf("other") },
            ],
          }),
        ),
    ],
    [
      "a plan changed after the approval",
      /got another subject/,
      async () => ({ frozen: planWith({ environment: "prod" }), approvals: await good() }),
    ],
    [
      "a statement under another policy",
      /under the plan's policy/,
      async () => insteadOfBob(await as("bob", "app-owner", { policyDigest: digestOf("lax policy") })),
    ],
    [
      "an expired statement",
      /got an expired one/,
      async () => insteadOfBob(await as("bob", "app-owner", { expiresAt: new Date(startMs).toISOString() })),
    ],
    [
      "a statement from the future",
      /got one from the future/,
      async () => insteadOfBob(await as("bob", "app-owner", { issuedAt: new Date(startMs + 60_000).toISOString() })),
    ],
    [
      "a statement that lives longer than the plan lets it",
      /expires within 86400 s/,
      async () =>
        insteadOfBob(await as("bob", "app-owner", { expiresAt: new Date(startMs + 90_000_000).toISOString() })),
    ],
    [
      "the same statement twice",
      /got a copy/,
      async () => {
        const [bob, cyd] = await good();
        return { approvals: [bob, bob, cyd] as StoredApproval[] };
      },
    ],
    [
      "two people's statements with one nonce",
      /got a copy/,
      async () => {
        const nonce = "the-one-and-only-nonce-here";
        return { approvals: [await as("bob", "app-owner", { nonce }), await as("cyd", "platform", { nonce })] };
      },
    ],
    [
      "two approvals of one person in one role",
      /duplicate/,
      async () => ({ approvals: [await as("bob", "app-owner"), ...(await good())] }),
    ],
    [
      "one person in two roles",
      /one-person-one-role/,
      async () => ({ approvals: [await as("ada", "app-owner"), await as("ada", "platform")] }),
    ],
    [
      "one person in two roles, beside enough others",
      /one-person-one-role/,
      async () => ({ approvals: [await as("ada", "app-owner"), await as("ada", "platform"), ...(await good())] }),
    ],
    [
      "the requester's own approval",
      /requester-cannot-approve/,
      async () => {
        const require = [{ role: "app-owner", count: 1, people: [requester] }, frozen.plan.approvals.require[1]];
        const plan = approvalsWith({ require: require as Plan["approvals"]["require"] });
        return {
          frozen: plan,
          approvals: [
            await signed(statementOf(plan, "eve", "app-owner")),
            await signed(statementOf(plan, "cyd", "platform")),
          ],
        };
      },
    ],
    [
      "a plan that lets the requester approve",
      /nobody approves what they asked for/,
      async () => ({ frozen: approvalsWith({ separation: ["one-person-one-role"] }) }),
    ],
    [
      "a reject beside a full quorum",
      /expected no reject/,
      async () => ({ approvals: [...(await good()), await as("ada", "platform", { decision: "reject" })] }),
    ],
    [
      "a reject by somebody who approved before",
      /expected no reject/,
      async () => ({ approvals: [...(await good()), await as("bob", "app-owner", { decision: "reject" })] }),
    ],
    [
      "a policy that the trust file does not name",
      /policy that the trust file names/,
      async () => ({ trust: trustWith({ policies: [digestOf("policy 2")] }) }),
    ],
    [
      "no policy in the trust file",
      /policy that the trust file names/,
      async () => ({ trust: trustWith({ policies: [] }) }),
    ],
    [
      "a plan that asks for fewer people than the policy",
      /ask for 2 x app-owner, got 1/,
      async () => ({ required: [{ role: "app-owner", count: 2 }] }),
    ],
    [
      "a plan that leaves out a role of the policy",
      /ask for 1 x security, got 0/,
      async () => ({ required: [...policyAsks, { role: "security", count: 1 }] }),
    ],
    ["prod with session level", /above level session/, async () => ({ frozen: planWith({ prod: true }) })],
    [
      "prod, as level session is all that there is",
      /expected level passkey, got session/,
      async () => ({
        frozen: planWith({ prod: true, approvals: { ...frozen.plan.approvals, minLevel: "passkey" } }),
      }),
    ],
    [
      "a one-person installation in prod",
      /by several people for prod/,
      async () => ({
        trust: trustWith({ solo: true }),
        frozen: planWith({ prod: true, approvals: { ...frozen.plan.approvals, minLevel: "passkey" } }),
      }),
    ],
    [
      "a level below what the plan asks",
      /expected level idp, got session/,
      async () => ({ frozen: approvalsWith({ minLevel: "idp" }) }),
    ],
    [
      "a level below what the person is enrolled with",
      /at level passkey, got session/,
      async () => ({
        trust: trustWith({
          people: staff.map((one) => (one.sub === "bob" ? { ...one, level: "passkey" as const } : one)),
        }),
      }),
    ],
    [
      "a signature of a key that is not trusted",
      /expected a trusted key/,
      async () => insteadOfBob(await signed(statementOf(frozen, "bob", "app-owner"), otherKey)),
    ],
    [
      "another statement under a good envelope",
      /expected the envelope to hold this statement/,
      async () => {
        const { envelope } = await as("bob", "app-owner");
        return insteadOfBob({ statement: statementOf(frozen, "bob", "app-owner"), envelope });
      },
    ],
    [
      "a statement of another form",
      /expected a signed statement/,
      async () => insteadOfBob({ ...(await as("bob", "app-owner")), envelope: canonicalBytes({}) }),
    ],
  ];
  it.each(cases)("%s does not authorise", async (_, reason, make) => {
    const one = await make();
    await expect(attempt(one)).rejects.toEqual(refused(reason));
  });

  it("any altered byte of statement or envelope", async () => {
    const [bob, cyd] = (await good()) as [StoredApproval, StoredApproval];
    for (const part of ["statement", "envelope"] as const) {
      for (let at = 0; at < bob[part].length; at++) {
        const bytes = Uint8Array.from(bob[part]);
        bytes[at] = (bytes[at] ?? 0) ^ 1;
        const tampered = { ...bob, [part]: bytes };
        expect(() => authorise(frozen, [tampered, cyd], trust, policyAsks, startMs), `${part} byte ${at}`).toThrow(
          refused(/expected/),
        );
      }
    }
  });

  it("an envelope whose payload says more than was signed", async () => {
    const bob = await as("bob", "app-owner");
    const envelope = JSON.parse(new TextDecoder().decode(bob.envelope)) as { [key: string]: Json };
    const forged = statementOf(frozen, "ada", "app-owner");
    const payload = Buffer.from(forged).toString("base64");
    const stored = { statement: forged, envelope: canonicalBytes({ ...envelope, payload }) };
    await expect(attempt(await insteadOfBob(stored))).rejects.toEqual(refused(/valid signature/));
  });
});

describe("a one-person installation", () => {
  it("may act outside prod, with the requester's own approval, when its plan says so", async () => {
    const solo = approvalsWith({ require: [{ role: "app-owner", count: 1, people: [requester] }], separation: [] });
    const proven = authorise(
      solo,
      [await signed(statementOf(solo, "eve", "app-owner"))],
      trustWith({ solo: true, people: staff.filter((one) => one.person !== people.ada) }),
      [{ role: "app-owner", count: 1 }],
      startMs,
    );
    expect(proven.planDigest).toBe(solo.digest);
  });
});
