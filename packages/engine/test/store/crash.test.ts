import { Frontier, leafHash, parseEntry } from "@countersign/evidence";
import { afterAll, beforeAll, expect, it } from "vitest";
import { heedsNothing } from "../../src/store/journal-store.ts";
import type { Store, StoreRole } from "../../src/store/store.ts";
import { newWorker, startedAt, startServer, storesOf, toExecuting } from "./harness.ts";

let server: Awaited<ReturnType<typeof startServer>>;
let stores: Record<StoreRole, Store> & { close(): Promise<void> };

beforeAll(async () => {
  server = await startServer();
  stores = storesOf(await server.database());
});
afterAll(async () => {
  await stores.close();
  await server.end();
});

it("keeps every acknowledged write and a gapless log when the database crashes under load, and the pools come back by themselves", async () => {
  const executor = stores.cs_executor;
  const worker = await newWorker(executor);
  const holds = await Promise.all(Array.from({ length: 6 }, () => toExecuting(stores, worker)));
  const acknowledged: string[] = [];
  const codes = new Set<string>();
  let stopping = false;
  const writers = holds.map(async (hold, writer) => {
    for (let attempt = 1; !stopping; attempt++) {
      const nonce = (writer * 1_000_000 + attempt).toString(16).padStart(32, "0");
      const step = {
        ...hold,
        step: "look",
        direction: "do" as const,
        attempt,
        verb: "entra.prove@1",
        call: "token",
        nonce,
      };
      await executor.intent({ ...step, target: { o: "1" }, facts: {}, heeds: heedsNothing, at: startedAt }).then(
        () => acknowledged.push(nonce),
        (error: { code: string }) => codes.add(error.code),
      );
    }
  });
  for (let crash = 0; crash < 3; crash++) {
    const before = acknowledged.length;
    await expect.poll(() => acknowledged.length, { timeout: 10_000 }).toBeGreaterThan(before + 50);
    await server.crash();
  }
  stopping = true;
  await Promise.all(writers);

  expect([...codes]).toEqual(["DATABASE_UNAVAILABLE"]);
  const kept = new Set(
    (await Promise.all(holds.map((hold) => executor.steps(hold.run)))).flat().map((row) => row.nonce),
  );
  for (const nonce of acknowledged) expect(kept).toContain(nonce);
  const rows = await executor.entries(0, 10_000);
  const frontier = new Frontier();
  for (const [i, row] of rows.entries()) {
    expect(row.idx).toBe(i);
    frontier.append(leafHash(row.entry));
  }
  const state = await executor.logState();
  expect(Buffer.from(frontier.toBytes()).equals(Buffer.from(state.frontier))).toBe(true);
  const intents = rows.map((row) => parseEntry(row.entry)).filter((entry) => entry.type === "step.intent");
  expect(intents.length).toBe(kept.size);
});
