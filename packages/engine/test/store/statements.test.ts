import type pg from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { openPool } from "../../src/database/connect.ts";
import { type Sql, sqlOver, statement } from "../../src/store/sql.ts";
import { startServer } from "./harness.ts";

let server: Awaited<ReturnType<typeof startServer>>;
let pool: pg.Pool;
let sql: Sql;

beforeAll(async () => {
  server = await startServer();
  const { cs_migrator: connection } = await server.database();
  pool = openPool(connection, { applicationName: "statements", max: 1, statementTimeoutMs: 10_000 });
  sql = sqlOver(pool);
});
afterAll(async () => {
  await pool.end();
  await server.end();
});

const kept = async () =>
  (await pool.query<{ statement: string }>("select statement from pg_prepared_statements")).rows.map(
    (row) => row.statement,
  );

it("what is asked over and over is parsed once on a connection, a text that was put together each time", async () => {
  const one = z.object({ id: z.string() });
  const byKey = statement("select id from cs.run where id = $1");
  expect(statement("select id from cs.run where id = $1")).toBe(byKey);
  for (const id of ["run_a", "run_b", "run_c"]) {
    await sql.rows(one, byKey, [id]);
    await sql.rows(one, "select id from cs.run where target_key = $1", [id]);
    await sql.call(z.unknown(), "cs.is_final", { state: "held" });
  }
  const texts = await kept();
  expect(texts.filter((text) => text === byKey.text)).toHaveLength(1);
  expect(texts.filter((text) => text.includes("cs.is_final"))).toHaveLength(1);
  expect(texts.filter((text) => text.includes("target_key = $1"))).toEqual([]);
});

it("a table that gets another column meanwhile (the next version's migration) is read as before", async () => {
  await pool.query("create table cs.kept (a integer); insert into cs.kept values (1)");
  const all = statement("select * from cs.kept");
  const row = z.object({ a: z.int() });
  expect(await sql.rows(row, all)).toEqual([{ a: 1 }]);
  await pool.query("alter table cs.kept add column b integer");
  expect(await sql.rows(row, all)).toEqual([{ a: 1 }]);
  // What is refused for itself is refused still, once.
  await expect(sql.rows(row, statement("select 1/(a - 1) as a from cs.kept"))).rejects.toMatchObject({
    code: "INPUT_INVALID",
  });
});
