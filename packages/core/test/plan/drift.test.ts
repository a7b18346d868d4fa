import { digestOf } from "@countersign/evidence";
import { describe, expect, it } from "vitest";
import {
  driftOf,
  type InventoryRow,
  makePlan,
  noOwnEffects,
  type OwnEffects,
  type RuleResult,
  sameFacts,
  type World,
} from "../../src/index.ts";
import {
  consumersByKind,
  entraRow,
  frozenOf,
  inputOf,
  people,
  postgresRow,
  samples,
  withDigest,
  worldOf,
} from "./samples.ts";

interface Now {
  readonly row?: InventoryRow | null;
  readonly world?: Partial<World>;
  readonly rules?: readonly RuleResult[];
  readonly own?: Partial<OwnEffects>;
}

/** Codes of what driftOf sees when only the given things differ from the time of planning. */
function codes(now: Now, planned: InventoryRow = entraRow): string[] {
  const { plan } = frozenOf(planned);
  const row = now.row === undefined ? planned : now.row;
  const world = { ...worldOf(planned), ...now.world };
  const drift = driftOf(plan, world, row, now.rules ?? plan.rules, { ...noOwnEffects, ...now.own });
  for (const { observed, required } of drift) expect(observed).not.toBe(required);
  return drift.map(({ code }) => code);
}

const changed = (row: InventoryRow, change: object): InventoryRow => {
  const { rowDigest: _old, ...rest } = { ...row, ...change };
  return withDigest(rest as Omit<InventoryRow, "rowDigest">) as InventoryRow;
};
const { credentials, record, consumers } = worldOf(entraRow);
const [old, foreign] = credentials;
if (old === undefined || foreign === undefined) throw new Error("expected two sample credentials");
const key = (id: string) => ({ ...foreign, id });
const consumer = (change: object) => consumers.map((seen) => (seen.name === "batch" ? { ...seen, ...change } : seen));
const own = {
  credentialIds: new Set(["33333333-ours"]),
  recordVersions: new Set(["v-2"]),
  consumers: new Set<string>(),
};
const [pass, warn] = frozenOf().plan.rules;
if (pass === undefined || warn === undefined) throw new Error("expected two sample rules");

describe("an unchanged world", () => {
  it.each(samples)("is no drift for $procedure", (row) => {
    expect(codes({}, row)).toEqual([]);
  });
});

