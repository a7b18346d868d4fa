import { parseEntry } from "@countersign/evidence";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Store, StoreRole } from "../../src/store/store.ts";
import { ada, bob, startedAt, startServer, storesOf } from "./harness.ts";

let server: Awaited<ReturnType<typeof startServer>>;
let stores: Record<StoreRole, Store> & { close(): Promise<void> };
let api: Store;

beforeAll(async () => {
  server = await startServer();
  stores = storesOf(await server.database());
  api = stores.cs_api;
});
afterAll(async () => {
  await stores.close();
  await server.end();
});

const day = 86_400_000;
const until = startedAt + 30 * day;
const reason = new TextEncoder().encode("the vendor replaces it in spring");
const about = { appId: "a", name: "Billing", kind: "application", row: null, environment: null } as const;

/** Says this of one object of a tenant of its own, as a scan does; returns the finding's number. */
async function say(tenant: string, observed: string | null, at = startedAt): Promise<number> {
  const said = { ...about, objectId: "o", credential: "k", code: "long-lived", required: "at most 365 days" } as const;
  await stores.cs_scanner.findingsPut(tenant, ["o"], observed === null ? [] : [{ ...said, observed }], at);
  const [found] = await api.fleetFindings({ tenant }, { limit: 10, now: at });
  return found?.id ?? -1;
}

const ask = (finding: number, change: { until?: number; at?: number; person?: string } = {}) =>
  api.acceptanceAsk({ findings: [finding], until, person: ada, reason, at: startedAt, ...change });
const confirm = (acceptances: readonly number[], person = bob, at = startedAt + 1) =>
  api.acceptanceConfirm({ acceptances, person, at });

/** What the acceptance of the tenant's one finding means at a time, and what is counted then. */
async function meaning(tenant: string, now: number) {
  const [finding] = await api.fleetFindings({ tenant }, { limit: 10, now });
  const counts = (await api.fleetFindingCounts({}, now)).filter((count) => count.tenant === tenant);
  const counting = await api.fleetFindings({ tenant, acceptance: "counting" }, { limit: 10, now });
  expect(counts.map(({ acceptance, count }) => [acceptance, count])).toEqual([[finding?.acceptance, 1]]);
  return { state: finding?.acceptance, counts: counting.length };
}

/** Entries about one acceptance, in the order of the log; each is one that the evidence knows. */
async function entriesOf(acceptance: number | undefined) {
  const found = (await api.entries(0, 1_000)).map(({ entry }) => parseEntry(entry));
  return found.flatMap(({ type, data }) =>
    type.startsWith("acceptance.") && (data as { acceptance: number }).acceptance === acceptance
      ? [{ type, data }]
      : [],
  );
}

