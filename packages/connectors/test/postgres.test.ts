import { CountersignError, type Done, type PostgresRow, SecretValue, type VerbContext } from "@countersign/core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { clean, conformance, type Stage } from "../src/kit/conformance.ts";
import type { Records, StoredVersion } from "../src/kit/seams.ts";
import { disableRole } from "../src/postgres/disable-role.ts";
import { provePostgres } from "../src/postgres/prove.ts";
import { newPassword, scramVerifier, verifierForm } from "../src/postgres/scram.ts";
import type { Server } from "../src/postgres/server.ts";
import { setPassword } from "../src/postgres/set-password.ts";
import { postgresWorld } from "../src/postgres/world.ts";
import { type PostgresServer, startPostgres } from "./postgres-server.ts";
import { contextOf, jumpingClock, run } from "./support.ts";

let postgres: PostgresServer;
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.close());

const by = { id: "postgres", version: "0" };
const server = (): Server => ({
  connection: {
    name: "orders-db",
    environment: "dev",
    prod: false,
    host: "127.0.0.1",
    port: postgres.port,
    database: "postgres",
    user: "rotator",
    password: "env:ROTATOR",
    tls: { mode: "disable" },
    roles: ["orders_*"],
  },
  password: () => Promise.resolve(SecretValue.of("rotator-password")),
  callDeadlineMs: 5_000,
  ca: [],
});
const servers = () => server();

let latest: StoredVersion | null = null;
const records: Records = () => ({
  prod: false,
  identity: () => Promise.resolve({ name: "orders" }),
  latest: () => Promise.resolve(latest),
  version: () => (latest === null ? Promise.reject(new Error("expected a version")) : Promise.resolve(latest)),
  reference: (name, version) => `${name}/${version}`,
});
const stored = (user: string, password: string, tags: Record<string, string> = {}): StoredVersion => ({
  version: "v1",
  value: SecretValue.of(JSON.stringify({ user, password })),
  tags,
  contentType: null,
  expiresAt: null,
});

async function seed(): Promise<void> {
  await postgres.query(`
    drop role if exists orders_a; drop role if exists orders_b; drop role if exists bystander; drop role if exists rotator;
    create role rotator login createrole password 'rotator-password';
    grant pg_signal_backend, pg_read_all_stats to rotator;
    create role orders_a login password 'old-password-of-a';
    create role orders_b nologin;
    comment on role orders_b is 'owned by team orders; don''t drop';
    create role bystander login password 'bystander-password'`);
  latest = stored("orders_a", "old-password-of-a");
}
beforeEach(seed);

const create = { server: "orders-db", role: "orders_b", other: "orders_a" };
const roles = async () =>
  JSON.stringify(
    await postgres.query(
      "select rolname, rolcanlogin, shobj_description(oid,'pg_authid') as comment from pg_roles where rolname like 'orders%' order by 1",
    ),
  );

