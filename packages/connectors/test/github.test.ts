import { afterEach, describe, expect, it } from "vitest";
import { clean, conformance, type Stage } from "../src/kit/conformance.ts";
import { connectionKinds } from "../src/settings.ts";
import { type Outsides, openOutsides } from "./outsides.ts";

const id = "github.put-secret@1";
let opened: Outsides | null = null;
afterEach(async () => {
  await opened?.close();
  opened = null;
});
async function open(...options: Parameters<typeof openOutsides>) {
  opened = await openOutsides(...options);
  return opened;
}

type Kind = "repository" | "environment" | "organization";
const holderOf = ({ host }: Outsides, kind: Kind) => {
  const [repository] = host.repositories;
  const holder =
    kind === "organization" ? host.organizations[0] : kind === "repository" ? repository : repository?.environments[0];
  if (holder === undefined) throw new Error("expected the holder");
  return holder;
};
const entryOf = (kind: Kind) => (kind === "organization" ? "SHARED" : "CLIENT_SECRET");
const valueOf = (tenant: Outsides, kind: Kind) => holderOf(tenant, kind).secrets[entryOf(kind)]?.value ?? "";

/** Somebody else writes the secret, as the product cannot: into the double, two seconds later. */
async function theirs(tenant: Outsides, kind: Kind) {
  await tenant.clock.sleep(2_000);
  const held = holderOf(tenant, kind).secrets[entryOf(kind)];
  if (held === undefined) throw new Error("expected the secret");
  Object.assign(held, { value: "theirs", updatedMs: tenant.clock.now() });
}

const stage = (kind: Kind) => async (): Promise<Stage<Record<string, unknown>>> => {
  const tenant = await openOutsides();
  const { sim, clock } = tenant;
  return {
    verb: tenant.verb(id),
    params: tenant.params[kind],
    context: (attempt, direction = "do", past = []) => {
      // Attempts are seconds apart: times of writes are told in whole seconds.
      sim.world.clock.moveTo(clock.now() + 2_000);
      return tenant.context({ attempt, direction, past });
    },
    seen: () => Promise.resolve(valueOf(tenant, kind)),
    neighbours() {
      const { updatedMs: _, value: __, ...shared } = holderOf(tenant, kind).secrets[entryOf(kind)] ?? {};
      const { [entryOf(kind)]: ___, ...others } = holderOf(tenant, kind).secrets;
      const elsewhere = tenant.host.repositories.slice(1).map(({ secrets }) => secrets);
      return Promise.resolve(JSON.stringify([shared, others, elsewhere]));
    },
    effects: () => Promise.resolve(tenant.effects("actionsSecret.put")),
    loseNextAnswer: () => void tenant.arm("actionsSecret.put", "reset"),
    otherWriter: () => theirs(tenant, kind),
    secrets: () => tenant.secrets(),
    close: () => tenant.close(),
  };
};

describe.each(["repository", "environment", "organization"] as const)("github.put-secret@1, secret of a %s", (kind) => {
  it.each(
    conformance(stage(kind), {
      twice: "a secret can never be read: an attempt that is made again writes the same value again",
    }),
  )("$name", (check) => check.run());
});

