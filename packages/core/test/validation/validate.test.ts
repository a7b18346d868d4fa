import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  checks,
  errorCodes,
  type FindingResult,
  isBlocked,
  resolvePolicy,
  rulesOf,
  type ValidationInput,
  validate,
} from "../../src/index.ts";
import { approversCases } from "./cases/approvers.ts";
import { type Case, early, ownedBy, urgent } from "./cases/inputs.ts";
import { recordCases } from "./cases/record.ts";
import { risksCases } from "./cases/risks.ts";
import { targetCases } from "./cases/target.ts";
import { timingCases } from "./cases/timing.ts";
import {
  ada,
  bob,
  credential,
  cyd,
  day,
  good,
  inWorld,
  now,
  policy,
  postgres,
  request,
  row,
  seenConsumers,
  withConnection,
  worldOf,
} from "./samples.ts";

function resultOf(input: ValidationInput, code: string): FindingResult | "absent" {
  const finding = validate(input).find((candidate) => candidate.code === code);
  return finding?.result ?? "absent";
}

const cases: readonly Case[] = [...risksCases, ...targetCases, ...recordCases, ...timingCases, ...approversCases];

describe("every reason not to rotate", () => {
  it.each(cases)("%s", (_name, input, code, result) => {
    expect(resultOf(input, code)).toBe(result);
    expect(isBlocked(validate(input)) || result === "warn").toBe(true);
  });

  it("a rule that no case can trip is no rule", () => {
    const tripped = new Set(
      cases.flatMap(([, input]) =>
        validate(input).flatMap((finding) => (finding.result === "pass" ? [] : [finding.code])),
      ),
    );
    expect(checks.map((rule) => rule.code).filter((code) => !tripped.has(code))).toEqual([]);
  });
});

describe("when everything is in order", () => {
  it("every rule passes and is returned", () => {
    const findings = validate(good);
    expect(findings.filter((finding) => finding.result !== "pass")).toEqual([]);
    const unmentioned = checks
      .map((rule) => rule.code)
      .filter((code) => !findings.some((finding) => finding.code === code));
    // The sample is an Entra application without limits: rules about roles, limits and named secrets have nothing to say.
    expect(unmentioned).toEqual([
      "supersedes",
      "credential-unknown",
      "named-is-ours",
      "holder-unlisted",
      "role-in-use-unknown",
      "credential-slots",
      "lifetime-over-tenant-policy",
      "emergency-one-person",
    ]);
  });

  it("one owner is no risk where another person answers for the business, who may be asked to agree", () => {
    const input = { ...good, row: { ...row, owners: [ada], businessOwners: [bob] } };
    expect(resultOf(input, "single-owner")).toBe("pass");
    const asked = resolvePolicy(policy(["from: owner-of-app", "from: business-owner-of-app"]), row);
    expect(resultOf({ ...input, policy: asked }, "approvers-too-few")).toBe("pass");
  });

  it("an emergency waits for no window and no overlap, and what would stop a rotation is only said", () => {
    const input = urgent({
      world: worldOf(row, {
        record: { identity: {}, version: "v1", readable: false },
        recordSignsIn: false,
        consumers: seenConsumers({ matchesRecord: false }),
      }),
    });
    const findings = validate(input);
    expect(isBlocked(findings)).toBe(false);
    const codes = findings.map((finding) => finding.code);
    expect(codes).not.toContain("window-none-before-expiry");
    expect(codes).not.toContain("overlap-too-short");
    for (const code of ["record-unreadable", "record-value-refused", "consumer-mismatch"])
      expect(resultOf(input, code)).toBe("warn");
  });

  it("database roles are judged by their own rules", () => {
    const input = {
      ...good,
      row: postgres,
      world: worldOf(postgres),
      request: { ...request, target: { name: "orders" } },
      policy: resolvePolicy(policy(), postgres),
    };
    expect(validate(input).filter((finding) => finding.result !== "pass")).toEqual([]);
  });

  it.each(["compromise", "leaver", "policy"] as const)("trigger %s needs no due date", (trigger) => {
    expect(resultOf({ ...inWorld({ credentials: [early] }), request: { ...request, trigger } }, "not-due")).toBe(
      "pass",
    );
  });

  it("a credential that lives too long is due at once", () => {
    expect(
      resultOf(
        {
          ...inWorld({ credentials: [credential("old", { startsAt: now, expiresAt: now + 700 * day })] }),
          request: { ...request, trigger: "event" },
        },
        "not-due",
      ),
    ).toBe("pass");
  });

  it("a password without an expiry is due by its age", () => {
    const at = (startsAt: number) => ({
      ...good,
      row: postgres,
      world: worldOf(postgres, { credentials: [credential("orders_a", { kind: "role", expiresAt: null, startsAt })] }),
      request: { ...request, target: { name: "orders" } },
      policy: resolvePolicy(policy(), postgres),
    });
    expect(resultOf(at(now - 10 * day), "not-due")).toBe("block");
    expect(resultOf(at(now - 77 * day), "not-due")).toBe("pass");
  });

  it("the first run of an application has nothing to be compared with", () =>
    expect(resultOf(good, "new-consumer")).toBe("pass"));

  it("two people with three roles between them can be enough", () => {
    const people = [
      { person: ada, roles: ["app-owner", "platform"], level: "passkey" as const },
      { person: cyd, roles: ["platform"], level: "passkey" as const },
    ];
    expect(resultOf({ ...ownedBy(ada), people }, "approvers-too-few")).toBe("pass");
  });
});

