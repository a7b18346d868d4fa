import { startSimulator } from "@countersign/simulator";
import { afterEach, describe, expect, it } from "vitest";
import { clean, conformance, type Stage } from "../src/kit/conformance.ts";
import { createHttp } from "../src/kit/http.ts";
import { type Outsides, openOutsides } from "./outsides.ts";

const id = "kubernetes.patch-secret@1";
let opened: Outsides | null = null;
afterEach(async () => {
  await opened?.close();
  opened = null;
});
async function open(...options: Parameters<typeof openOutsides>) {
  opened = await openOutsides(...options);
  return opened;
}

const secretOf = ({ cluster }: Outsides, name = "entra") => {
  const found = cluster.secrets.find((item) => item.name === name);
  if (found === undefined) throw new Error("expected the Secret");
  return found;
};
const workloadOf = ({ cluster }: Outsides, name: string) => {
  const found = cluster.workloads.find((item) => item.name === name);
  if (found === undefined) throw new Error("expected the workload");
  return found;
};
const held = (tenant: Outsides) => secretOf(tenant).data["client-secret"] ?? "";

/** Somebody else changes the Secret through the API, as a service account of its own. */
async function theirs(tenant: Outsides, data: Record<string, string>) {
  const token = tenant.cluster.accounts.find(({ name }) => name === "another")?.token;
  await tenant.foreign(
    `${tenant.sim.urls.clusters.live}/api/v1/namespaces/shop/secrets/entra`,
    "PATCH",
    { authorization: `Bearer ${token}`, "content-type": "application/merge-patch+json" },
    { stringData: data },
  );
}

const restarting = { workloads: ["deployment/web", "statefulset/queue", "daemonset/agent"], restart: true };

const stage = (more: Record<string, unknown>) => async (): Promise<Stage<Record<string, unknown>>> => {
  const tenant = await openOutsides();
  return {
    verb: tenant.verb(id),
    params: { ...tenant.params.key, ...more },
    context: (attempt, direction = "do", past = []) => tenant.context({ attempt, direction, past }),
    seen: () => Promise.resolve(held(tenant)),
    neighbours() {
      const { "client-secret": _, ...others } = secretOf(tenant).data;
      const elsewhere = tenant.cluster.secrets.filter(({ name }) => name !== "entra");
      return Promise.resolve(
        JSON.stringify([others, secretOf(tenant).labels, secretOf(tenant).annotations, elsewhere]),
      );
    },
    effects: () => Promise.resolve(tenant.effects("clusterSecret.patch") + tenant.effects("workload.patch")),
    loseNextAnswer: () => void tenant.arm("clusterSecret.patch", "reset"),
    otherWriter: () => theirs(tenant, { "client-secret": "theirs" }),
    secrets: () => tenant.secrets(),
    close: () => tenant.close(),
  };
};

describe.each([
  ["one key", {}],
  ["one key and a restart of what uses it", restarting],
])("kubernetes.patch-secret@1, %s", (_what, more) => {
  it.each(conformance(stage(more)))("$name", (check) => check.run());
});

