import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  canonicalize,
  type EntryDraft,
  encodeEntry,
  Frontier,
  type Json,
  LEGAL_MOVES,
  leafHash,
  MerkleTree,
  noteKey,
  parseEntry,
  type RunState,
  signerFromSeed,
  verifyCheckpoint,
} from "@countersign/evidence";
import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openClient } from "../../src/database/connect.ts";
import { embeddedAdmin } from "../../src/database/users.ts";
import { treeOf } from "../../src/evidence/log-tree.ts";
import { type Checkpointer, openCheckpointer } from "../../src/store/checkpointer.ts";
import { heedsNothing } from "../../src/store/journal-store.ts";
import type { Store, StoreRole } from "../../src/store/store.ts";
import { newWorker, request, startedAt, startServer, storesOf, toExecuting } from "./harness.ts";

const signer = signerFromSeed(Buffer.alloc(32, 7), "countersign.test/log");
const key = noteKey(signer.name, signer.publicKey);

let server: Awaited<ReturnType<typeof startServer>>;
let stores: Record<StoreRole, Store> & { close(): Promise<void> };
let admin: pg.Client;
let scanner: pg.Client;
let worker: string;
let state: string;
const errors: unknown[] = [];
const open: Checkpointer[] = [];

function checkpointer(stateFolder = state): Checkpointer {
  const made = openCheckpointer({
    store: stores.cs_executor,
    signer,
    stateFolder,
    onError: (error) => errors.push(error),
  });
  open.push(made);
  return made;
}

beforeAll(async () => {
  server = await startServer();
  const connections = await server.database();
  stores = storesOf(connections);
  scanner = await openClient(connections.cs_scanner, "test");
  admin = await openClient(await embeddedAdmin(server.embedded, "countersign_1"), "test");
  worker = await newWorker(stores.cs_executor);
  state = await mkdtemp(path.join(tmpdir(), "cs-mark-"));
});
afterAll(async () => {
  await Promise.all(open.map((one) => one.stop()));
  await Promise.all([admin.end(), scanner.end()]);
  await stores.close();
  await server.end();
  await rm(state, { recursive: true, force: true });
});

const service = (id: string) => ({
  type: "service.started" as const,
  data: { build: "test", role: "executor" as const, separation: "none" as const, worker: id },
});

/** Every entry, with the frontier recomputed from the bytes alone. */
async function readLog() {
  const rows = await stores.cs_api.entries(0, 10_000);
  const frontier = new Frontier();
  for (const row of rows) frontier.append(leafHash(row.entry));
  return { rows, frontier };
}

