import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type pg from "pg";
import type { Violation } from "./check.ts";
import { encodings, type Hit, Searcher, writings } from "./search.ts";
import { passwordOf } from "./stage/documents.ts";
import type { Lane } from "./stage/lane.ts";
import { people, type Row, seated, vaults } from "./stage/names.ts";
import { everyValue } from "./stage/vault-client.ts";

/** Rows of a table that are read at once. */
const pageRows = 5_000;

/**
 * Looks for every secret of a lane in everything that the product keeps or says: all rows of all its tables and its
 * queue's, its output, its bundles, its state folder. Canaries planted in each kind of place and encoding are found first.
 */
export async function searchLane(
  lane: Lane,
  rows: readonly Row[],
): Promise<{ readonly found: number; readonly violations: readonly Violation[] }> {
  const canaries = new Map(
    encodings.map((encoding) => [encoding, `canary/${randomBytes(18).toString("base64")}"ü\\`] as const),
  );
  const missed = await missedCanaries(lane, canaries);
  const violations: Violation[] = missed.map((place) => ({
    point: "search",
    rule: "canary",
    sentence: `expected the planted canary to be found: ${place}`,
  }));
  const hits = await searchEverywhere(lane, new Searcher(await secretsOf(lane, rows)));
  const told = new Set(hits.map(({ name, encoding, place }) => `${name} as ${encoding} in ${place}`));
  violations.push(
    ...[...told].map((sentence) => ({
      point: "search",
      rule: "I7",
      sentence: `expected no secret, found ${sentence}`,
    })),
  );
  return { found: told.size, violations };
}

/** Every secret value there is: of the tenant's vaults, of our callers, of the databases, of the people. */
async function secretsOf(lane: Lane, rows: readonly Row[]): Promise<Map<string, string>> {
  const secrets = new Map<string, string>();
  const add = (name: string, value: string) => {
    if (value !== "") secrets.set(`${name} ${secrets.size}`, value);
  };
  const entries = rows.flatMap(({ name, seat }) =>
    Object.values(vaults).map((vault) => [seated(vault, seat), name] as const),
  );
  for (const value of await everyValue(lane, entries)) {
    const account = value.startsWith("{") ? (JSON.parse(value) as { password?: string }) : null;
    add("value of a vault", account?.password ?? value);
  }
  for (const [name, { clientSecret }] of Object.entries(lane.directory.callers)) add(`caller ${name}`, clientSecret);
  for (const password of lane.server.initial.values()) add("first password", password);
  add("rotator", lane.server.rotator.password);
  add("database", decodeURIComponent(new URL(lane.server.productUrl).password));
  for (const { login } of people) add(`person ${login}`, passwordOf(login));
  return secrets;
}

/** Plants one canary per encoding in a table (as text and as bytes), the log, a bundle folder and the state folder. */
async function missedCanaries(
  lane: Lane,
  canaries: ReadonlyMap<(typeof encodings)[number], string>,
): Promise<string[]> {
  const searcher = new Searcher(new Map(canaries));
  const { admin } = lane.server;
  const planted = [...canaries].map(([encoding, canary]) => `before ${writings(canary, encoding)[0]} after`).join("\n");
  const files = [join(lane.folder, "state/canary.txt"), join(lane.folder, "bundles/canary.txt")].filter((file) =>
    existsSync(join(file, "..")),
  );
  const log = readFileSync(lane.log);
  await admin.query("create table public.canary (words text, bytes bytea, facts jsonb)");
  try {
    await admin.query("insert into public.canary values ($1, $2, $3)", [
      planted,
      Buffer.from(planted),
      JSON.stringify({ planted }),
    ]);
    for (const file of files) writeFileSync(file, planted);
    writeFileSync(lane.log, planted, { flag: "a" });
    const hits = await searchEverywhere(lane, searcher);
    const places = ["table public.canary", "product.log", ...files.map((file) => file.slice(lane.folder.length + 1))];
    return places.flatMap((place) =>
      encodings
        .filter((encoding) => !hits.some((hit) => hit.place === place && hit.name === encoding))
        .map((encoding) => `${encoding} in ${place}`),
    );
  } finally {
    await admin.query("drop table public.canary");
    for (const file of files) rmSync(file);
    writeFileSync(lane.log, log);
  }
}

async function searchEverywhere(lane: Lane, searcher: Searcher): Promise<Hit[]> {
  const hits = await searchTables(lane.server.admin, searcher);
  for (const file of outputFiles(lane.folder)) {
    const bytes = readLeft(join(lane.folder, file));
    if (bytes !== null) hits.push(...searcher.search(file, bytes));
  }
  return hits;
}

/** A file, or null: the product, which still runs, has put it in another's place since it was listed. */
function readLeft(file: string): Buffer | null {
  try {
    return readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** What the product writes: its output, its bundles, its state; the documents are input, the consumers' files are theirs. */
function outputFiles(folder: string): string[] {
  const inside = (name: string) =>
    existsSync(join(folder, name)) ? readdirSync(join(folder, name), { recursive: true, withFileTypes: true }) : [];
  const kept = ["state", "bundles"].flatMap((name) =>
    inside(name)
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1)),
  );
  return ["product.log", "countersign.yaml", "standby.yaml", "inventory.yaml", "policy.yaml", ...kept];
}

async function searchTables(admin: pg.Pool, searcher: Searcher): Promise<Hit[]> {
  const { rows: tables } = await admin.query<{ name: string }>(
    `select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p', 'm') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_%' order by 1`,
  );
  const hits: Hit[] = [];
  for (const { name } of tables) {
    for (let offset = 0; ; offset += pageRows) {
      const { rows } = await admin.query<{ text: string }>(
        `select t::text as text from ${name} t order by ctid limit ${pageRows} offset ${offset}`,
      );
      hits.push(
        ...searcher.search(
          `table ${name}`,
          Buffer.concat(rows.flatMap(({ text }) => [Buffer.from(text), ...columns(text)])),
        ),
      );
      if (rows.length < pageRows) break;
    }
  }
  return hits;
}

/** A row as text doubles its quotes and backslashes and writes bytes as hex: also what stood there is searched. */
function columns(text: string): Buffer[] {
  const plain = Buffer.from(text.replaceAll('""', '"').replaceAll("\\\\", "\\"));
  // A value inside JSON has its quotes and backslashes escaped once more.
  const unescaped = Buffer.from(plain.toString("utf8").replaceAll('\\"', '"').replaceAll("\\\\", "\\"));
  const bytes = [...text.matchAll(/\\\\x([0-9a-f]{16,})/g)].map(([, hex]) => Buffer.from(hex ?? "", "hex"));
  return [plain, unescaped, ...bytes];
}