describe("kubernetes.patch-secret@1, what it must not do", () => {
  it("loses nothing of somebody who writes another key at the same moment", async () => {
    const tenant = await open();
    tenant.meanwhile("clusterSecret.patch", () => theirs(tenant, { other: "theirs", more: "also theirs" }));
    const done = await tenant.verb(id).do(tenant.context(), tenant.params.key);
    expect(secretOf(tenant).data).toEqual({
      "client-secret": tenant.value.reveal(),
      other: "theirs",
      more: "also theirs",
    });
    expect(done.facts).toMatchObject({ rounds: 2 });
  });

  it("never sends the whole map", async () => {
    const tenant = await open();
    await tenant.verb(id).do(tenant.context(), tenant.params.key);
    const ops = new Set(tenant.sim.world.effects.all().map(({ op }) => op));
    expect(ops).toContain("clusterSecret.patch");
    expect(ops).not.toContain("clusterSecret.update");
  });

  it("gives way to somebody who writes our key at the same moment", async () => {
    const tenant = await open();
    tenant.meanwhile("clusterSecret.patch", () => theirs(tenant, { "client-secret": "theirs" }));
    await expect(tenant.verb(id).do(tenant.context(), tenant.params.key)).rejects.toMatchObject({
      code: "PLAN_DRIFTED",
    });
    expect(held(tenant)).toBe("theirs");
  });

  it.each(["fixed", "owned", "chart"])(
    "does not write %s, which is immutable or kept by something else",
    async (entry) => {
      const tenant = await open();
      const params = { ...tenant.params.key, entry };
      await expect(tenant.verb(id).do(tenant.context(), params)).rejects.toMatchObject({ code: "PLAN_DRIFTED" });
      expect(tenant.effects("clusterSecret.patch")).toBe(0);
    },
  );

  it("refuses a key outside the scope before it asks for anything of the Secret's", async () => {
    const tenant = await open();
    const params = { ...tenant.params.key, key: "other" };
    await expect(tenant.verb(id).do(tenant.context(), params)).rejects.toMatchObject({ code: "SCOPE_REFUSED" });
  });

  it("names cluster and Secret by what outlives their names", async () => {
    const tenant = await open();
    const identify = () => tenant.verb(id).identify(tenant.context(), tenant.params.key);
    const before = await identify();
    secretOf(tenant).uid = "another";
    const again = await identify();
    expect(again).not.toEqual(before);
    tenant.cluster.uid = "another";
    expect(await identify()).not.toEqual(again);
  });

  it("reads its token anew for each request, and once more when it was changed in between", async () => {
    const tenant = await open();
    await tenant.verb(id).identify(tenant.context(), tenant.params.key);
    const [account] = tenant.cluster.accounts;
    if (account !== undefined) account.token = "another-token-of-the-same-account";
    await tenant.verb(id).identify(tenant.context(), tenant.params.key);
    expect(tenant.read.filter((reference) => reference === "env:account")).toHaveLength(4);
  });
});

describe("kubernetes.patch-secret@1, restart", () => {
  it("restarts only what the plan names, and only once the Secret was seen to hold the value", async () => {
    const tenant = await open();
    const params = { ...tenant.params.key, workloads: ["deployment/web"], restart: true };
    const verb = tenant.verb(id);
    const done = await verb.do(tenant.context(), params);
    const log = tenant.sim.world.effects.all().filter(({ op }) => /clusterSecret|workload/.test(op));
    const ops = log.map(({ op }) => op);
    expect(ops.indexOf("workload.patch")).toBeGreaterThan(ops.lastIndexOf("clusterSecret.get"));
    expect(ops.lastIndexOf("clusterSecret.get")).toBeGreaterThan(ops.indexOf("clusterSecret.patch"));
    expect(workloadOf(tenant, "queue").generation).toBe(1);
    expect(await verb.verify?.(tenant.context(), params, done)).toMatchObject({
      kind: "not-yet",
      facts: { rollout: "under-way" },
    });
    await tenant.clock.sleep(61_000);
    expect(await verb.verify?.(tenant.context(), params, done)).toMatchObject({
      kind: "verified",
      level: "value-matched",
    });
    expect(workloadOf(tenant, "web").next["client-secret"]).toBe(tenant.value.reveal());
  });

  it("without restart in the plan it patches no workload, and still waits for their rollouts", async () => {
    const tenant = await open();
    const params = { ...tenant.params.key, workloads: ["deployment/web"] };
    Object.assign(workloadOf(tenant, "web"), { changedMs: tenant.clock.now(), generation: 2 });
    const verb = tenant.verb(id);
    const done = await verb.do(tenant.context(), params);
    expect(tenant.effects("workload.patch")).toBe(0);
    expect(await verb.verify?.(tenant.context(), params, done)).toMatchObject({ kind: "not-yet" });
    await tenant.clock.sleep(61_000);
    expect(await verb.verify?.(tenant.context(), params, done)).toMatchObject({ kind: "verified" });
  });

  it("says that a rollout which cannot get through has failed", async () => {
    const tenant = await open();
    const params = { ...tenant.params.key, workloads: ["deployment/web"], restart: true };
    workloadOf(tenant, "web").stuck = true;
    const verb = tenant.verb(id);
    const done = await verb.do(tenant.context(), params);
    await tenant.clock.sleep(700_000);
    expect(await verb.verify?.(tenant.context(), params, done)).toEqual({
      kind: "refuted",
      code: "rollout-failed",
      facts: { workload: "deployment/web", rollout: "failed" },
    });
  });

  it("after a process died between the write and the restart, the next attempt restarts and writes nothing again", async () => {
    const tenant = await open();
    const params = { ...tenant.params.key, workloads: ["deployment/web"], restart: true };
    const verb = tenant.verb(id);
    tenant.arm("workload.patch", "403", "before-effect");
    await expect(verb.do(tenant.context(), params)).rejects.toMatchObject({ code: "OUTSIDE_FORBIDDEN" });
    expect(await verb.reconcile?.(tenant.context(), params)).toEqual({ kind: "repeat" });
    await verb.do(tenant.context({ attempt: 2 }), params);
    expect(await verb.reconcile?.(tenant.context({ attempt: 2 }), params)).toMatchObject({ kind: "done" });
    expect([tenant.effects("clusterSecret.patch"), tenant.effects("workload.patch")]).toEqual([1, 1]);
  });

  it("undo puts the value back and restarts again what was restarted", async () => {
    const tenant = await open();
    const params = { ...tenant.params.key, ...restarting };
    const done = await tenant.verb(id).do(tenant.context(), params);
    await tenant.clock.sleep(300_000);
    await tenant.verb(id).undo?.(tenant.context({ attempt: 2, direction: "undo" }), params, done);
    await tenant.clock.sleep(300_000);
    for (const name of ["web", "queue", "agent"])
      expect(workloadOf(tenant, name).next["client-secret"]).toBe(tenant.oldValue);
  });
});