describe("a rotation between two roles of a real PostgreSQL", () => {
  it("sets, proves, retires; the password reaches no statement log, and sessions of the old role end", async () => {
    const clock = jumpingClock();
    const outcomes = new Map<string, Done>();
    let value: SecretValue | null = null;
    const ctx = (step: string) => contextOf({ clock, step, outcomes, value: () => value });

    const set = setPassword(servers, by);
    const identity = await set.identify(ctx("create"), create);
    expect(identity).toEqual({ database: "postgres", systemIdentifier: expect.stringMatching(/^\d+$/) as string });
    const done = await set.do(ctx("create"), create);
    value = done.value ?? null;
    outcomes.set("create", done);
    expect(await set.verify?.(ctx("create"), create, done)).toMatchObject({ kind: "verified" });
    const password = (JSON.parse(value?.reveal() ?? "{}") as { password: string }).password;
    expect(postgres.log()).toContain("alter role");
    clean({ secrets: () => [password] }, postgres.log(), done.objectIds, done.facts);
    expect(await roles()).toContain("owned by team orders; don't drop");

    const proof = { server: "orders-db", role: "orders_b", times: 3, spacingSeconds: 1, deadlineSeconds: 60 };
    expect((await provePostgres(servers, by).do(ctx("prove"), proof)).facts).toMatchObject({ inRow: 3 });

    outcomes.set("store", {
      objectIds: { version: "v2" },
      facts: { at: new Date(clock.now()).toISOString() },
      requestIds: [],
    });
    latest = stored("orders_b", password, { "cs-run": run, "cs-keyid": "orders_b" });
    const disable = disableRole(servers, records, by);
    const retire = {
      server: "orders-db",
      role: "orders_a",
      created: "create",
      store: "store",
      record: { connection: "main", name: "orders" },
      quietSeconds: 600,
    };
    const straggler = await postgres.session("orders_a", "old-password-of-a");
    expect(await disable.gate?.(ctx("retire"), retire)).toMatchObject({
      open: false,
      grade: "none",
      reasons: ["old-role-in-use", "quiet-too-short", "sessions-are-snapshots", "new-role-not-seen"],
    });
    await clock.sleep(700_000);
    expect(await disable.gate?.(ctx("retire"), retire)).toMatchObject({ open: false });
    await straggler.end();
    await expect.poll(async () => (await disable.gate?.(ctx("retire"), retire))?.open).toBe(true);
    expect(await disable.gate?.(ctx("retire"), retire)).toMatchObject({ grade: "weak" });

    const late = await postgres.session("orders_a", "old-password-of-a");
    const ended = new Promise((resolve) => late.once("end", resolve));
    const retired = await disable.do(ctx("retire"), retire);
    await ended;
    expect(retired.facts).toMatchObject({ canLogin: false, sessionsEnded: 1 });
    await expect.poll(async () => (await disable.verify?.(ctx("retire"), retire, retired))?.kind).toBe("verified");
    await expect(postgres.query("select 1", "orders_a", "old-password-of-a")).rejects.toMatchObject({ code: "28000" });
    expect(await disable.reconcile?.(ctx("retire"), retire)).toMatchObject({ kind: "done" });
    expect((await disable.do(ctx("retire"), retire)).facts).toMatchObject({ sessionsEnded: 0 });
  });

  it("refuses when the idle role turns out to be in use", async () => {
    await postgres.query("alter role orders_b login password 'handmade'");
    const session = await postgres.session("orders_b", "handmade");
    const before = await roles();
    await expect(setPassword(servers, by).do(contextOf({ clock: jumpingClock() }), create)).rejects.toMatchObject({
      code: "PLAN_DRIFTED",
    });
    expect(await roles()).toBe(before);
    await session.end();
  });

  it("refuses roles outside the connection's scope and the role in use", async () => {
    const set = setPassword(servers, by);
    const ctx = contextOf({ clock: jumpingClock() });
    await expect(set.do(ctx, { ...create, role: "bystander" })).rejects.toMatchObject({ code: "SCOPE_REFUSED" });
    await expect(set.do(ctx, { ...create, role: "orders_a" })).rejects.toMatchObject({ code: "PLAN_DRIFTED" });
    expect(set.params.safeParse({ ...create, role: 'orders_b"; drop role x; --' }).success).toBe(false);
  });

  it("changes nothing when the lease is lost before COMMIT, and is unknown when COMMIT goes unanswered", async () => {
    const before = await roles();
    const set = setPassword(servers, by);
    const clock = jumpingClock();
    let alive = 3;
    const stale = contextOf({
      clock,
      assertAlive: () => {
        alive -= 1;
        if (alive < 2) throw new CountersignError("LEASE_LOST", "expected a fresh lease, got none");
      },
    });
    await expect(set.do(stale, create)).rejects.toBeInstanceOf(CountersignError);
    expect(await roles()).toBe(before);
    const killed = contextOf({
      clock,
      effectSent: async () => {
        await postgres.query("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'rotator'");
      },
    });
    await expect(set.do(killed, create)).rejects.toMatchObject({ code: "OUTSIDE_UNKNOWN" });
    expect(await set.reconcile?.(killed, create)).toMatchObject({ kind: "not-done", facts: { landed: false } });
    expect(await roles()).toBe(before);
  });

  it("a login proves nothing where the server asks for no password", async () => {
    const hba = await postgres.hbaText();
    const value = SecretValue.of(JSON.stringify({ user: "orders_a", password: "any" }));
    const proof = { server: "orders-db", role: "orders_a", times: 1, spacingSeconds: 0, deadlineSeconds: 5 };
    const ctx = contextOf({ clock: jumpingClock(), value: () => value });
    await expect(provePostgres(servers, by).do(ctx, proof)).rejects.toMatchObject({
      code: "CREDENTIAL_REFUSED",
      facts: { code: "28P01" },
    });
    await postgres.hba(`host all orders_a 127.0.0.1/32 trust\n${hba}`);
    await expect
      .poll(() =>
        provePostgres(servers, by)
          .do(ctx, proof)
          .catch((error: { facts: { code: string } }) => error.facts.code),
      )
      .toBe("password-not-asked");
    await postgres.hba(hba);
    await expect
      .poll(() =>
        provePostgres(servers, by)
          .do(ctx, proof)
          .catch((error: { facts: { code: string } }) => error.facts.code),
      )
      .toBe("28P01");
  });

  it("shows the planner which role the record names and whether it logs in", async () => {
    const row: PostgresRow = {
      procedure: "postgres-role-password",
      name: "orders",
      environment: "dev",
      owners: [],
      rowDigest: "",
      tenant: "contoso",
      connection: "orders-db",
      roles: ["orders_a", "orders_b"],
      record: { connection: "main", name: "orders" },
      consumers: [],
    };
    const reader = postgresWorld({ servers, records, targets: () => Promise.reject(new Error("no consumers")) });
    const ctx = { clock: jumpingClock(), signal: new AbortController().signal };
    expect(await reader.read(ctx, row, () => false)).toMatchObject({
      binding: { id: "orders_a", by: "hint" },
      recordSignsIn: true,
      credentials: [{ id: "orders_a", kind: "role", marker: null }],
      record: { version: "v1", readable: true },
    });
    latest = stored("orders_a", "stale");
    expect((await reader.read(ctx, row, () => false)).recordSignsIn).toBe(false);
    latest = stored("stranger", "x");
    expect(await reader.read(ctx, row, () => false)).toMatchObject({
      binding: { id: null, by: "unproven" },
      recordSignsIn: false,
    });
    latest = null;
    expect(await reader.read(ctx, row, () => false)).toMatchObject({
      recordSignsIn: null,
      record: { version: null, readable: false },
    });
  });
});