describe("the log", () => {
  it("takes thousands of mixed appends at once, gapless, with the frontier that evidence computes", async () => {
    const runs = await Promise.all(Array.from({ length: 8 }, () => toExecuting(stores, worker)));
    await Promise.all([
      ...runs.map(async (hold) => {
        for (let attempt = 1; attempt <= 60; attempt++) {
          await stores.cs_executor.intent({
            ...hold,
            step: "create",
            direction: "do",
            attempt,
            verb: "entra.add-password@1",
            call: "application.addPassword",
            nonce: createHash("md5").update(`${hold.run}${attempt}`).digest("hex"),
            target: { objectId: "o-1" },
            facts: { attempt },
            heeds: heedsNothing,
            at: startedAt + attempt,
          });
          await stores.cs_executor.outcome({
            ...hold,
            step: "create",
            direction: "do",
            attempt,
            outcome: "failed",
            build: "test",
            connector: { id: "entra", version: "0.1.0" },
            error: { code: "OUTSIDE_RATE_LIMITED", status: 429 },
            facts: {},
            objectIds: {},
            requestIds: ["r-1"],
            verified: null,
            at: startedAt + attempt,
          });
        }
      }),
      ...(["cs_api", "cs_scanner", "cs_notifier", "cs_executor"] as const).map(async (role) => {
        for (let i = 0; i < 250; i++) await stores[role].append(service(`w-${i}`), startedAt + i);
      }),
      ...Array.from({ length: 40 }, () => stores.cs_api.submitRun(request())),
    ]);
    const { rows, frontier } = await readLog();
    expect(rows.length).toBeGreaterThan(2_000);
    expect(rows.map((row) => row.idx)).toEqual(rows.map((_, i) => i));
    const kept = await stores.cs_api.logState();
    expect(kept.size).toBe(rows.length);
    expect(Buffer.from(kept.frontier)).toEqual(Buffer.from(frontier.toBytes()));
  });

  it("holds exactly the bytes that evidence would have encoded, each run with its own unbroken chain", async () => {
    const { rows } = await readLog();
    const heads = new Map<string, { seq: number; leaf: string }>();
    const salts = new Set<string>();
    for (const row of rows) {
      const entry = parseEntry(row.entry);
      const { v: _, ...draft } = entry;
      expect(Buffer.from(encodeEntry(draft as EntryDraft)).equals(Buffer.from(row.entry))).toBe(true);
      expect(Buffer.from(leafHash(row.entry)).equals(Buffer.from(row.leafHash))).toBe(true);
      expect([entry.type, entry.run, entry.runSeq]).toEqual([row.type, row.runId, row.runSeq]);
      salts.add(entry.salt);
      if (entry.run === null) continue;
      const head = heads.get(entry.run);
      expect([entry.runSeq, entry.prevRunLeaf]).toEqual([head === undefined ? 0 : head.seq + 1, head?.leaf ?? null]);
      heads.set(entry.run, { seq: entry.runSeq, leaf: Buffer.from(row.leafHash).toString("hex") });
    }
    expect(salts.size).toBe(rows.length);
  });

  it("gives its tree to every bundle, read on from where the last one stood, and anew when another log takes its place", async () => {
    const other = storesOf(await server.database());
    try {
      const executor = other.cs_executor;
      for (let n = 0; n < 3; n += 1) await executor.append(service(`other-${n}`), startedAt);
      let now = stores.cs_executor;
      const asked: number[] = [];
      const log = {
        leafHashes(from: number, limit: number) {
          asked.push(from);
          return now.leafHashes(from, limit);
        },
      };
      const rootOf = async (size: number) => {
        const rows = await now.entries(0, size);
        return { size, root: new MerkleTree(rows.map((row) => leafHash(row.entry))).root() };
      };
      const all = await rootOf(5);
      expect((await treeOf(log, await rootOf(2))).root(2)).toEqual((await rootOf(2)).root);
      const [one, two] = await Promise.all([treeOf(log, all), treeOf(log, all)]);
      expect([one.root(5), two.root(5), one.size]).toEqual([all.root, all.root, 5]);
      expect(await treeOf(log, await rootOf(3))).toBe(one);
      expect(asked).toEqual([0, 2, 2]);
      now = executor;
      const its = await rootOf(3);
      expect((await treeOf(log, its)).root(3)).toEqual(its.root);
      expect(asked.slice(3)).toEqual([0]);
    } finally {
      await other.close();
    }
  });

  it("lets nobody but the executor begin it, and only at its beginning", async () => {
    const genesis = {
      type: "log.genesis" as const,
      data: {
        build: "test",
        clock: "system" as const,
        founders: [],
        origin: signer.name,
        profile: "test" as const,
        separation: "none" as const,
        trustDigest: `sha256:${"0".repeat(64)}` as const,
      },
    };
    await expect(stores.cs_api.append(genesis, startedAt)).rejects.toMatchObject({ code: "FORBIDDEN" });
    await expect(stores.cs_executor.append(genesis, startedAt)).rejects.toMatchObject({ code: "STATE_CONFLICT" });
  });

  it("refuses data that evidence would not take, before it leaves this process", async () => {
    const bad = { ...service("w"), data: { ...service("w").data, note: "free text" } };
    await expect(stores.cs_executor.append(bad as never, startedAt)).rejects.toMatchObject({ code: "INPUT_INVALID" });
  });
});