describe("kubernetes.patch-secret@1, bad answers", () => {
  it.each(["malformed", "truncated", "hostile", "wrong-types"] as const)("survives a %s answer", async (kind) => {
    const tenant = await open();
    tenant.arm("clusterSecret.patch", kind, "after-effect");
    await tenant.verb(id).do(tenant.context(), tenant.params.key);
    expect(held(tenant)).toBe(tenant.value.reveal());
    expect(tenant.effects("clusterSecret.patch")).toBe(1);
  });

  it("tells no secret in an error without end", async () => {
    const tenant = await open();
    tenant.arm("clusterSecret.patch", "504", "before-effect", 99);
    const error = await tenant
      .verb(id)
      .do(tenant.context(), tenant.params.key)
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "OUTSIDE_UNKNOWN" });
    clean({ secrets: tenant.secrets }, error, String((error as Error).stack));
    expect(held(tenant)).toBe(tenant.oldValue);
  });
});

describe("a cluster's own authority", () => {
  it("is the only one that is trusted then", async () => {
    const sims = await Promise.all([
      startSimulator({ tls: true, knobs: "off" }),
      startSimulator({ tls: true, knobs: "off" }),
    ]);
    const [own, other] = sims;
    if (own === undefined || other === undefined) throw new Error("expected two tenants");
    const network = { ca: [own.caPem ?? ""], proxy: null, loopback: true, callDeadlineMs: 2_000, version: "1" };
    const https = createHttp({ ...network, caOnly: true });
    const leave = { clock: { now: () => 0, sleep: () => Promise.resolve() }, signal: new AbortController().signal };
    const { Budget } = await import("../src/kit/budget.ts");
    const call = (base: string) =>
      https.call(leave, {
        name: "x",
        method: "GET",
        url: https.endpoint(base).url("/x"),
        retry: "safe",
        effect: false,
        expect: [200, 400, 401, 404],
        answer: null,
        readError: () => ({ code: null, transient: false }),
        budget: new Budget(1),
        attemptsMax: 1,
      });
    try {
      expect((await call(own.urls.graph)).status).toBeGreaterThanOrEqual(200);
      await expect(call(other.urls.graph)).rejects.toMatchObject({
        code: "OUTSIDE_UNAVAILABLE",
        facts: { refused: true },
      });
    } finally {
      await https.close();
      await Promise.all(sims.map((sim) => sim.close()));
    }
  });
});