describe("postgres.set-password@1", () => {
  const open = async (): Promise<Stage<typeof create>> => {
    const clock = jumpingClock();
    let effects = 0;
    return {
      verb: setPassword(servers, by),
      params: create,
      context: (attempt, direction: VerbContext["direction"] = "do", past = []) =>
        contextOf({ clock, attempt, direction, past, effectSent: () => Promise.resolve(void (effects += 1)) }),
      seen: async () =>
        JSON.stringify(
          await postgres.query("select rolname, rolcanlogin from pg_roles where rolname like 'orders%' order by 1"),
        ),
      neighbours: async () =>
        JSON.stringify(
          await postgres.query(
            "select rolname, rolpassword, rolcanlogin from pg_authid where rolname in ('bystander','orders_a','postgres') order by 1",
          ),
        ),
      effects: () => Promise.resolve(effects),
      secrets: () => ["rotator-password", "old-password-of-a"],
      close: () => Promise.resolve(),
    };
  };
  const lacks = {
    twice: "setting a password again is a new password: the executor never repeats an attempt, it reconciles",
    otherWriter: "the role belongs to the run: a session in it is what shows another user, and that is refused",
    lostAnswer: "a lost answer to COMMIT is shown above with the session ended under it",
  };
  it.each(conformance(open, lacks))("$name", (check) => check.run());
});