describe("drift", () => {
  const cases: [string, Now, string[]][] = [
    ["a key added by others", { world: { credentials: [...credentials, key("44444444")] } }, ["key-added"]],
    ["a foreign key removed", { world: { credentials: [old] } }, ["key-removed"]],
    ["the old key removed by others", { world: { credentials: [foreign] } }, ["key-removed"]],
    ["a key replaced", { world: { credentials: [old, key("44444444")] } }, ["key-added", "key-removed"]],
    [
      "a key added by others beside ours",
      {
        own,
        world: {
          credentials: [...credentials, key("33333333-ours"), key("44444444")],
          record: { ...record, version: "v-2" },
        },
      },
      ["key-added"],
    ],
    ["another owner", { row: changed(entraRow, { owners: [people.cyd] }) }, ["owner-changed", "row-changed"]],
    ["an owner less", { row: changed(entraRow, { owners: [people.ada] }) }, ["owner-changed", "row-changed"]],
    ["no owner", { row: changed(entraRow, { owners: [] }) }, ["owner-changed", "row-changed"]],
    [
      "another environment",
      { row: changed(entraRow, { environment: "prod" }) },
      ["environment-changed", "row-changed"],
    ],
    [
      "a consumer's target changed in the inventory",
      {
        row: changed(entraRow, {
          consumers: [
            consumersByKind.latest,
            { ...consumersByKind.pinned, path: "elsewhere.ref" },
            consumersByKind.copied,
          ],
        }),
      },
      ["row-changed"],
    ],
    [
      "a consumer more in the inventory",
      { row: changed(entraRow, { consumers: [...entraRow.consumers, { ...consumersByKind.pinned, name: "new" }] }) },
      ["row-changed"],
    ],
    [
      "another record in the inventory",
      { row: changed(entraRow, { record: { connection: "other-vault", name: "x" } }) },
      ["row-changed"],
    ],
    ["the row gone from the inventory", { row: null }, ["row-gone"]],
    [
      "a consumer's target replaced by another of that name",
      { world: { consumers: consumer({ identity: { of: "batch", inode: "4712" } }) } },
      ["consumer-target-changed"],
    ],
    ["a consumer's target gone", { world: { consumers: consumer({ exists: false }) } }, ["consumer-gone"]],
    ["a consumer not seen", { world: { consumers: consumers.slice(1) } }, ["consumer-gone"]],
    [
      "a consumer's value changed by another writer",
      { world: { consumers: consumer({ matchesRecord: false }) } },
      ["consumer-value-changed"],
    ],
    [
      "the vault value changed by another writer",
      { world: { record: { ...record, version: "v-foreign" } } },
      ["record-changed"],
    ],
    [
      "the vault value changed by another writer after ours",
      { own, world: { record: { ...record, version: "v-foreign" } } },
      ["record-changed"],
    ],
    [
      "the old vault value on top again after ours",
      { own, world: { record: { ...record, version: "v-1" } } },
      ["record-changed"],
    ],
    ["the vault value gone", { world: { record: { ...record, version: null } } }, ["record-changed"]],
    ["the vault value gone after ours", { own, world: { record: { ...record, version: null } } }, ["record-changed"]],
    [
      "the vault replaced by another of that name",
      { world: { record: { ...record, identity: { vault: "evil.vault.example", name: "billing-secret" } } } },
      ["record-replaced"],
    ],
    [
      "the application replaced by another of that name",
      { world: { target: { ...worldOf(entraRow).target, appId: "other" } } },
      ["target-replaced"],
    ],
    ["another tenant", { world: { target: { ...worldOf(entraRow).target, tenantId: "other" } } }, ["target-replaced"]],
    [
      "a rule that passed and now warns",
      { rules: [{ ...pass, result: "warn", observed: "1 hour" }, warn] },
      ["rule:overlap-floor"],
    ],
    [
      "a rule that passed and now blocks",
      { rules: [{ ...pass, result: "block", required: "at least 7 days" }, warn] },
      ["rule:overlap-floor"],
    ],
    ["a rule that warned and now blocks", { rules: [pass, { ...warn, result: "block" }] }, ["rule:identity-immutable"]],
    [
      "a rule that warns of more than the approvers read",
      { rules: [pass, warn, { ...warn, observed: "also here" }] },
      ["rule:identity-immutable", "rule:identity-immutable"],
    ],
    [
      "a new rule that blocks",
      { rules: [pass, warn, { rule: "new-rule", observed: "x", required: "y", result: "block" }] },
      ["rule:new-rule"],
    ],
  ];
  it.each(cases)("%s is seen", (_, now, expected) => {
    expect(codes(now)).toEqual(expected);
  });

  it("a restored database server with the same names is seen", () => {
    const target = { ...worldOf(postgresRow).target, systemIdentifier: "1" };
    expect(codes({ world: { target } }, postgresRow)).toEqual(["target-replaced"]);
  });

  it("everything that differs is listed, not only the first", () => {
    const now: Now = {
      row: null,
      world: { credentials: [old, key("44444444")], record: { ...record, version: "v-9" } },
    };
    expect(codes(now)).toEqual(["row-gone", "key-added", "key-removed", "record-changed"]);
  });
});

describe("an identity", () => {
  it("is the same facts, in any order, and no fact more or less", () => {
    expect(sameFacts({ a: 1, b: "x" }, { b: "x", a: 1 })).toBe(true);
    for (const other of [{ a: 1 }, { a: 1, b: "y" }, { a: 1, b: "x", c: null }, { a: "1", b: "x" }, { a: 1, c: "x" }]) {
      expect(sameFacts({ a: 1, b: "x" }, other)).toBe(false);
      expect(sameFacts(other, { a: 1, b: "x" })).toBe(false);
    }
  });
});