describe("github.put-secret@1, what it must not do", () => {
  it("seals the value for the key of that place, fetched for each write: the double opens it", async () => {
    const tenant = await open();
    for (const kind of ["repository", "environment", "organization"] as const) {
      await tenant.verb(id).do(tenant.context(), tenant.params[kind]);
      expect(valueOf(tenant, kind)).toBe(tenant.value.reveal());
    }
    const keys = tenant.sim.world.effects.all().filter(({ op }) => op === "actionsSecret.publicKey");
    expect(keys).toHaveLength(3);
  });

  it("takes the new key when it was changed between the two requests", async () => {
    const tenant = await open();
    tenant.meanwhile("actionsSecret.put", async () => {
      holderOf(tenant, "repository").box = null;
    });
    await tenant.verb(id).do(tenant.context(), tenant.params.repository);
    expect(valueOf(tenant, "repository")).toBe(tenant.value.reveal());
  });

  it("keeps who may use an organization's secret, however many repositories that are", async () => {
    const tenant = await open();
    const secret = holderOf(tenant, "organization").secrets.SHARED;
    for (let n = 0; n < 150; n += 1) {
      const id_ = 5_000 + n;
      tenant.host.repositories.push({
        id: id_,
        owner: "acme",
        name: `r${n}`,
        private: true,
        secrets: {},
        environments: [],
        box: null,
      });
      secret?.selected.push(id_);
    }
    const before = [...(secret?.selected ?? [])].sort((a, b) => a - b);
    const done = await tenant.verb(id).do(tenant.context(), tenant.params.organization);
    const after = holderOf(tenant, "organization").secrets.SHARED;
    expect(after?.visibility).toBe("selected");
    expect([...(after?.selected ?? [])].sort((a, b) => a - b)).toEqual(before);
    expect(done.facts).toMatchObject({ visibility: "selected", selected: 152 });
  });

  it("notices that who may use it was changed meanwhile", async () => {
    const tenant = await open();
    const verb = tenant.verb(id);
    const done = await verb.do(tenant.context(), tenant.params.organization);
    const secret = holderOf(tenant, "organization").secrets.SHARED;
    secret?.selected.pop();
    expect(await verb.verify?.(tenant.context(), tenant.params.organization, done)).toMatchObject({
      kind: "refuted",
      code: "foreign-change-overwritten",
    });
  });

  it("encodes the environment's name: a slash in it stays in it", async () => {
    const tenant = await open();
    await tenant.verb(id).do(tenant.context(), tenant.params.environment);
    expect(valueOf(tenant, "environment")).toBe(tenant.value.reveal());
    expect(valueOf(tenant, "repository")).toBe(tenant.oldValue);
  });

  it("asks for tokens that are for one place and one permission, and keeps them until they end", async () => {
    const tenant = await open();
    await tenant.verb(id).do(tenant.context(), tenant.params.repository);
    await tenant.verb(id).do(tenant.context(), tenant.params.environment);
    const issued = () => tenant.host.tokens.filter(({ expiresMs }) => expiresMs !== null);
    expect(issued().map(({ permissions, repositories }) => ({ permissions, repositories }))).toEqual([
      { permissions: { metadata: "read", secrets: "write" }, repositories: ["acme/shop"] },
      { permissions: { metadata: "read", environments: "write" }, repositories: ["acme/shop"] },
    ]);
    await tenant.clock.sleep(3_600_000);
    await tenant.verb(id).identify(tenant.context(), tenant.params.repository);
    expect(issued()).toHaveLength(3);
  });

  it("does with a fine-grained token what it does as an app", async () => {
    const tenant = await open({ pat: "token-of-another-person" });
    await tenant.verb(id).do(tenant.context(), tenant.params.repository);
    expect(valueOf(tenant, "repository")).toBe(tenant.value.reveal());
  });

  it("says forbidden where it may only read, and writes nothing", async () => {
    const tenant = await open({ pat: "token-that-may-read-only" });
    await expect(tenant.verb(id).do(tenant.context(), tenant.params.repository)).rejects.toMatchObject({
      code: "OUTSIDE_FORBIDDEN",
    });
    expect(tenant.effects("actionsSecret.put")).toBe(0);
  });

  it("is told 404 for what it may not see as for what is not there", async () => {
    const tenant = await open({ pat: "token-that-may-read-only" });
    for (const params of [{ ...tenant.params.repository, entry: "NOT_THERE" }, tenant.params.environment])
      await expect(tenant.verb(id).do(tenant.context(), params)).rejects.toMatchObject({ code: "OUTSIDE_NOT_FOUND" });
  });

  it("names a repository by its number: another one of that name is another one", async () => {
    const tenant = await open();
    const before = await tenant.verb(id).identify(tenant.context(), tenant.params.repository);
    const [repository] = tenant.host.repositories;
    if (repository !== undefined) repository.id += 1;
    expect(await tenant.verb(id).identify(tenant.context(), tenant.params.repository)).not.toEqual(before);
  });

  it.each([
    ["a repository outside the scope", { repository: "acme/elsewhere" }],
    ["an organization's secret outside the scope", { repository: undefined, organization: "acme", entry: "THEIRS" }],
  ])("refuses %s and asks GitHub nothing", async (_what, over) => {
    const tenant = await open();
    await expect(tenant.verb(id).do(tenant.context(), { ...tenant.params.repository, ...over })).rejects.toMatchObject({
      code: "SCOPE_REFUSED",
    });
    expect(tenant.sim.world.effects.all().filter(({ op }) => op.startsWith("actionsSecret"))).toEqual([]);
  });

  it("does not overwrite what was written after its own attempt was cut off before it did anything", async () => {
    const tenant = await open();
    const intentAt = tenant.clock.now() + 60_000;
    await theirs(tenant, "repository");
    const cutOff = {
      attempt: 1,
      nonce: "",
      direction: "do",
      intent: {},
      outcome: "failed",
      objectIds: {},
      facts: { reconciled: "repeat" },
      intentAt,
    } as const;
    await tenant.clock.sleep(120_000);
    await expect(
      tenant.verb(id).do(tenant.context({ attempt: 2, past: [cutOff] }), tenant.params.repository),
    ).rejects.toMatchObject({ code: "PLAN_DRIFTED" });
  });

  it("goes on after an attempt whose answer was lost: the last write may be its own", async () => {
    const tenant = await open();
    const intentAt = tenant.clock.now();
    await tenant.clock.sleep(2_000);
    await tenant.verb(id).do(tenant.context(), tenant.params.repository);
    const cutOff = {
      attempt: 1,
      nonce: "",
      direction: "do",
      intent: {},
      outcome: "failed",
      objectIds: {},
      facts: { reconciled: "repeat" },
      intentAt,
    } as const;
    await tenant.verb(id).do(tenant.context({ attempt: 2, past: [cutOff] }), tenant.params.repository);
    expect(tenant.effects("actionsSecret.put")).toBe(2);
  });
});

