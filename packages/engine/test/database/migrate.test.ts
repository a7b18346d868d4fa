import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formatDatabaseUrl, openClient, parseDatabaseUrl, roles } from "../../src/database/connect.ts";
import { migrate } from "../../src/database/migrate.ts";
import { databaseKey } from "../../src/database/passwords.ts";
import { derivedConnections, embeddedAdmin, ownLogin, prepareUsers } from "../../src/database/users.ts";
import { startServer } from "../store/harness.ts";

const module = fileURLToPath(new URL("../../src/database/migrate.ts", import.meta.url));
let server: Awaited<ReturnType<typeof startServer>>;

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.end());

describe("migration", () => {
  it("by several processes at once applies each file once", async () => {
    const { cs_migrator } = await server.database({ migrated: false });
    const script = `import { migrate } from ${JSON.stringify(module)}; console.log(await migrate(${JSON.stringify(cs_migrator)}))`;
    const counts = await Promise.all(
      Array.from({ length: 3 }, async () => {
        const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
          stdio: ["ignore", "pipe", "inherit"],
        });
        let output = "";
        child.stdout.setEncoding("utf8").on("data", (text: string) => {
          output += text;
        });
        await once(child, "close");
        return Number(output);
      }),
    );
    expect(counts.filter((count) => count > 0)).toHaveLength(1);
    expect(await migrate(cs_migrator)).toBe(0);
  });

  it("refuses a schema whose applied files differ from this build's, or that is newer", async () => {
    const { cs_migrator } = await server.database();
    const client = await openClient(cs_migrator, "test");
    await client.query("update cs.migration set digest = 'x' where version = 2");
    await expect(migrate(cs_migrator)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    await client.query("delete from cs.migration");
    await client.query("insert into cs.migration select n, n || '-x.sql', 'x', now() from generate_series(1, 99) n");
    await expect(migrate(cs_migrator)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    await client.end();
  });

  it("leaves no trace of a file that fails half-way", async () => {
    const { cs_migrator } = await server.database({ migrated: false });
    const client = await openClient(cs_migrator, "test");
    await client.query("create schema cs");
    await client.query("create table cs.notice (unexpected int)");
    await expect(migrate(cs_migrator)).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
    const { rows } = await client.query("select version from cs.migration order by version");
    expect(rows).toEqual([{ version: 1 }]);
    await client.query("drop table cs.notice");
    expect(await migrate(cs_migrator)).toBeGreaterThan(0);
    await client.end();
  });
});

describe("logins", () => {
  it("may be prepared by several processes at once and again at every start", async () => {
    const admin = await embeddedAdmin(server.embedded, "users");
    const key = await databaseKey(server.state);
    const [connections] = await Promise.all(Array.from({ length: 4 }, () => prepareUsers(admin, key)));
    expect(derivedConnections(admin.address, key)).toEqual(connections);
    for (const role of roles) {
      const client = await openClient(connections?.[role] ?? admin, "test");
      expect((await client.query("select session_user::text as who")).rows).toEqual([{ who: role }]);
      await client.end();
    }
  });

  it("never get their password in a statement", async () => {
    const admin = await embeddedAdmin(server.embedded, "users");
    const client = await openClient(admin, "test");
    const { rows } = await client.query<{ rolpassword: string }>(
      "select rolpassword from pg_authid where rolname like 'cs\\_%' and rolcanlogin",
    );
    expect(rows).toHaveLength(roles.length);
    for (const row of rows) expect(row.rolpassword).toMatch(/^SCRAM-SHA-256\$4096:/);
    await client.end();
  });

  it("given as a URL must be the role's own", () => {
    const url = (user: string) => `postgres://${user}:x@127.0.0.1/cs`;
    expect(ownLogin(url("cs_api"), "cs_api")).toMatchObject({
      user: "cs_api",
      address: { host: "127.0.0.1", tls: null },
    });
    expect(ownLogin(url("postgres"), "cs_api")).toBeNull();
    expect(() => ownLogin(url("cs_executor"), "cs_api")).toThrow("expected user cs_api");
  });

  it("that are refreshed in part leave the others' passwords alone", async () => {
    const admin = await embeddedAdmin(server.embedded, "users");
    const old = await prepareUsers(admin, await databaseKey(server.state));
    const fresh = await prepareUsers(admin, "0".repeat(64), ["cs_migrator"]);
    for (const connection of [old.cs_api, fresh.cs_migrator]) await (await openClient(connection, "test")).end();
    await expect(openClient(old.cs_migrator, "test")).rejects.toThrow("password");
    await prepareUsers(admin, await databaseKey(server.state));
  });
});

describe("a database URL", () => {
  it.each([
    "postgres://cs_api:p%40%2F@db.example:5433/count%20er?sslmode=verify-full",
    "postgres://cs_api:x@localhost:5432/cs?host=%2Frun%2Fpg&sslmode=disable",
  ])("%s is written as it is read", (url) => {
    expect(formatDatabaseUrl(parseDatabaseUrl(url))).toBe(url);
  });

  it("checks certificates by default, and may not go without on a network", () => {
    expect(parseDatabaseUrl("postgres://u:p%40@db.example/cs?sslmode=verify-full")).toMatchObject({
      password: "p@",
      address: { tls: {}, port: 5432 },
    });
    expect(parseDatabaseUrl("postgres://u@db.example/cs").address.tls).toEqual({});
    expect(parseDatabaseUrl("postgres://u@localhost/cs?host=/run/pg").address).toMatchObject({
      host: "/run/pg",
      tls: null,
    });
    expect(() => parseDatabaseUrl("postgres://u@db.example/cs?sslmode=disable")).toThrow("verify-full");
    expect(() => parseDatabaseUrl("postgres://u@db.example/cs?sslmode=require")).toThrow("verify-full");
  });

  it.each(["", "mysql://u@h/d", "postgres://h/d", "postgres://u@h", "postgres://u@h/d?options=-c"])(
    "%j is refused without repeating it",
    (text) => {
      expect(() => parseDatabaseUrl(text)).toThrow(/^expected/);
    },
  );
});