describe("no drift", () => {
  const ours = [...credentials, key("33333333-ours")];
  const cases: [string, Now][] = [
    ["our own new key", { own: { credentialIds: own.credentialIds }, world: { credentials: ours } }],
    ["our own record version", { own, world: { credentials: ours, record: { ...record, version: "v-2" } } }],
    [
      "consumers that wait for their update after our store",
      {
        own,
        world: {
          credentials: ours,
          record: { ...record, version: "v-2" },
          consumers: consumer({ matchesRecord: false }),
        },
      },
    ],
    [
      "a consumer that we switched",
      { own: { consumers: new Set(["batch"]) }, world: { consumers: consumer({ matchesRecord: false }) } },
    ],
    ["a consumer whose value cannot be read", { world: { consumers: consumer({ matchesRecord: null }) } }],
    ["owners in another order", { row: { ...entraRow, owners: [...entraRow.owners].reverse() } }],
    ["keys in another order", { world: { credentials: [...credentials].reverse() } }],
    ["a policy edit that leaves this plan's rules alone", { rules: [warn, pass] }],
    [
      "a policy edit that asks for more, which this plan still meets",
      { rules: [{ ...pass, required: "at least 2 days" }, warn] },
    ],
    ["a policy edit that asks for less", { rules: [pass, { ...warn, result: "pass" }] }],
    ["a rule taken out of the policy", { rules: [pass] }],
    ["an upgrade that brings a rule, which passes", { rules: [pass, warn, { ...pass, rule: "new-rule" }] }],
    ["an upgrade that brings a rule, which only warns", { rules: [pass, warn, { ...warn, rule: "new-rule" }] }],
    ["other directory owners: eligibility never comes from them", { world: { directoryOwners: ["someone"] } }],
    ["a later reading", { world: { readAt: 1 } }],
  ];
  it.each(cases)("%s", (_, now) => {
    expect(codes(now)).toEqual([]);
  });

  it("a use that was seen since and that nobody has declared: it keeps the old credential from being retired", () => {
    const { plan } = frozenOf(entraRow);
    const rule = { rule: "undeclared-use", observed: "none in sign-ins", required: "declared" };
    const asked = { ...plan, rules: [...plan.rules, { ...rule, result: "pass" as const }] };
    const now = [...plan.rules, { ...rule, observed: "192.0.2.7", result: "warn" as const }];
    expect(driftOf(asked, worldOf(entraRow), entraRow, now)).toEqual([]);
  });

  it("our new password for a role that could log in before", () => {
    const world = { record: { ...worldOf(postgresRow).record, version: "v-2" } };
    const ours = { credentialIds: new Set(["orders_b"]), recordVersions: new Set(["v-2"]) };
    expect(codes({ own: ours, world }, postgresRow)).toEqual([]);
  });

  it("a role that could not log in before and now can, by us", () => {
    const [active, idle] = worldOf(postgresRow).credentials;
    if (active === undefined || idle === undefined) throw new Error("expected two roles");
    const { plan } = makePlan(inputOf(postgresRow, { ...worldOf(postgresRow), credentials: [active] }));
    const own = { ...noOwnEffects, credentialIds: new Set([idle.id]) };
    expect(driftOf(plan, worldOf(postgresRow), postgresRow, plan.rules, own)).toEqual([]);
    expect(driftOf(plan, worldOf(postgresRow), postgresRow, plan.rules)).toHaveLength(1);
  });

  it("another policy digest alone: the plan's own rules decide", () => {
    const { plan } = frozenOf();
    const edited = { ...plan, policyDigest: digestOf("edited policy") };
    expect(driftOf(edited, worldOf(entraRow), entraRow, plan.rules)).toEqual([]);
  });
});
