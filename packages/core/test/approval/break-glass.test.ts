import { type Digest, digestOf } from "@countersign/evidence";
import { describe, expect, it } from "vitest";
import { authorise, authoriseBreakGlass, freezePlan, type Plan, proveConfirmation } from "../../src/index.ts";
import { frozenOf, people, startMs } from "../plan/samples.ts";
import { otherKey, signed, statementOf, trustWith } from "./signed.ts";

const trust = trustWith({});
const terms: NonNullable<Plan["breakGlass"]> = {
  grant: [{ role: "platform", people: [people.cyd] }],
  confirm: [{ role: "app-owner", people: [people.ada, people.bob] }],
  minLevel: "session",
  expiresAfterSeconds: 7_200,
  confirmWithinSeconds: 3_600,
  reviewWithinSeconds: 86_400,
  unconfirmed: "hold",
};
const frozen = freezePlan({ ...frozenOf().plan, breakGlass: terms });
const reasonDigest = digestOf("reason") as Digest;
const grant = (change: Parameters<typeof statementOf>[3] = {}, of = frozen) =>
  signed(statementOf(of, "cyd", "platform", { decision: "break-glass", reasonDigest, ...change }));
const refused = (reason: RegExp) =>
  expect.objectContaining({ code: "AUTHORISATION_INVALID", message: expect.stringMatching(reason) });
const roles = ["platform"];

describe("one person alone", () => {
  it("may start exactly the plan that names them", async () => {
    const stored = await grant();
    expect(authoriseBreakGlass(frozen, stored, trust, roles, startMs)).toEqual({
      kind: "break-glass",
      planDigest: frozen.digest,
      statements: [digestOf(stored.statement)],
      expiresAt: startMs + 3_600_000,
      person: people.cyd,
    });
    expect(authoriseBreakGlass(frozen, stored, trust, roles, null).kind).toBe("break-glass");
  });

  it("may not start another plan, or one that lets nobody", async () => {
    const other = freezePlan({ ...frozen.plan, trigger: "policy" });
    const stored = await grant({}, other);
    expect(() => authoriseBreakGlass(frozen, stored, trust, roles, startMs)).toThrow(refused(/about plan sha256/));
    const plain = frozenOf();
    const onPlain = await grant({}, plain);
    expect(() => authoriseBreakGlass(plain, onPlain, trust, roles, startMs)).toThrow(refused(/allows break-glass/));
  });

  it.each([
    ["without a reason", { reasonDigest: null }, /with a reason/],
    ["by an ordinary yes", { decision: "approve" }, /break-glass grant, got the word approve/],
    ["for longer than the plan allows", { expiresAt: new Date(startMs + 9_000_000).toISOString() }, /within 7200 s/],
    ["after it expired", { expiresAt: new Date(startMs).toISOString() }, /not expired/],
  ] as const)("may not start %s", async (_name, change, reason) => {
    const stored = await grant(change);
    expect(() => authoriseBreakGlass(frozen, stored, trust, roles, startMs)).toThrow(refused(reason));
  });

  it("may not start whom the plan does not name, in a role that policy has taken back, or by another key", async () => {
    const stranger = await signed(statementOf(frozen, "eve", "platform", { decision: "break-glass", reasonDigest }));
    expect(() => authoriseBreakGlass(frozen, stranger, trust, roles, startMs)).toThrow(refused(/lets start alone/));
    const stored = await grant();
    expect(() => authoriseBreakGlass(frozen, stored, trust, [], startMs)).toThrow(refused(/policy lets start alone/));
    const forged = await signed(
      statementOf(frozen, "cyd", "platform", { decision: "break-glass", reasonDigest }),
      otherKey,
    );
    expect(() => authoriseBreakGlass(frozen, forged, trust, roles, startMs)).toThrow(refused(/signed statement/));
  });

  it("never starts in prod with what only a session attests", async () => {
    const { approvals } = frozen.plan;
    const prod = freezePlan({ ...frozen.plan, prod: true, approvals: { ...approvals, minLevel: "passkey" } });
    const stored = await grant({}, prod);
    expect(() => authoriseBreakGlass(prod, stored, trust, roles, startMs)).toThrow(refused(/signed by the person/));
  });

  it("is no quorum: a grant counts for nothing there", async () => {
    const stored = await grant();
    expect(() => authorise(frozen, [stored], trust, [], startMs)).toThrow(refused(/yes or no, got break-glass/));
  });
});

describe("the second person", () => {
  const word = (sub: string, role: string, change: Parameters<typeof statementOf>[3] = {}) =>
    signed(statementOf(frozen, sub, role, { decision: "confirm", ...change }));

  it("is another one whom the plan names", async () => {
    const stored = await word("bob", "app-owner");
    expect(proveConfirmation(frozen, stored, trust, people.cyd)).toEqual({
      person: people.bob,
      digest: digestOf(stored.statement),
    });
  });

  it("is not the first one, not a stranger to the plan, and says so in that word", async () => {
    const [own, stranger, yes] = await Promise.all([
      word("bob", "app-owner"),
      word("eve", "app-owner"),
      word("bob", "app-owner", { decision: "approve" }),
    ]);
    expect(() => proveConfirmation(frozen, own, trust, people.bob)).toThrow(refused(/second person/));
    expect(() => proveConfirmation(frozen, stranger, trust, people.cyd)).toThrow(refused(/lets confirm/));
    expect(() => proveConfirmation(frozen, yes, trust, people.cyd)).toThrow(refused(/expected a confirmation/));
  });
});