describe("canonical form in the database", () => {
  const canonical = async (text: string) =>
    (await admin.query<{ c: string }>("select journal.canonical($1::jsonb) as c", [text])).rows[0]?.c;

  it("is the same as evidence's for any value", async () => {
    const string = fc.string({ unit: "binary" }).filter((text) => text.isWellFormed() && !text.includes("\0"));
    const name = fc.stringMatching(/^[ !#-[\]-~]{1,20}$/);
    const { value } = fc.letrec<{ value: Json }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.constant(null),
        fc.boolean(),
        fc.maxSafeInteger().map((n) => (n === 0 ? 0 : n)),
        string,
        fc.array(tie("value"), { maxLength: 5 }),
        fc.dictionary(name, tie("value"), { maxKeys: 6, noNullPrototype: true }),
      ),
    }));
    await fc.assert(
      fc.asyncProperty(value, async (json) => {
        expect(await canonical(JSON.stringify(json))).toBe(canonicalize(json));
      }),
      { numRuns: 300 },
    );
  });

  it.each(["1.5", "1e400", "9007199254740992", '{"é":1}', '{"":1}', '"\\ud800"', '"\\u0000"'])(
    "does not exist for %s",
    async (text) => {
      await expect(canonical(text)).rejects.toBeInstanceOf(pg.DatabaseError);
    },
  );

  it.each(['{"b":1,"a":2}', '{"a":1,"a":1}', '{ "a":1}', '{"a":1.0}', '{"a":"\\u00e9"}', "[]", "null"])(
    "is demanded of data: %s is refused",
    async (text) => {
      const executor = stores.cs_executor;
      const before = (await executor.logState()).size;
      const append = "select cs.append(null, 'service.started', $1, 0, null, null)";
      await expect(scanner.query(append, [text])).rejects.toMatchObject({ code: "22023" });
      expect((await executor.logState()).size).toBe(before);
    },
  );

  it("writes times as RFC 3339 with milliseconds, for any millisecond", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 253_402_300_799_999 }), async (at) => {
        const { rows } = await admin.query<{ t: string }>("select journal.time_text($1) as t", [at]);
        expect(rows[0]?.t).toBe(new Date(at).toISOString());
      }),
      { numRuns: 200 },
    );
  });
});

it("lets the logins make no move that evidence does not call legal", async () => {
  const { rows } = await admin.query<{ from_state: RunState; to_state: RunState }>(
    "select from_state, to_state from cs.may_move",
  );
  for (const { from_state, to_state } of rows) expect(LEGAL_MOVES[from_state]).toContain(to_state);
  const reachable = new Set(rows.map((row) => `${row.from_state}>${row.to_state}`));
  for (const [from, moves] of Object.entries(LEGAL_MOVES))
    for (const to of moves) expect(reachable).toContain(`${from}>${to}`);
});