describe("postgres.disable-role@1", () => {
  const params = {
    server: "orders-db",
    role: "orders_a",
    created: "create",
    store: "store",
    record: { connection: "main", name: "orders" },
    quietSeconds: 0,
  };
  const open = async (): Promise<Stage<typeof params>> => {
    const clock = jumpingClock();
    let effects = 0;
    await postgres.query("alter role orders_b login password 'new-password-of-b'");
    await postgres.query(`comment on role orders_b is 'cs:${run}:1:${"b".repeat(32)}'`);
    const outcomes = new Map<string, Done>([
      ["create", { objectIds: { role: "orders_b" }, facts: {}, requestIds: [] }],
      ["store", { objectIds: { version: "v2" }, facts: {}, requestIds: [] }],
    ]);
    return {
      verb: disableRole(servers, records, by),
      params,
      context: (attempt, direction: VerbContext["direction"] = "do", past = []) =>
        contextOf({
          clock,
          attempt,
          direction,
          past,
          outcomes,
          effectSent: () => Promise.resolve(void (effects += 1)),
        }),
      seen: async () =>
        JSON.stringify(await postgres.query("select rolcanlogin from pg_roles where rolname = 'orders_a'")),
      neighbours: async () =>
        JSON.stringify(
          await postgres.query(
            "select rolname, rolpassword, rolcanlogin from pg_authid where rolname in ('bystander','orders_b','postgres') order by 1",
          ),
        ),
      effects: () => Promise.resolve(effects),
      secrets: () => ["rotator-password", "old-password-of-a", "new-password-of-b"],
      close: () => Promise.resolve(),
    };
  };
  const lacks = {
    undo: "sessions that are ended are ended; the role itself gets its next password in the next rotation",
    otherWriter: "the role is named by the plan, and that it cannot log in is all that is written",
    lostAnswer: "a lost answer to COMMIT is shown above with the session ended under it",
  };
  it.each(conformance(open, lacks))("$name", (check) => check.run());

  it("says that it may stand once COMMIT leaves: that the sessions could not be ended afterwards undoes nothing", async () => {
    const stage = await open();
    const session = await postgres.session("orders_a", "old-password-of-a");
    let stands = false;
    const ctx = { ...stage.context(1), effectMayStand: () => void (stands = true) };
    const lost = () => Promise.reject(new CountersignError("LEASE_LOST", "expected a fresh lease, got none"));
    await expect(stage.verb.do({ ...ctx, effectSent: lost }, params)).rejects.toMatchObject({ code: "LEASE_LOST" });
    expect(stands).toBe(false);
    const refuse = async () => void (await postgres.query("revoke pg_signal_backend from rotator"));
    await expect(stage.verb.do({ ...ctx, effectSent: refuse }, params)).rejects.toMatchObject({
      code: "OUTSIDE_FORBIDDEN",
    });
    expect(stands).toBe(true);
    expect(await stage.verb.reconcile?.(ctx, params)).toMatchObject({
      kind: "not-done",
      facts: { canLogin: false, sessions: 1 },
    });
    await postgres.query("grant pg_signal_backend to rotator");
    const ended = new Promise((resolve) => session.once("end", resolve));
    expect((await stage.verb.do(ctx, params)).facts).toMatchObject({ canLogin: false, sessionsEnded: 1 });
    await ended;
  });
});

describe("SCRAM-SHA-256", () => {
  it("gives the verifier of the RFC 7677 example", async () => {
    const verifier = await scramVerifier("pencil", Buffer.from("W22ZaJ0SNY7soEsUEjb6gQ==", "base64"));
    expect(verifier).toBe(
      "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
    );
  });
  it("makes passwords of 40 letters and digits, never the same", async () => {
    const made = new Set(Array.from({ length: 200 }, newPassword));
    expect(made.size).toBe(200);
    for (const password of made) expect(password).toMatch(/^[A-Za-z0-9]{40}$/);
    expect(await scramVerifier([...made][0] ?? "")).toMatch(verifierForm);
  });
});
