import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  CountersignError,
  defaultPolicyYaml,
  type Governed,
  lintPolicy,
  parsePolicy,
  resolvePolicy,
  whatIf,
} from "../../src/index.ts";
import { yamlBlocks } from "../documents/blocks.ts";
import { environmentWith, policyOf, policyText } from "./samples.ts";

const strict = { seconds: false };
const row = (more: Partial<Governed> = {}): Governed => ({
  name: "billing-api",
  environment: "dev",
  tenant: "contoso",
  procedure: "entra-client-secret",
  ...more,
});
const [example = ""] = yamlBlocks(readFileSync(new URL("../../../../docs/policy.md", import.meta.url), "utf8"));

function refusal(text: string): string {
  try {
    parsePolicy(text, strict);
  } catch (error) {
    if (error instanceof CountersignError && error.code === "POLICY_INVALID") return error.message;
    throw error;
  }
  throw new Error("expected a refusal, got a policy");
}
const refusalWith = (...changes: (readonly [string, string])[]) =>
  refusal(policyText({ all: environmentWith(...changes) }));

describe("a policy document", () => {
  it.each([
    [
      "prod with level session",
      ["prod: false", "prod: true"],
      "approvals.minLevel: expected idp | passkey for prod, got session",
    ],
    [
      "an overlap upside down",
      ["{ min: PT1H, max: P7D }", "{ min: P8D, max: P7D }"],
      "overlap.min: expected at most overlap.max",
    ],
    ["proofs that do not fit their deadline", ["spacing: PT0M", "spacing: PT5M"], "proof.deadline: expected room"],
    [
      "a role twice",
      ['role: platform, from: "role:platform"', 'role: app-owner, from: "role:platform"'],
      "expected each role once",
    ],
    [
      "a source that is a group name",
      ['"role:platform"', '"group:platform"'],
      "expected owner-of-app, business-owner-of-app or role:<role>",
    ],
    ["an unsupervised mode", ["mode: supervised", "mode: unsupervised"], "mode: expected supervised"],
    ["a count of zero", ["from: owner-of-app, count: 1", "from: owner-of-app, count: 0"], "expected at least 1"],
    ["months", ["P14D", "P1M"], "rotateWhenExpiresIn: expected a duration"],
    ["more than 400 days", ["P90D", "P401D"], "secretLifetime.max: expected a duration from"],
    ["an unknown key", ["mode: supervised", "mode: supervised\nunsupervised: true"], 'got "unsupervised"'],
    [
      "a window without length",
      ["windows: always", 'windows: [{ days: [MO], from: "09:00", to: "09:00", tz: UTC }]'],
      "expected a window with different ends",
    ],
    [
      "a window from 24:00",
      ["windows: always", 'windows: [{ days: [MO], from: "24:00", to: "09:00", tz: UTC }]'],
      "expected a window with different ends",
    ],
    [
      "a window in an offset",
      ["windows: always", 'windows: [{ days: [MO], from: "09:00", to: "10:00", tz: "+02:00" }]'],
      "expected an IANA time zone",
    ],
    [
      "a window at 9:00",
      ["windows: always", 'windows: [{ days: [MO], from: "9:00", to: "10:00", tz: UTC }]'],
      "expected a time of day",
    ],
    [
      "a day that does not exist",
      ["windows: always", "windows: always\nfreezes: [{ name: f, from: 2026-02-30, to: 2026-03-01, tz: UTC }]"],
      "expected a date",
    ],
    [
      "a freeze upside down",
      ["windows: always", "windows: always\nfreezes: [{ name: f, from: 2026-03-02, to: 2026-03-01, tz: UTC }]"],
      "expected a freeze that ends",
    ],
    ["a pattern that climbs", ["match: {}", 'match: { names: ["../*"] }'], "expected a pattern"],
    ["an empty list of names", ["match: {}", "match: { names: [] }"], "names: expected at least 1 entries"],
  ] as const)("refuses %s", (_name, change, why) => expect(refusalWith(change)).toContain(why));

  it("refuses a policy whose every requirement waits for a risk", () => {
    const require = /- \{ role: app-owner[\s\S]*?- \{ role: platform.*\n/.exec(environmentWith())?.[0] ?? "";
    expect(refusalWith([require, ""])).toContain("expected at least one requirement without `when`");
  });

  it("refuses self-approval for prod", () => {
    expect(
      refusalWith(
        ["prod: false", "prod: true"],
        ["minLevel: session", "minLevel: passkey"],
        ["[requester-cannot-approve, one-person-one-role]", "[]"],
      ),
    ).toContain("expected requester-cannot-approve for prod");
  });

  it("its digest covers the bytes, comments included", () => {
    const text = policyText({ all: environmentWith() });
    expect(parsePolicy(text, strict).digest).toBe(parsePolicy(new TextEncoder().encode(text), strict).digest);
    expect(parsePolicy(`${text}# note\n`, strict).digest).not.toBe(parsePolicy(text, strict).digest);
  });
});

describe("the strictest of everything that matches", () => {
  it("no matching environment means deny", () => {
    const policy = policyOf({ prod: environmentWith(["match: {}", "match: { environment: prod }"]) });
    expect(resolvePolicy(policy, row())).toBeNull();
    expect(resolvePolicy(policyOf({}), row())).toBeNull();
    expect(resolvePolicy(policy, row({ environment: "prod" }))?.environments).toEqual(["prod"]);
  });

  it("tenant, environment and names must all fit", () => {
    const policy = policyOf({
      one: environmentWith(["match: {}", 'match: { tenant: contoso, environment: dev, names: ["billing-*"] }']),
    });
    expect(resolvePolicy(policy, row())).not.toBeNull();
    for (const other of [{ tenant: "fabrikam" }, { environment: "prod" }, { name: "payroll" }])
      expect(resolvePolicy(policy, row(other))).toBeNull();
  });

  it("takes each value from whichever environment is stricter", () => {
    const resolved = resolvePolicy(
      policyOf({
        a: environmentWith(["P14D", "P20D"], ["P90D", "P30D"], ["{ min: PT1H, max: P7D }", "{ min: PT2H, max: P9D }"]),
        b: environmentWith(
          ["minLevel: session", "minLevel: idp"],
          ["prod: false", "prod: true"],
          ["expiresAfter: PT24H", "expiresAfter: PT8H"],
          ['from: "role:platform", count: 1', 'from: "role:sre", count: 2'],
          ["count: 1, when: { risk: high }", "count: 1"],
          [
            "windows: always",
            'windows: [{ days: [MO], from: "09:00", to: "10:00", tz: UTC }]\nfreezes: [{ name: f, from: 2026-12-01, to: 2026-12-02, tz: UTC }]',
          ],
          ["minGrade: weak", "minGrade: strong"],
          ["times: 3", "times: 5"],
          ["minRemaining: P2D", "minRemaining: P3D"],
        ),
      }),
      row(),
    );
    expect(resolved).toMatchObject({
      environments: ["a", "b"],
      prod: true,
      rotateWhenExpiresInSeconds: 20 * 86_400,
      lifetimeMaxSeconds: 30 * 86_400,
      overlapMinSeconds: 7_200,
      overlapMaxSeconds: 7 * 86_400,
      approvals: { expiresAfterSeconds: 8 * 3_600, minLevel: "idp" },
      proof: { times: 5 },
      rollbackMinRemainingSeconds: 3 * 86_400,
      retire: { minGrade: "strong" },
    });
    expect(resolved?.schedule.windowSets).toHaveLength(1);
    expect(resolved?.schedule.freezes).toHaveLength(1);
    expect(resolved?.approvals.require).toEqual([
      { role: "app-owner", from: ["owner-of-app"], count: 1, onlyAtRisk: false },
      { role: "platform", from: ["role:platform", "role:sre"], count: 2, onlyAtRisk: false },
      { role: "security", from: ["role:security"], count: 1, onlyAtRisk: false },
    ]);
  });

  it("a kind of credential has its own rule for retirement", () => {
    const policy = policyOf({
      all: environmentWith([
        "mode: supervised",
        "kinds: { postgres-role-password: { retire: { minGrade: none, consumerLevel: used, quiet: PT1H } } }\nmode: supervised",
      ]),
    });
    expect(resolvePolicy(policy, row())?.retire.minGrade).toBe("weak");
    expect(resolvePolicy(policy, row({ procedure: "postgres-role-password" }))?.retire).toEqual({
      minGrade: "none",
      consumerLevel: "used",
      quietSeconds: 3_600,
    });
  });

  it("one more matching environment never makes anything laxer", () => {
    const days = fc.integer({ min: 3, max: 30 });
    const environment = fc
      .record({
        due: days,
        life: days,
        min: fc.integer({ min: 1, max: 5 }),
        max: fc.integer({ min: 5, max: 9 }),
        times: fc.integer({ min: 1, max: 9 }),
        grade: fc.constantFrom("none", "weak", "strong"),
        count: fc.integer({ min: 1, max: 3 }),
      })
      .map((v) =>
        environmentWith(
          ["P14D", `P${v.due}D`],
          ["P90D", `P${v.life}D`],
          ["{ min: PT1H, max: P7D }", `{ min: P${v.min}D, max: P${v.max}D }`],
          ["times: 3", `times: ${v.times}`],
          ["minGrade: weak", `minGrade: ${v.grade}`],
          ["from: owner-of-app, count: 1", `from: owner-of-app, count: ${v.count}`],
        ),
      );
    const grade = ["none", "weak", "strong"];
    fc.assert(
      fc.property(environment, environment, (a, b) => {
        const one = resolvePolicy(policyOf({ a }), row());
        const both = resolvePolicy(policyOf({ a, b }), row());
        if (one === null || both === null) return false;
        return (
          both.rotateWhenExpiresInSeconds >= one.rotateWhenExpiresInSeconds &&
          both.lifetimeMaxSeconds <= one.lifetimeMaxSeconds &&
          both.overlapMinSeconds >= one.overlapMinSeconds &&
          both.overlapMaxSeconds <= one.overlapMaxSeconds &&
          both.proof.times >= one.proof.times &&
          grade.indexOf(both.retire.minGrade) >= grade.indexOf(one.retire.minGrade) &&
          (both.approvals.require[0]?.count ?? 0) >= (one.approvals.require[0]?.count ?? 0)
        );
      }),
      { numRuns: 60 },
    );
  });
});

describe("the default policy and the example of the docs", () => {
  it.each([
    ["default", defaultPolicyYaml],
    ["docs/policy.md", example],
  ])("%s is accepted and has nothing that lint would refuse", (_name, text) => {
    expect(lintPolicy(parsePolicy(text, strict)).filter((lint) => lint.result === "block")).toEqual([]);
  });

  it("the default leaves no application ungoverned", () => {
    const policy = parsePolicy(defaultPolicyYaml, strict);
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,20}$/),
        fc.constantFrom("dev", "prod", "whatever"),
        fc.constantFrom("a", "b"),
        (name, environment, tenant) => resolvePolicy(policy, row({ name, environment, tenant })) !== null,
      ),
    );
    expect(lintPolicy(policy)).toEqual([]);
  });
});

