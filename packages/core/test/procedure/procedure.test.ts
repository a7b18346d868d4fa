import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  freezePlan,
  goesBackTo,
  type InventoryRow,
  makePlan,
  procedureNamed,
  procedures,
  type World,
} from "../../src/index.ts";
import {
  consumersByKind,
  entraRow,
  frozenOf,
  inputOf,
  postgresRow,
  startMs,
  withDigest,
  withSecurity,
  worldOf,
} from "../plan/samples.ts";
import { casesOf } from "./cases.ts";
import { goldenOf, readGolden } from "./golden.ts";
import { proveProcedure } from "./prove.ts";

describe.each(procedures.map((procedure) => [`${procedure.name}@${procedure.major}`, procedure] as const))(
  "procedure %s",
  (id, procedure) => {
    proveProcedure(procedure, casesOf(procedure.name));

    it("makes plans that can be frozen", () => {
      for (const { input } of casesOf(procedure.name)) {
        const { settings, urgent, named } = input;
        const asked = urgent === undefined ? {} : { urgent, trigger: "compromise" };
        const by = named === undefined ? {} : { named, trigger: "event" };
        const frozen = makePlan({ ...inputOf(input.row, input.world), settings, ...asked, ...by });
        expect(freezePlan(frozen.plan).digest).toBe(frozen.digest);
      }
    });

    it("is as it was released", () => {
      const message =
        `${id} differs from test/procedure/golden/${id}.json. A released procedure may not change: plans and evidence ` +
        "name its digest. Leave it as it was and register a new major beside it; then run " +
        "`node packages/core/test/procedure/golden.ts`, which writes the new major's file.";
      expect(goldenOf(procedure), message).toBe(readGolden(procedure));
    });
  },
);

describe("the list of procedures", () => {
  it("still has every procedure that was ever released", () => {
    const files = readdirSync(new URL("golden/", import.meta.url)).sort();
    expect(procedures.map(({ name, major }) => `${name}@${major}.json`).sort()).toEqual(files);
  });

  it("holds each name and major once, the newest last", () => {
    for (const { name, major } of procedures) {
      const majors = procedures.filter((one) => one.name === name).map((one) => one.major);
      expect(majors).toEqual(majors.map((_, at) => at + 1));
      expect(procedureNamed(name).major).toBeGreaterThanOrEqual(major);
    }
  });

  it("refuses a name it does not have", () => {
    expect(() => procedureNamed("entra-certificate")).toThrow(expect.objectContaining({ code: "VERB_UNKNOWN" }));
  });
});

describe("what no plan may be made of", () => {
  const blocked = (row: InventoryRow, world: Partial<World>) => () =>
    makePlan(inputOf(row, { ...worldOf(row), ...world }));
  const refused = (reason: RegExp) =>
    expect.objectContaining({ code: "PLAN_BLOCKED", message: expect.stringMatching(reason) });
  const unknown = { id: null, by: "unproven" } as const;

  it("a secret nobody knows: a guess could retire another one", () => {
    expect(blocked(entraRow, { binding: unknown, credentials: [] })).toThrow(refused(/which of the live secrets/));
    expect(blocked(entraRow, { binding: { id: "not-there", by: "ours" } })).toThrow(
      refused(/which of the live secrets/),
    );
  });

  it("a role nobody knows: a guess could change the password in use", () => {
    expect(blocked(postgresRow, { binding: unknown })).toThrow(refused(/which of the two roles is in use/));
    expect(blocked(postgresRow, { binding: { id: "postgres", by: "ours" } })).toThrow(
      refused(/which of the two roles/),
    );
    const same = { ...postgresRow, roles: ["orders_a", "orders_a"] } as const;
    expect(blocked(same, {})).toThrow(refused(/which of the two roles/));
  });

  it("a consumer of a kind that the procedure does not update: it would be left behind at retirement", () => {
    const { rowDigest: _old, ...rest } = entraRow;
    const row = withDigest({ ...rest, consumers: [consumersByKind["connection-file"]] });
    expect(blocked(row, {})).toThrow(refused(/kind of consumer/));
  });

  it("a consumer that does not exist: there is no identity to read back", () => {
    const gone = worldOf(entraRow).consumers.map((consumer) => ({ ...consumer, exists: consumer.name !== "batch" }));
    expect(blocked(entraRow, { consumers: gone })).toThrow(refused(/consumer that exists, got none \(batch\)/));
    expect(blocked(entraRow, { consumers: [] })).toThrow(refused(/consumer that exists/));
  });

  it("a row of another procedure", () => {
    const [entra, postgres] = [procedureNamed("entra-client-secret"), procedureNamed("postgres-role-password")];
    const { settings } = inputOf(entraRow);
    expect(() => entra.plan({ row: postgresRow, world: worldOf(postgresRow), settings })).toThrow(TypeError);
    expect(() => postgres.plan({ row: entraRow, world: worldOf(entraRow), settings })).toThrow(TypeError);
  });
});

