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
import { environmentWith, policyOf } from "../policy/samples.ts";
import {
  ada,
  bob,
  config,
  connection,
  credential,
  cyd,
  day,
  eve,
  executorAppId,
  good,
  inWorld,
  now,
  policy,
  postgres,
  request,
  row,
  sam,
  seenConsumers,
  underPolicy,
  withConnection,
  worldOf,
} from "./samples.ts";

function resultOf(input: ValidationInput, code: string): FindingResult | "absent" {
  const finding = validate(input).find((candidate) => candidate.code === code);
  return finding?.result ?? "absent";
}
const ownedBy = (...owners: string[]): ValidationInput => ({ ...good, row: { ...row, owners } });
const lastPlan: NonNullable<ValidationInput["lastPlan"]> = {
  environment: "dev",
  prod: false,
  consumers: [
    {
      name: "web",
      kind: "latest",
      environment: "dev",
      pickupSeconds: 3_600,
      cadenceSeconds: 600,
      level: "accepted",
      callers: [],
      target: { connection: "main-vault", name: "billing-secret" },
      identity: {},
    },
    {
      name: "batch",
      kind: "pinned",
      environment: "dev",
      pickupSeconds: 60,
      cadenceSeconds: 600,
      level: "accepted",
      callers: [],
      target: { connection: "app-files", path: "billing/batch.ref" },
      identity: {},
    },
  ],
};
const prodPolicy = () => underPolicy(["prod: false", "prod: true"], ["minLevel: session", "minLevel: passkey"]);
const early = credential("old", { expiresAt: now + 40 * day, startsAt: now - 10 * day });
const manual = (force: boolean, reasonGiven: boolean) => ({
  ...inWorld({ credentials: [early] }),
  request: { ...request, trigger: "manual" as const, requester: eve, force, reasonGiven },
});
const contradiction = (): ValidationInput => {
  const overlap = "{ min: PT1H, max: P7D }";
  const one = environmentWith([overlap, "{ min: P5D, max: P7D }"]);
  const two = environmentWith([overlap, "{ min: PT1H, max: P2D }"]);
  return { ...good, policy: resolvePolicy(policyOf({ one, two }), row) };
};

const compromised = {
  ...request,
  trigger: "compromise" as const,
  requester: eve,
  reasonGiven: true,
  target: { name: "billing-api", credential: "old" },
};
const urgent = (change: Partial<ValidationInput> = {}): ValidationInput => ({
  ...good,
  request: compromised,
  ...change,
});
const securityAlone =
  "emergency: { approvals: { expiresAfter: PT1H, require: [{ role: security, from: role:security, count: 1 }] }, containWithin: PT1H, restoreWithin: PT4H }";
const urgentInProd = (): ValidationInput => ({
  ...underPolicy(["mode: supervised", `${securityAlone}\nmode: supervised`]),
  config: withConnection("main-vault", { prod: true }),
  request: compromised,
});

