import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serverPrograms, startServer, type TestServer } from "./postgres-server.ts";
import { startTenant, type TestTenant } from "./tenant.ts";

describe("the PostgreSQL proxy in front of a real server", () => {
  let server: TestServer;
  let tenant: TestTenant;
  const file = join(mkdtempSync(join(tmpdir(), "simulator-")), "connection.json");

  beforeAll(async () => {
    server = await startServer(serverPrograms());
    await server.query("create role app_a login password 'first-password'");
    await server.query("create role app_b login password 'second-password'");
    await server.query("create table public.things (id int)");
    writeFileSync(file, JSON.stringify({ username: "app_a", password: "first-password", database: "postgres" }));
    tenant = await startTenant({
      scenario: {
        vaults: [{ name: "prod" }],
        vaultEntries: [
          {
            vault: "prod",
            secret: "orders",
            value: JSON.stringify({ username: "app_b", password: "second-password" }),
          },
        ],
        postgres: [{ name: "orders", port: server.port }],
        workloads: [
          { name: "by-file", kind: "postgres-file", postgres: "orders", file, intervalSeconds: 600 },
          {
            name: "by-vault",
            kind: "postgres-vault",
            postgres: "orders",
            vault: "prod",
            secret: "orders",
            intervalSeconds: 600,
          },
        ],
      },
    });
  });

  afterAll(async () => {
    await tenant.close();
    await server.stop();
  });

  const connect = async (): Promise<pg.Client> => {
    const port = tenant.simulator.world.tenant.postgres[0]?.listenPort ?? 0;
    const client = new pg.Client({ host: "127.0.0.1", port, ...server.superuser, database: "postgres" });
    client.on("error", () => undefined);
    await client.connect();
    return client;
  };
  const queries = async (): Promise<{ target: { text: string }; effect: boolean; status: string }[]> =>
    (await tenant.manage("GET", "/effects?op=postgres.query&origin=outside&limit=10000")).body.entries;

  test("logs statements and keeps passwords and verifiers out of the log", async () => {
    const client = await connect();
    await client.query("alter role app_b password 'third-secret'");
    await client.query(
      "alter role app_b password 'SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2FsdA==$c3RvcmVkc3RvcmVkc3RvcmVkc3RvcmVkc3RvcmVkMTI=:c2VydmVyc2VydmVyc2VydmVyc2VydmVyc2VydmVyMTI='",
    );
    await client.query("select $1::int as n", [4]);
    await client.query("alter role app_b password 'second-password'");
    await client.end();
    const text = JSON.stringify(await queries());
    expect(text).toContain("alter role app_b password '***'");
    expect(text).toContain("select $1::int as n");
    expect(text).not.toMatch(/third-secret|c2FsdHNh|second-password/);
    expect((await queries()).map((entry) => entry.effect)).toEqual([true, true, false, true]);
  });

  test("counts a refused sign-in with its SQLSTATE and role", async () => {
    const port = tenant.simulator.world.tenant.postgres[0]?.listenPort ?? 0;
    const client = new pg.Client({ host: "127.0.0.1", port, user: "app_a", password: "wrong", database: "postgres" });
    await expect(client.connect()).rejects.toThrow(/password authentication failed/);
    const { entries } = (await tenant.manage("GET", "/effects?op=postgres.connect&caller=app_a&origin=outside")).body;
    expect(entries).toMatchObject([{ effect: false, code: "28P01", target: { role: "app_a" } }]);
  });

  test("a statement dropped before it is forwarded does nothing; one reset after it is done stays done", async () => {
    const count = async (): Promise<number> =>
      Number((await server.query("select count(*) from things")).rows[0].count);
    await tenant.manage("POST", "/faults", { op: "postgres.query", kind: "reset", match: { text: "insert" } });
    let client = await connect();
    await expect(client.query("insert into things values (1)")).rejects.toThrow(/terminated|reset|ECONNRESET/);
    expect(await count()).toBe(0);
    await tenant.manage("POST", "/faults", {
      op: "postgres.query",
      kind: "reset",
      position: "after-effect",
      match: { text: "insert" },
    });
    client = await connect();
    await expect(client.query("insert into things values (1)")).rejects.toThrow(/terminated|reset|ECONNRESET/);
    expect(await count()).toBe(1);
  });

  test("a held statement of a client that has died lands when it is released", async () => {
    await tenant.manage("POST", "/holds", { op: "postgres.query", position: "after-send", match: { text: "delete" } });
    const held = new Promise<{ id: string }>((resolve) => {
      const stop = tenant.simulator.world.events.subscribe((event) => {
        stop();
        resolve(event.data as { id: string });
      });
    });
    const client = await connect();
    const lost = client.query("delete from things").catch(() => "lost");
    const { id } = await held;
    (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
    expect(await lost).toBe("lost");
    expect((await server.query("select count(*) from things")).rows[0].count).toBe("1");
    await tenant.manage("POST", `/holds/${id}/release`);
    await expect
      .poll(async () => (await server.query("select count(*) from things")).rows[0].count, { timeout: 5000 })
      .toBe("0");
  });

  test("a role whose password nobody holds is an orphan a minute later, unless it may not log in", async () => {
    const salt = randomBytes(16);
    const verifier = (password: string): string => {
      const salted = pbkdf2Sync(password, salt, 4096, 32, "sha256");
      const part = (name: string) => createHmac("sha256", salted).update(name).digest();
      const stored = createHash("sha256").update(part("Client Key")).digest("base64");
      return `SCRAM-SHA-256$4096:${salt.toString("base64")}$${stored}:${part("Server Key").toString("base64")}`;
    };
    const orphans = async () => {
      await tenant.manage("POST", "/clock/advance", { by: 61 });
      return (await tenant.manage("GET", "/figures")).body.postgres[0].orphans.map(
        (item: { role: string }) => item.role,
      );
    };
    const client = await connect();
    await client.query(`alter role app_b password '${verifier("second-password")}'`);
    expect(await orphans()).toEqual([]);
    await client.query("begin");
    await client.query(`alter role "app_a" password '${verifier("lost")}'`);
    await client.query("rollback");
    expect(await orphans()).toEqual([]);
    await client.query("create role app_c nologin");
    await client.query(`alter role app_c login password '${verifier("lost")}'`);
    expect(await orphans()).toEqual(["app_c"]);
    await client.query("alter role app_c nologin");
    expect(await orphans()).toEqual([]);
    await client.end();
  });

  test("hosted workloads reconnect all the time with what their file or vault entry holds", async () => {
    const since = (await tenant.manage("GET", "/effects?limit=10000")).body.next;
    const started = performance.now();
    const advanced = (await tenant.manage("POST", "/clock/advance", { by: "P1D" })).body;
    process.stdout.write(`${advanced.events} real connections in ${Math.round(performance.now() - started)} ms\n`);
    expect(advanced.events).toBe(288);
    const read = async (name: string) =>
      (await tenant.manage("GET", `/effects?op=postgres.connect&workload=${name}&limit=10000&after=${since}`)).body
        .entries;
    expect((await read("by-file")).length).toBe(144);
    expect(
      (await read("by-file")).every(
        (entry: { effect: boolean; caller: string }) => entry.effect && entry.caller === "app_a",
      ),
    ).toBe(true);
    expect(
      (await read("by-vault")).every(
        (entry: { effect: boolean; caller: string }) => entry.effect && entry.caller === "app_b",
      ),
    ).toBe(true);
    await server.query("alter role app_a nologin");
    await tenant.manage("POST", "/clock/advance", { by: 3600 });
    expect((await read("by-file")).at(-1)).toMatchObject({ effect: false, code: "28000" });
  });
});