describe("a secret that a request names", () => {
  const world = worldOf(entraRow);
  const foreign = "22222222-foreign";
  const asked = { ...inputOf(entraRow, world), settings: withSecurity, trigger: "event", named: foreign };

  it("goes, and what the record held stays: a roll back goes back to that one", () => {
    const { plan } = makePlan(asked);
    expect(plan.procedure.name).toBe("entra-replace-foreign");
    expect(plan.old).toMatchObject({ id: foreign, binding: "named" });
    expect(plan.stays?.id).toBe("11111111-old");
    expect(goesBackTo(plan)?.id).toBe("11111111-old");
    const removed = plan.steps.filter(({ phase }) => phase === "retire").map(({ params }) => params.keyId);
    expect(removed).toEqual([foreign]);
  });

  it("has nothing to go back to where nobody knows what the record held", () => {
    const unproven = { id: null, by: "unproven" } as const;
    const { plan } = makePlan({ ...asked, world: { ...world, binding: unproven } });
    expect(plan.stays).toBeUndefined();
    expect(goesBackTo(plan)).toBeNull();
  });

  it("and that the record holds has no holder to look for", () => {
    const { plan } = makePlan({ ...asked, named: "11111111-old" });
    expect(plan.old.binding).toBe("hint");
    expect(plan.steps.map(({ id }) => id)).not.toContain("switch");
  });

  it("waits for an owner although it was never seen in use, and then for his word alone", () => {
    for (const uses of [null, []]) {
      const { steps } = makePlan({ ...asked, world: { ...world, uses } }).plan;
      expect(steps.find(({ id }) => id === "switched")?.params).toMatchObject({ callers: [], level: "accepted" });
    }
  });

  it("is named only where there is a procedure for it, and where it is there", () => {
    const refused = (reason: RegExp) =>
      expect.objectContaining({ code: "PLAN_BLOCKED", message: expect.stringMatching(reason) });
    expect(() => makePlan({ ...asked, named: "elsewhere" })).toThrow(refused(/the named secret among those/));
    expect(() => makePlan({ ...inputOf(postgresRow), trigger: "event", named: "orders_a" })).toThrow(
      refused(/a procedure for a named credential/),
    );
  });

  it("shows three of many addresses in the checklist, and waits for each; what is none is left out", () => {
    const uses = Array.from({ length: 30 }, (_, n) => ({ credential: foreign, address: `2001:db8::${n}`, at: n }));
    const odd = { credential: foreign, address: "\u202eevil", at: 99 };
    const { steps } = makePlan({ ...asked, world: { ...world, uses: [...uses, odd] } }).plan;
    const find = (id: string) => steps.find((step) => step.id === id)?.params;
    expect(find("switch")?.checklist).toContain(
      "It was used from 2001:db8::29, 2001:db8::28, 2001:db8::27 and 17 more",
    );
    expect(find("switched")?.callers).toHaveLength(20);
  });
});

describe("a record whose secret cannot be shown", () => {
  const [first, second] = worldOf(entraRow).credentials;
  if (first === undefined || second === undefined) throw new Error("expected two sample credentials");
  const at = (days: number | null) => (days === null ? null : startMs + days * 86_400_000);
  const oldOf = (firstDays: number | null, secondDays: number | null) => {
    const credentials = [
      { ...first, expiresAt: at(firstDays) },
      { ...second, expiresAt: at(secondDays) },
    ];
    const world = { ...worldOf(entraRow), credentials, binding: { id: null, by: "unproven" } as const };
    const { old } = makePlan(inputOf(entraRow, world)).plan;
    const turned = makePlan(inputOf(entraRow, { ...world, credentials: credentials.toReversed() })).plan;
    expect(turned.old).toEqual(old);
    expect(old.binding).toBe("unproven");
    return old.id;
  };

  it("names the live one that expires first, and says unproven; the order of the listing does not matter", () => {
    expect(oldOf(10, 20)).toBe(first.id);
    expect(oldOf(20, 10)).toBe(second.id);
    expect(oldOf(10, 10)).toBe(first.id);
  });

  it("passes over those that have expired, unless none is live", () => {
    expect(oldOf(-30, 20)).toBe(second.id);
    expect(oldOf(-30, null)).toBe(second.id);
    expect(oldOf(-10, -30)).toBe(second.id);
  });
});

describe("two roles that take turns", () => {
  it("the idle one gets the new password, whichever it is", () => {
    for (const [active, idle] of [
      ["orders_a", "orders_b"],
      ["orders_b", "orders_a"],
    ] as const) {
      const { plan } = makePlan(inputOf(postgresRow, { ...worldOf(postgresRow), binding: { id: active, by: "ours" } }));
      expect(plan.steps[0]?.params).toMatchObject({ role: idle, other: active });
      expect(plan.steps.at(-1)?.params).toMatchObject({ role: active });
      expect(plan.old.id).toBe(active);
    }
  });

  it("two runs on the same roles need the same lock, whatever their order in the inventory", () => {
    const { rowDigest: _old, ...rest } = postgresRow;
    const turned = withDigest({ ...rest, roles: ["orders_b", "orders_a"] as const });
    expect(frozenOf(turned).plan.lockKeys).toEqual(frozenOf(postgresRow).plan.lockKeys);
  });
});

describe("two applications that share a vault entry", () => {
  it("one as its record, one as a copy: need the same lock (I2)", () => {
    const { rowDigest: _old, ...rest } = entraRow;
    const record = { connection: "team-vault", name: "billing-copy" };
    const other = withDigest({ ...rest, objectId: "other-object", record, consumers: [] });
    const keys = (row: InventoryRow) => frozenOf(row).plan.lockKeys.map(({ key }) => key);
    const shared = keys(other).filter((key) => keys(entraRow).includes(key));
    expect(shared).toEqual(["entry:team-vault/billing-copy"]);
  });
});