describe("lint", () => {
  const codes = (...changes: (readonly [string, string])[]) =>
    lintPolicy(policyOf({ all: environmentWith(...changes) })).map((lint) => `${lint.result} ${lint.code}`);

  it("a good policy has no findings", () => expect(codes()).toEqual([]));

  it.each([
    [
      "rotate-before shorter than approvals, overlap and rollback need",
      [["rotateWhenExpiresIn: P14D", "rotateWhenExpiresIn: P3D"]],
      "block rotate-too-late",
    ],
    [
      "rotate-before shorter than the wait for a weekly window",
      [
        ["P14D", "P9D"],
        ["windows: always", 'windows: [{ days: [MO], from: "09:00", to: "10:00", tz: UTC }]'],
      ],
      "block rotate-too-late",
    ],
    ["a life that is due at birth", [["P90D", "P14D"]], "block always-due"],
    [
      "a freeze longer than the warning",
      [["windows: always", "windows: always\nfreezes: [{ name: f, from: 2026-12-01, to: 2026-12-20, tz: UTC }]"]],
      "warn freeze-outlasts-warning",
    ],
    [
      "a hasty proof in prod",
      [
        ["prod: false", "prod: true"],
        ["minLevel: session", "minLevel: passkey"],
      ],
      "warn proof-too-short",
    ],
    ["self-approval", [["[requester-cannot-approve, one-person-one-role]", "[]"]], "warn self-approval"],
    [
      "retirement without evidence in prod",
      [
        ["prod: false", "prod: true"],
        ["minLevel: session", "minLevel: passkey"],
        ["minGrade: weak", "minGrade: none"],
      ],
      "warn retire-without-evidence",
    ],
    ["applications nobody governs", [["match: {}", "match: { environment: prod }"]], "warn ungoverned"],
  ] as const)("finds %s", (_name, changes, code) => expect(codes(...changes)).toContain(code));

  it("finds windows that lie in no minute of a week", () => {
    const policy = policyOf({ all: environmentWith() });
    const environment = policy.environments.all;
    if (environment === undefined) throw new Error("expected the environment");
    expect(
      lintPolicy({ ...policy, environments: { all: { ...environment, windows: [] } } }).map((lint) => lint.code),
    ).toContain("windows-never-open");
  });
});

describe("what if", () => {
  const before = policyOf({ all: environmentWith() });
  it("the same policy changes nothing", () => expect(whatIf(before, before, [row()])).toEqual([]));
  it("names each application and each value that changes", () => {
    const after = policyOf({
      all: environmentWith(),
      prod: environmentWith(["match: {}", "match: { environment: prod }"], ["P90D", "P30D"]),
    });
    expect(whatIf(before, after, [row(), row({ name: "ledger", environment: "prod" })])).toEqual([
      { row: "ledger", field: "environments", before: '["all"]', after: '["all","prod"]' },
      { row: "ledger", field: "lifetimeMaxSeconds", before: "7776000", after: "2592000" },
    ]);
  });
  it("says who would not be governed any more", () => {
    expect(whatIf(before, policyOf({}), [row()])).toEqual([
      { row: "billing-api", field: "governed", before: "all", after: null },
    ]);
    expect(whatIf(policyOf({}), policyOf({}), [row()])).toEqual([]);
  });
});
