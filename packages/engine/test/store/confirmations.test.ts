import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { heedsNothing } from "../../src/store/journal-store.ts";
import type { Store, StoreRole } from "../../src/store/store.ts";
import { ada, bob, newWorker, startedAt, startServer, storesOf, toExecuting } from "./harness.ts";

let server: Awaited<ReturnType<typeof startServer>>;
let stores: ReturnType<typeof storesOf>;
let hold: { run: string; worker: string; fence: number };

const step = "update:desk";
const plan = (run: string) =>
  Buffer.from(
    JSON.stringify({
      baseline: { owners: [ada] },
      run,
      steps: [
        { id: "store", verb: "keyvault.write@1" },
        { id: step, verb: "manual.ask@1" },
      ],
      v: 1,
    }),
  );

beforeAll(async () => {
  server = await startServer();
  stores = storesOf(await server.database());
});
afterAll(async () => {
  await stores.close();
  await server.end();
});

const word = (over: Partial<Parameters<Store["confirmStep"]>[0]> = {}) => ({
  run: hold.run,
  step,
  direction: "do" as const,
  person: ada,
  level: "session" as const,
  given: true,
  at: startedAt + 5_000,
  ...over,
});

async function ask(id = step): Promise<void> {
  const attempt = { ...hold, step: id, direction: "do" as const, attempt: 1, at: startedAt + 3_000 };
  const by = { verb: "manual.ask@1", call: "owner.ask", target: { by: "hand" }, facts: {}, heeds: heedsNothing };
  await stores.cs_executor.intent({ ...attempt, ...by, nonce: Buffer.from(hold.run).toString("hex").slice(-32) });
}

async function move(from: "executing" | "overlapping", to: "overlapping" | "retiring" | "rolling_back"): Promise<void> {
  const at = startedAt + 6_000;
  const rest = { because: null, notBefore: at + 60_000, release: true };
  hold.fence = await stores.cs_executor.transition({ ...hold, from, to, at, ...rest, release: false });
}

beforeEach(async () => {
  const worker = await newWorker(stores.cs_executor);
  hold = await toExecuting(stores, worker, {}, plan);
});

const entries = async (store: Record<StoreRole, Store>) =>
  (await store.cs_api.entriesOfRun(hold.run))
    .filter(({ type }) => type === "step.confirmed")
    .map(({ entry }) => (JSON.parse(Buffer.from(entry).toString()) as { data: unknown }).data);

describe("an owner's word", () => {
  it("stands with its entry until it is taken back, and both stand in the log", async () => {
    await ask();
    await stores.cs_api.confirmStep(word());
    expect(await stores.cs_executor.confirmations(hold.run)).toMatchObject([{ step, person: ada, withdrawnAt: null }]);
    await stores.cs_api.confirmStep(word({ given: false }));
    expect(await stores.cs_executor.confirmations(hold.run)).toEqual([]);
    const said = { direction: "do", level: "session", person: ada, step };
    expect(await entries(stores)).toEqual([
      { confirmation: "given", ...said },
      { confirmation: "withdrawn", ...said },
    ]);
    await stores.cs_api.confirmStep(word());
    expect(await stores.cs_executor.confirmations(hold.run)).toHaveLength(1);
  });

  it("wakes the run", async () => {
    await ask();
    await move("executing", "overlapping");
    await stores.cs_executor.release(hold, startedAt + 86_400_000, startedAt + 6_000);
    await stores.cs_api.confirmStep(word({ at: startedAt + 7_000 }));
    expect((await stores.cs_api.run(hold.run))?.notBefore).toBe(startedAt + 7_000);
  });

  it.each([
    ["of somebody who owns nothing here", { person: bob }, "FORBIDDEN"],
    ["about a step that no person was asked to do", { step: "store" }, "STATE_CONFLICT"],
    ["about no step of the plan", { step: "update:other" }, "STATE_CONFLICT"],
    ["that it was put back, while nothing is rolled back", { direction: "undo" as const }, "STATE_CONFLICT"],
    ["taken back that was never given", { given: false }, "STATE_CONFLICT"],
  ])("%s is refused and leaves no trace", async (_what, over, code) => {
    await ask();
    await expect(stores.cs_api.confirmStep(word(over))).rejects.toMatchObject({ code });
    expect(await entries(stores)).toEqual([]);
  });

  it("comes too early before the step was asked for", async () => {
    await expect(stores.cs_api.confirmStep(word())).rejects.toMatchObject({ code: "STATE_CONFLICT" });
  });

  it("given twice is refused: it stands already", async () => {
    await ask();
    await stores.cs_api.confirmStep(word());
    await expect(stores.cs_api.confirmStep(word())).rejects.toMatchObject({ code: "STATE_CONFLICT" });
  });

  it("cannot be taken back once the run retires", async () => {
    await ask();
    await stores.cs_api.confirmStep(word());
    await move("executing", "overlapping");
    await move("overlapping", "retiring");
    await expect(stores.cs_api.confirmStep(word({ given: false }))).rejects.toMatchObject({ code: "STATE_CONFLICT" });
  });

  it("that it was put back is taken while the run rolls back", async () => {
    await ask();
    await move("executing", "rolling_back");
    await stores.cs_api.confirmStep(word({ direction: "undo" }));
    expect(await stores.cs_executor.confirmations(hold.run)).toMatchObject([{ direction: "undo" }]);
  });

  it("is taken by the API and by nobody else", async () => {
    await ask();
    await expect(stores.cs_executor.confirmStep(word())).rejects.toMatchObject({ code: "FORBIDDEN" });
    await expect(stores.cs_notifier.confirmStep(word())).rejects.toMatchObject({ code: "FORBIDDEN" });
  });
});