const cases: readonly (readonly [string, ValidationInput, string, FindingResult])[] = [
  ["policy environments that contradict each other", contradiction(), "overlap-over-max", "block"],
  ["not in the inventory", { ...good, row: null }, "not-in-inventory", "block"],
  [
    "another row than asked for",
    { ...good, request: { ...request, target: { name: "ledger" } } },
    "not-in-inventory",
    "block",
  ],
  ["no policy matches", { ...good, policy: null }, "policy-none", "block"],
  ["the outside cannot be read", { ...good, world: null }, "world-unread", "block"],
  ["the tenant is not configured", { ...good, config: { ...config, tenants: [] } }, "wrong-tenant", "block"],
  [
    "the directory that answered is another",
    inWorld({ target: { ...worldOf(row).target, tenantId: "99999999-2222-4333-8444-555555555555" } }),
    "wrong-tenant",
    "block",
  ],
  [
    "the directory does not say which it is",
    inWorld({ target: { objectId: row.objectId, appId: row.appId } }),
    "wrong-tenant",
    "block",
  ],
  [
    "the request names another tenant",
    { ...good, request: { ...request, target: { name: "billing-api", tenant: "fabrikam" } } },
    "wrong-tenant",
    "block",
  ],
  [
    "the vault stands in another tenant",
    { ...good, config: withConnection("main-vault", { tenant: "fabrikam" }) },
    "wrong-tenant",
    "block",
  ],
  [
    "the object id is another",
    inWorld({ target: { ...worldOf(row).target, objectId: "other" } }),
    "application-mismatch",
    "block",
  ],
  [
    "the client id is another",
    inWorld({ target: { ...worldOf(row).target, appId: "other" } }),
    "application-mismatch",
    "block",
  ],
  [
    "the client id is missing",
    inWorld({ target: { tenantId: worldOf(row).target.tenantId ?? "", objectId: row.objectId } }),
    "application-mismatch",
    "block",
  ],
  [
    "the request names another object",
    { ...good, request: { ...request, target: { name: "billing-api", objectId: "other" } } },
    "application-mismatch",
    "block",
  ],
  [
    "the request names another client",
    { ...good, request: { ...request, target: { name: "billing-api", appId: "other" } } },
    "application-mismatch",
    "block",
  ],
  ["the application is our own", { ...good, row: { ...row, appId: executorAppId } }, "own-executor", "block"],
  ["nobody answers for it", ownedBy(), "no-owner", "block"],
  ["one person answers for it", ownedBy(ada), "single-owner", "warn"],
  ["one owner of two is unknown", ownedBy(ada, eve), "owner-unknown", "warn"],
  ["every owner is unknown", ownedBy(eve), "owner-unknown", "block"],
  [
    "a consumer lies outside its scope",
    { ...good, config: withConnection("app-files", { scope: ["payroll/*.ref"] }) },
    "scope-refused",
    "block",
  ],
  [
    "the record's connection is gone",
    { ...good, config: { ...config, connections: [connection("app-files", "files", ["billing/*.ref"])] } },
    "scope-refused",
    "block",
  ],
  [
    "a connection is of another environment",
    { ...good, config: withConnection("app-files", { environment: "stage" }) },
    "environment-mismatch",
    "block",
  ],
  [
    "a prod value would reach a place that is not prod",
    { ...good, config: withConnection("main-vault", { prod: true }) },
    "prod-into-nonprod",
    "block",
  ],
  ["prod by policy, connections not", prodPolicy(), "prod-into-nonprod", "block"],
  [
    "a target known by name only",
    inWorld({ consumers: seenConsumers({ identityKind: "name-only" }) }),
    "identity-name-only",
    "warn",
  ],
  [
    "a target known by name only, in prod",
    { ...prodPolicy(), world: worldOf(row, { consumers: seenConsumers({ identityKind: "name-only" }) }) },
    "identity-name-only",
    "block",
  ],
  ["a run is open", { ...good, openRun: "run_1" }, "another-run-open", "block"],
  [
    "an emergency takes over a run",
    urgent({ supersedes: { run: "run_1", state: "held", made: ["new"] } }),
    "supersedes",
    "warn",
  ],
  [
    "a credential that the application does not have is said to be compromised",
    urgent({ request: { ...compromised, target: { name: "billing-api", credential: "elsewhere" } } }),
    "credential-unknown",
    "block",
  ],
  [
    "nobody says which credential is compromised",
    urgent({ request: { ...compromised, target: { name: "billing-api" } } }),
    "credential-unknown",
    "block",
  ],
  ["a break-glass use waits for its review", { ...good, unreviewed: "run_1" }, "break-glass-unreviewed", "block"],
  [
    "a person asks while a break-glass use waits for its review",
    urgent({ unreviewed: "run_1" }),
    "break-glass-unreviewed",
    "warn",
  ],
  ["one person would decide on an emergency in prod", urgentInProd(), "emergency-one-person", "block"],
  ["another run holds a target", { ...good, pendingRuns: ["run_2"] }, "another-change-pending", "block"],
  ["no credential at all", inWorld({ credentials: [] }), "credential-missing", "block"],
  [
    "the record is empty",
    inWorld({ record: { identity: {}, version: null, readable: false } }),
    "record-missing",
    "block",
  ],
  [
    "the record cannot be read back",
    inWorld({ record: { identity: {}, version: "v1", readable: false } }),
    "record-unreadable",
    "block",
  ],
  ["the stored value does not sign in", inWorld({ recordSignsIn: false }), "record-value-refused", "block"],
  ["the stored value was not tried", inWorld({ recordSignsIn: null }), "record-value-refused", "warn"],
  [
    "the stored value has expired",
    inWorld({ recordSignsIn: false, credentials: [credential("old", { expiresAt: now - 1 })] }),
    "record-value-refused",
    "warn",
  ],
  [
    "which key the record holds is not shown",
    inWorld({ binding: { id: null, by: "unproven" } }),
    "which-key-unproven",
    "warn",
  ],
  [
    "a consumer without callers is to be seen signing in",
    underPolicy(["consumerLevel: value-matched", "consumerLevel: used"]),
    "consumer-level-unreachable",
    "block",
  ],
  [
    "nobody knows which of two roles is in use",
    {
      ...good,
      row: postgres,
      world: worldOf(postgres, { binding: { id: null, by: "unproven" } }),
      request: { ...request, target: { name: "orders" } },
      policy: resolvePolicy(policy(), postgres),
    },
    "role-in-use-unknown",
    "block",
  ],
  ["a consumer does not exist", inWorld({ consumers: seenConsumers({ exists: false }) }), "consumer-missing", "block"],
  ["a consumer was not looked at", inWorld({ consumers: [] }), "consumer-missing", "block"],
  [
    "a consumer holds something else",
    inWorld({ consumers: seenConsumers({ matchesRecord: false }) }),
    "consumer-mismatch",
    "block",
  ],
  [
    "a consumer's target can never be changed",
    inWorld({ consumers: seenConsumers({ refused: "immutable" }) }),
    "consumer-not-writable",
    "block",
  ],
  [
    "a consumer's target is kept as it is by something else",
    inWorld({ consumers: seenConsumers({ refused: "kept-by-another" }) }),
    "consumer-not-writable",
    "block",
  ],
  [
    "what a consumer holds cannot be read",
    inWorld({ consumers: seenConsumers({ matchesRecord: null }) }),
    "consumer-mismatch",
    "warn",
  ],
  [
    "somebody else's credential lives",
    inWorld({ credentials: [credential("old"), credential("theirs", { marker: null })] }),
    "foreign-live-credentials",
    "warn",
  ],
  [
    "no slot is free",
    inWorld({
      credentials: [credential("old"), credential("two")],
      limits: { credentialsMax: 2, lifetimeSecondsMax: null },
    }),
    "credential-slots",
    "block",
  ],
  ["expired", inWorld({ credentials: [credential("old", { expiresAt: now })] }), "expired-already", "warn"],
  ["not due", inWorld({ credentials: [early] }), "not-due", "block"],
  ["not due, asked for by hand", manual(false, true), "not-due", "block"],
  ["not due, insisted on without a reason", manual(true, false), "not-due", "block"],
  ["not due, insisted on with a reason", manual(true, true), "not-due", "warn"],
  [
    "the present one lives too long",
    inWorld({ credentials: [credential("old", { startsAt: now, expiresAt: now + 700 * day })] }),
    "lifetime-over-policy",
    "warn",
  ],
  [
    "the tenant allows less",
    inWorld({ limits: { credentialsMax: null, lifetimeSecondsMax: 30 * 86_400 } }),
    "lifetime-over-tenant-policy",
    "warn",
  ],
  [
    "the tenant allows less than the overlap needs",
    inWorld({ limits: { credentialsMax: null, lifetimeSecondsMax: 86_400 } }),
    "lifetime-too-short",
    "block",
  ],
  [
    "the slowest consumer needs longer than policy allows",
    underPolicy(["{ min: PT1H, max: P7D }", "{ min: PT30M, max: PT1H }"]),
    "overlap-too-short",
    "block",
  ],
  [
    "the old one ends before the slowest consumer is done",
    inWorld({ credentials: [credential("old", { expiresAt: now + 3_600_000 })] }),
    "overlap-too-short",
    "warn",
  ],
  [
    "no window before expiry",
    underPolicy([
      "windows: always",
      'windows: [{ days: [MO], from: "09:00", to: "10:00", tz: UTC }]\nfreezes: [{ name: f, from: 2026-11-20, to: 2026-12-10, tz: UTC }]',
    ]),
    "window-none-before-expiry",
    "block",
  ],
  [
    "little is left for a rollback",
    inWorld({ credentials: [credential("old", { expiresAt: now + day })] }),
    "rollback-minimum",
    "warn",
  ],
  [
    "nobody has the role",
    { ...good, people: good.people.filter((person) => !person.roles.includes("platform")) },
    "approvers-too-few",
    "block",
  ],
  [
    "one person would have to approve twice",
    {
      ...good,
      people: [
        { person: ada, roles: ["app-owner", "platform"], level: "passkey" },
        { person: bob, roles: ["security"], level: "passkey" },
      ],
    },
    "approvers-too-few",
    "block",
  ],
  [
    "the requester is the only owner left",
    { ...ownedBy(bob), request: { ...request, requester: bob } },
    "approvers-too-few",
    "block",
  ],
  [
    "nobody can reach the level",
    {
      ...underPolicy(["minLevel: session", "minLevel: passkey"]),
      people: good.people.map((person) => ({ ...person, level: "session" as const })),
    },
    "approvers-too-few",
    "block",
  ],
  [
    "a risk needs security and there is none",
    {
      ...good,
      people: good.people.filter((person) => person.person !== sam),
      lastPlan: { ...lastPlan, consumers: [] },
    },
    "approvers-too-few",
    "block",
  ],
  [
    "a prod connection under a policy that accepts sessions",
    { ...good, config: { ...config, connections: config.connections.map((item) => ({ ...item, prod: true })) } },
    "session-level-refused-in-prod",
    "block",
  ],
  [
    "a new consumer",
    { ...good, lastPlan: { ...lastPlan, consumers: lastPlan.consumers.slice(0, 1) } },
    "new-consumer",
    "warn",
  ],
  [
    "a consumer with another target",
    {
      ...good,
      lastPlan: {
        ...lastPlan,
        consumers: lastPlan.consumers.map((consumer) => ({
          ...consumer,
          target: { connection: "elsewhere", path: "x" },
        })),
      },
    },
    "changed-target",
    "warn",
  ],
  [
    "a consumer of another kind",
    {
      ...good,
      lastPlan: {
        ...lastPlan,
        consumers: lastPlan.consumers.map((consumer) => ({ ...consumer, kind: "copied" as const })),
      },
    },
    "changed-target",
    "warn",
  ],
  ["prod before, not any more", { ...good, lastPlan: { ...lastPlan, prod: true } }, "environment-downgrade", "warn"],
];

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
    // The sample is an Entra application without limits: rules about roles and limits have nothing to say.
    expect(unmentioned).toEqual([
      "supersedes",
      "credential-unknown",
      "role-in-use-unknown",
      "credential-slots",
      "lifetime-over-tenant-policy",
      "emergency-one-person",
    ]);
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