describe("github.put-secret@1, limits", () => {
  it.each([
    ["403 with retry-after", "403", 90, 90_000],
    ["429 with retry-after", "429", 45, 45_000],
    ["429 without", "429", null, 60_000],
  ] as const)("waits as %s says, and then writes once", async (_what, kind, seconds, passed) => {
    const tenant = await open();
    await tenant.verb(id).identify(tenant.context(), tenant.params.repository);
    tenant.sim.world.rules.arm({
      op: "actionsSecret.put",
      nth: 1,
      times: 1,
      match: {},
      action: { type: "fault", position: "before-effect", kind, retryAfterSeconds: seconds, delayMs: 0 },
    });
    const before = tenant.clock.now();
    await tenant.verb(id).do(tenant.context(), tenant.params.repository);
    expect(tenant.clock.now() - before).toBeGreaterThanOrEqual(passed);
    expect(tenant.effects("actionsSecret.put")).toBe(1);
  });

  it("waits for the hour's end when its requests are spent, as far as that is soon", async () => {
    const tenant = await open();
    await tenant.clock.sleep(3_600_000 - (tenant.clock.now() % 3_600_000) - 120_000);
    tenant.host.requestsPerHourMax = 1;
    const hour = Math.floor(tenant.clock.now() / 3_600_000);
    await tenant.verb(id).identify(tenant.context(), tenant.params.repository);
    tenant.host.requestsPerHourMax = 1;
    const clientId = tenant.host.apps[0]?.clientId ?? "";
    tenant.host.spent[clientId] = { hour, requests: 1 };
    await tenant.verb(id).identify(tenant.context(), tenant.params.repository);
    expect(Math.floor(tenant.clock.now() / 3_600_000)).toBe(hour + 1);
  });

  it("gives back a wait that is too long instead of holding the run in memory", async () => {
    const tenant = await open();
    await tenant.clock.sleep(3_600_000 - (tenant.clock.now() % 3_600_000) + 1_000);
    tenant.host.requestsPerHourMax = 1;
    const hour = Math.floor(tenant.clock.now() / 3_600_000);
    tenant.host.spent[tenant.host.apps[0]?.clientId ?? ""] = { hour, requests: 1 };
    await expect(tenant.verb(id).identify(tenant.context(), tenant.params.repository)).rejects.toMatchObject({
      code: "OUTSIDE_RATE_LIMITED",
    });
  });
});

describe("github.put-secret@1, bad answers", () => {
  it.each(["wrong-types", "hostile", "malformed", "oversized"] as const)(
    "a %s key is no key: nothing is written",
    async (kind) => {
      const tenant = await open();
      tenant.arm("actionsSecret.publicKey", kind, "after-effect", 9);
      const error = await tenant
        .verb(id)
        .do(tenant.context(), tenant.params.repository)
        .catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code: "OUTSIDE_MALFORMED" });
      clean({ secrets: tenant.secrets }, error);
      expect(tenant.effects("actionsSecret.put")).toBe(0);
    },
  );

  it("an error without end is unknown, and no secret stands in it", async () => {
    const tenant = await open();
    tenant.arm("actionsSecret.put", "504", "after-effect", 99);
    const error = await tenant
      .verb(id)
      .do(tenant.context(), tenant.params.repository)
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "OUTSIDE_UNKNOWN" });
    clean({ secrets: tenant.secrets }, error, String((error as Error).stack));
  });
});

describe("a github connection", () => {
  const schema = connectionKinds.get("github");
  const base = { name: "hub", environment: "dev", prod: false, url: "https://api.github.com", names: ["acme/*/*"] };
  it.each([
    ["neither app nor token", {}],
    ["both", { token: "env:T", app: { clientId: "Iv23abc", installation: 1, key: "env:K" } }],
    ["an inline secret", { token: "ghp_abc" }],
    ["no names", { token: "env:T", names: [] }],
  ])("with %s is refused", (_what, over) => {
    expect(schema?.safeParse({ ...base, ...over }).success).toBe(false);
  });
  it("with one of the two is read", () => expect(schema?.safeParse({ ...base, token: "env:T" }).success).toBe(true));
});