describe("an acceptance of a finding", () => {
  it("quiets it only once a second person confirms, until its date and not a moment longer; each word is an entry", async () => {
    const [id = -1] = await ask(await say("life", "730 days"));
    expect(await meaning("life", startedAt)).toEqual({ state: "asked", counts: 1 });
    await confirm([id]);
    expect(await meaning("life", startedAt + 1)).toEqual({ state: "accepted", counts: 0 });
    expect(await meaning("life", until - 1)).toEqual({ state: "accepted", counts: 0 });
    expect(await meaning("life", until)).toEqual({ state: "expired", counts: 1 });
    expect(await stores.cs_executor.acceptanceNextEnd()).toBe(until);
    expect(await stores.cs_executor.acceptancesExpire(until - 1)).toBe(0);
    expect(await stores.cs_executor.acceptancesExpire(until)).toBe(1);
    expect(await stores.cs_executor.acceptancesExpire(until)).toBe(0);
    expect(await meaning("life", until + 1)).toEqual({ state: "expired", counts: 1 });
    expect(await entriesOf(id)).toMatchObject([
      {
        type: "acceptance.asked",
        data: {
          code: "long-lived",
          credential: "k",
          object: "o",
          observed: "730 days",
          person: ada,
          tenant: "life",
          until: new Date(until).toISOString(),
        },
      },
      { type: "acceptance.confirmed", data: { askedBy: ada, person: bob } },
      { type: "acceptance.expired", data: { acceptance: id } },
    ]);
    // It can be asked for once more, and the old words do not count for the new one.
    const [again = -1] = await ask(await say("life", "730 days", until), { at: until, until: until + day });
    expect(again).not.toBe(id);
    expect(await meaning("life", until + 1)).toEqual({ state: "asked", counts: 1 });
  });

  it("is refused to the one who asked, to whoever comes late or second, and for what is not so", async () => {
    const finding = await say("refused", "730 days");
    const [id = -1] = await ask(finding);
    const code = (is: string) => expect.objectContaining({ code: is });
    await expect(confirm([id], ada)).rejects.toEqual(code("FORBIDDEN"));
    await expect(confirm([id], bob, until)).rejects.toEqual(code("STATE_CONFLICT"));
    await expect(confirm([999_999])).rejects.toEqual(code("NOT_FOUND"));
    await expect(ask(finding)).rejects.toEqual(code("STATE_CONFLICT"));
    await expect(ask(999_999)).rejects.toEqual(code("NOT_FOUND"));
    await confirm([id]);
    await expect(confirm([id])).rejects.toEqual(code("STATE_CONFLICT"));
    await say("refused", null, startedAt + day);
    await expect(ask(finding, { at: startedAt + day })).rejects.toEqual(code("STATE_CONFLICT"));
    // Several are one word: where one is refused, none is said.
    const other = await say("several", "730 days");
    await expect(
      api.acceptanceAsk({ findings: [other, 999_999], until, person: ada, reason, at: startedAt }),
    ).rejects.toEqual(code("NOT_FOUND"));
    expect(await meaning("several", startedAt)).toEqual({ state: "none", counts: 1 });
  });

  it("is of what was seen: something worse counts, cannot be confirmed any more, and what comes back is still accepted", async () => {
    const [id = -1] = await ask(await say("changed", "730 days"));
    await say("changed", "3650 days", startedAt + 1);
    await expect(confirm([id], bob, startedAt + 2)).rejects.toMatchObject({ code: "STATE_CONFLICT" });
    await say("changed", "730 days", startedAt + 3);
    await confirm([id], bob, startedAt + 4);
    await say("changed", "3650 days", startedAt + 5);
    expect(await meaning("changed", startedAt + 5)).toEqual({ state: "changed", counts: 1 });
    await say("changed", null, startedAt + 6);
    await say("changed", "730 days", startedAt + 7);
    expect(await meaning("changed", startedAt + 7)).toEqual({ state: "accepted", counts: 0 });
  });

  it("is taken back once, asked for or accepted, and counts at once", async () => {
    const finding = await say("withdrawn", "730 days");
    for (const isConfirmed of [false, true]) {
      const [id = -1] = await ask(finding);
      if (isConfirmed) await confirm([id]);
      await api.acceptanceWithdraw({ acceptances: [id], person: ada, at: startedAt + 2 });
      expect(await meaning("withdrawn", startedAt + 2)).toEqual({ state: "none", counts: 1 });
      await expect(api.acceptanceWithdraw({ acceptances: [id], person: ada, at: startedAt + 3 })).rejects.toMatchObject(
        { code: "STATE_CONFLICT" },
      );
      expect((await entriesOf(id)).at(-1)).toEqual({
        type: "acceptance.withdrawn",
        data: { acceptance: id, person: ada },
      });
    }
  });

  it("that nobody confirmed in time was never one", async () => {
    await ask(await say("unconfirmed", "730 days"));
    expect(await meaning("unconfirmed", until)).toEqual({ state: "none", counts: 1 });
    await stores.cs_executor.acceptancesExpire(until);
    expect(await meaning("unconfirmed", until + 1)).toEqual({ state: "none", counts: 1 });
  });

  it("of many people who confirm, and of many who ask, one comes first", async () => {
    const finding = await say("race", "730 days");
    const asks = await Promise.allSettled([1, 2, 3, 4].map(() => ask(finding)));
    const asked = asks.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
    expect(asked).toHaveLength(1);
    const words = await Promise.allSettled([1, 2, 3, 4].map(() => confirm(asked)));
    expect(words.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect((await entriesOf(asked[0])).map(({ type }) => type)).toEqual(["acceptance.asked", "acceptance.confirmed"]);
  });
});
