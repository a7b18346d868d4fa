import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { CountersignError } from "@countersign/core";
import type pg from "pg";
import { type Connection, openClient } from "./connect.ts";

const migrateLock = 7_306_002;
const folder = fileURLToPath(new URL("../../migrations/", import.meta.url));
const filePattern = /^(\d{4})-[a-z-]+\.sql$/;

interface Migration {
  readonly version: number;
  readonly name: string;
  readonly digest: string;
  readonly sql: string;
}

/**
 * Brings the schema up to this build, each file in a transaction of its own, under an advisory lock: several processes may
 * do so at once. A file that changed after it was applied, and a schema newer than this build, are CONFIG_INVALID.
 * Returns how many files were applied.
 */
export async function migrate(connection: Connection): Promise<number> {
  const client = await openClient(connection, "countersign migrate");
  try {
    await client.query("select pg_advisory_lock($1)", [migrateLock]);
    await client.query("create schema if not exists cs");
    await client.query(
      "create table if not exists cs.migration (version integer primary key, name text not null, digest text not null, applied_at timestamptz not null)",
    );
    const missing = await missingIn(client);
    for (const migration of missing) await apply(client, migration);
    return missing.length;
  } finally {
    await client.end();
  }
}

/** Refuses a schema that is not this build's, for a process that may not change it. Error: CONFIG_INVALID. */
export async function checkMigrated(connection: Connection): Promise<void> {
  const client = await openClient(connection, "countersign schema", 10_000).catch((error: Error) => {
    throw new CountersignError("DATABASE_UNAVAILABLE", `expected to reach the database: ${error.message}`);
  });
  try {
    const missing = await missingIn(client).catch((error: Error) => {
      throw error instanceof CountersignError
        ? error
        : new CountersignError("CONFIG_INVALID", "expected a prepared database: run `countersign database prepare`");
    });
    if (missing.length > 0)
      throw new CountersignError(
        "CONFIG_INVALID",
        `expected the schema of this build, ${missing.length} migrations are missing: run \`countersign database prepare\``,
      );
  } finally {
    await client.end();
  }
}

async function missingIn(client: pg.Client): Promise<readonly Migration[]> {
  const wanted = await readMigrations();
  const { rows } = await client.query<{ version: number; name: string; digest: string }>(
    "select version, name, digest from cs.migration order by version",
  );
  for (const [i, row] of rows.entries()) checkApplied(row, wanted[i]);
  return wanted.slice(rows.length);
}

function checkApplied(row: { version: number; name: string; digest: string }, file: Migration | undefined): void {
  if (file === undefined) {
    throw new CountersignError("CONFIG_INVALID", `expected a build that knows migration ${row.name}, got an older one`);
  }
  if (file.version !== row.version || file.digest !== row.digest) {
    throw new CountersignError(
      "CONFIG_INVALID",
      `expected migration ${row.name} as it was applied, got another ${file.name}`,
    );
  }
}

async function readMigrations(): Promise<readonly Migration[]> {
  const names = (await readdir(folder)).filter((name) => filePattern.test(name)).sort();
  return Promise.all(
    names.map(async (name) => {
      const sql = await readFile(folder + name, "utf8");
      return { version: Number(name.slice(0, 4)), name, digest: createHash("sha256").update(sql).digest("hex"), sql };
    }),
  );
}

async function apply(client: pg.Client, migration: Migration): Promise<void> {
  await client.query("begin");
  try {
    await client.query(migration.sql);
    await client.query("insert into cs.migration values ($1, $2, $3, clock_timestamp())", [
      migration.version,
      migration.name,
      migration.digest,
    ]);
    await client.query("commit");
  } catch (error) {
    await client.query("rollback").catch(() => undefined);
    throw new CountersignError(
      "DATABASE_UNAVAILABLE",
      `expected migration ${migration.name} to apply: ${(error as Error).message}`,
    );
  }
}