describe("before retirement", () => {
  it("rules about the start are not asked again: our own effects are no reason to stop", () => {
    const after: ValidationInput = {
      ...inWorld({
        credentials: [credential("old"), credential("new", { startsAt: now, expiresAt: now + 90 * day })],
        binding: { id: "new", by: "ours" },
        record: { identity: { vault: "v" }, version: "v2", readable: true },
        limits: { credentialsMax: 2, lifetimeSecondsMax: null },
      }),
      at: "retire",
      openRun: "run_self",
    };
    expect(isBlocked(validate(after))).toBe(false);
    expect(resultOf(after, "not-due")).toBe("absent");
  });
  it("target, owners, scope and approvers still are", () => {
    expect(
      resultOf({ ...good, at: "retire", config: withConnection("app-files", { scope: [] }) }, "scope-refused"),
    ).toBe("block");
    expect(resultOf({ ...good, at: "retire", row: null }, "not-in-inventory")).toBe("block");
  });
});

describe("the form of findings", () => {
  it("codes are unique, sentences end, texts fit into evidence", () => {
    expect(new Set(checks.map((rule) => rule.code)).size).toBe(checks.length);
    for (const rule of checks) {
      expect(rule.code).toMatch(/^[a-z][a-z0-9-]{0,63}$/);
      expect(rule.sentence).toMatch(/^[A-Z].*\.$/);
      expect(Object.keys(errorCodes)).not.toContain(rule.code);
    }
    const hostile = inWorld({
      target: { ...worldOf(row).target, objectId: `\u202e${"x".repeat(5_000)}` },
      credentials: Array.from({ length: 500 }, (_, index) =>
        credential(`${"k".repeat(300)}${index}`, { marker: null }),
      ),
    });
    for (const { observed, required } of rulesOf(validate(hostile))) {
      expect(observed.length).toBeLessThanOrEqual(600);
      expect(required.length).toBeLessThanOrEqual(600);
      expect(observed).not.toContain("\u202e");
    }
  });

  it("a rule that cannot be evaluated blocks", () => {
    const broken = { ...good, policy: { ...good.policy, schedule: null } } as unknown as ValidationInput;
    expect(validate(broken).find((finding) => finding.code === "window-none-before-expiry")).toMatchObject({
      result: "block",
      observed: "the rule could not be evaluated",
    });
  });

  it("the same input gives the same findings, whatever is missing", () => {
    const any = fc.record({
      row: fc.constantFrom(row, postgres, null),
      world: fc.constantFrom(worldOf(row), worldOf(postgres), null),
      policy: fc.constantFrom(good.policy, null),
      at: fc.constantFrom("start" as const, "retire" as const),
    });
    fc.assert(
      fc.property(any, (part) => {
        const input = { ...good, ...part };
        const findings = validate(input);
        const complete = input.row !== null && input.world !== null && input.policy !== null;
        return JSON.stringify(findings) === JSON.stringify(validate(input)) && (complete || isBlocked(findings));
      }),
    );
  });
});