describe("the checkpointer", () => {
  it("signs all that is committed, keeps its mark outside the database, and does so again only when the log grew", async () => {
    const one = checkpointer();
    const first = await one.checkpointNow();
    const { rows, frontier } = await readLog();
    expect(first).toEqual({
      origin: signer.name,
      size: rows.length,
      root: Buffer.from(frontier.root()).toString("base64"),
    });
    const stored = await stores.cs_api.checkpoint();
    expect(verifyCheckpoint(Buffer.from(stored?.note ?? ""), signer.name, [key]).size).toBe(first.size);
    expect(JSON.parse(await readFile(path.join(state, "log.high-water"), "utf8"))).toMatchObject({ size: first.size });
    expect((await stat(path.join(state, "log.high-water"))).mode & 0o777).toBe(0o600);
    expect(await one.checkpointNow()).toEqual(first);
    await stores.cs_executor.append(service("grown"), startedAt);
    expect((await one.checkpointNow()).size).toBe(first.size + 1);
  });

  it("goes on from its mark after a restart, and from nothing on a new host, with the same root", async () => {
    await stores.cs_executor.append(service("restart"), startedAt);
    const resumed = await checkpointer().checkpointNow();
    const fresh = await mkdtemp(path.join(tmpdir(), "cs-mark-"));
    expect(await checkpointer(fresh).checkpointNow()).toEqual(resumed);
    await rm(fresh, { recursive: true, force: true });
  });

  it("may run in several processes at once", async () => {
    const many = [checkpointer(), checkpointer(), checkpointer()];
    for (let round = 0; round < 5; round++) {
      await stores.cs_executor.append(service(`many-${round}`), startedAt);
      const results = await Promise.all(many.map((one) => one.checkpointNow()));
      expect(new Set(results.map((result) => result.root)).size).toBe(1);
    }
  });

  it("signs by itself within about a second of an append", async () => {
    const one = checkpointer();
    one.start();
    const index = await stores.cs_executor.append(service("background"), startedAt);
    await expect.poll(async () => (await stores.cs_api.checkpoint())?.size, { timeout: 5_000 }).toBe(index + 1);
    expect(errors).toEqual([]);
    await one.stop();
  });

  it("says LOG_BEHIND when the database is shorter than this host has seen, or went another way since", async () => {
    await checkpointer().checkpointNow();
    const file = path.join(state, "log.high-water");
    const mark = await readFile(file, "utf8");
    const parsed = JSON.parse(mark) as { size: number; leaf: string };
    await writeFile(file, JSON.stringify({ ...parsed, leaf: Buffer.alloc(32, 1).toString("base64") }));
    await expect(checkpointer().checkpointNow()).rejects.toMatchObject({ code: "LOG_BEHIND" });
    await writeFile(file, JSON.stringify({ ...parsed, size: parsed.size + 1_000 }));
    await expect(checkpointer().checkpointNow()).rejects.toMatchObject({ code: "LOG_BEHIND" });
    await writeFile(file, "{}");
    await expect(checkpointer().checkpointNow()).rejects.toMatchObject({ code: "LOG_INVALID" });
    await writeFile(file, mark);
    expect((await checkpointer().checkpointNow()).size).toBe(parsed.size);
  });

  it.each([
    ["an entry", "update journal.log_entry set entry = entry || ' '::bytea where idx = $1"],
    ["a leaf hash", "update journal.log_entry set leaf_hash = sha256('x') where idx = $1"],
    [
      "the frontier",
      "update journal.log_state set frontier = overlay(frontier placing '\\x00' from 1) where size > $1",
    ],
  ])("signs nothing when somebody with the rights of the administrator changed %s", async (_, statement) => {
    const index = await stores.cs_executor.append(service("tampered"), startedAt);
    const before = await stores.cs_api.checkpoint();
    await admin.query("begin");
    const kept = await admin.query("select * from journal.log_entry where idx = $1", [index]);
    const keptState = await admin.query("select * from journal.log_state");
    await admin.query(statement, [index]);
    await admin.query("commit");
    await expect(checkpointer().checkpointNow()).rejects.toMatchObject({ code: "LOG_INVALID" });
    expect(await stores.cs_api.checkpoint()).toEqual(before);
    const row = kept.rows[0] as { entry: Buffer; leaf_hash: Buffer };
    await admin.query("update journal.log_entry set entry = $2, leaf_hash = $3 where idx = $1", [
      index,
      row.entry,
      row.leaf_hash,
    ]);
    await admin.query("update journal.log_state set frontier = $1", [
      (keptState.rows[0] as { frontier: Buffer }).frontier,
    ]);
    expect((await checkpointer().checkpointNow()).size).toBe(index + 1);
  });
});
