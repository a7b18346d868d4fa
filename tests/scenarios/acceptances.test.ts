import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Login } from "./documents.ts";
import { tellOnFailure } from "./failure.ts";
import { refusal, Stage } from "./stage.ts";

/** What people accept until a date, over the whole product: the register that keeps findings from becoming noise. */
let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open({
    applications: [{ name: "app-one", consumers: ["latest"] }],
    knobs: { preset: "off" },
  });
});
afterAll(() => stage?.close());
beforeEach(() => tellOnFailure(stage));

const daySeconds = 86_400;
const reason = "Its vendor replaces it in spring; ticket 4711.";

/** What one person is shown in one state: the codes, and how many there are in each state. */
async function shown(state: "open" | "accepted" | "asked" | "expired", login: Login = "ada") {
  const { items, facets } = await (await stage.as(login)).listFindings({ query: { state } });
  const counts = Object.fromEntries((facets.state ?? []).map(({ value, count }) => [value, count]));
  return { items, counts };
}

const words = async () =>
  (
    await stage.asDatabaseOwner((client) =>
      client.query("select type from journal.log_entry where type like 'acceptance.%' order by idx"),
    )
  ).rows.map(({ type }: { type: string }) => type);

describe("a finding that nobody can do anything about before spring", () => {
  it("is asked for by its owner, confirmed by security and by nobody else, counts no more, and stands open again on its date", async () => {
    await (await stage.as("cleo")).scan({ body: {} });
    await stage.settle();
    const before = await shown("open");
    const [finding] = before.items;
    expect(before.counts).toEqual({ open: before.items.length, accepted: 0, asked: 0, expired: 0 });
    const now = Date.parse((await (await stage.as("ada")).getStatus({})).now);
    const until = new Date(now + 2 * daySeconds * 1_000).toISOString();
    const { acceptances } = await (await stage.as("ada")).askAcceptances({
      body: { findings: [finding?.id ?? -1], until, reason },
    });
    // Asked for is not accepted.
    expect((await shown("open")).counts).toEqual({ ...before.counts, asked: 1 });
    for (const login of ["ada", "ben"] as const)
      expect(await refusal((await stage.as(login)).confirmAcceptances({ body: { acceptances } }))).toEqual({
        code: "FORBIDDEN",
        status: 403,
      });
    await (await stage.as("cleo")).confirmAcceptances({ body: { acceptances } });

    const accepted = await shown("accepted", "ben");
    expect(accepted.counts).toEqual({ open: before.items.length - 1, accepted: 1, asked: 0, expired: 0 });
    expect(accepted.items).toMatchObject([{ id: finding?.id, acceptance: { state: "accepted", until, reason } }]);

    await stage.advance(2 * daySeconds - 60);
    expect((await shown("open")).items.map(({ id }) => id)).not.toContain(finding?.id);
    await stage.advance(60);
    expect((await shown("open")).items.map(({ id }) => id)).toContain(finding?.id);
    expect((await shown("expired")).items).toMatchObject([{ id: finding?.id, acceptance: { state: "expired" } }]);
    await expect.poll(words).toEqual(["acceptance.asked", "acceptance.confirmed", "acceptance.expired"]);
  });

  it("may be in an accepted list and changes nothing for a rotation: no rule reads it", async () => {
    const { items } = await shown("open");
    const until = new Date(Date.parse((await (await stage.as("ada")).getStatus({})).now) + 5 * daySeconds * 1_000);
    const body = { findings: items.flatMap(({ id }) => (id === null ? [] : [id])), until: until.toISOString(), reason };
    const { acceptances } = await (await stage.as("ada")).askAcceptances({ body });
    await (await stage.as("cleo")).confirmAcceptances({ body: { acceptances } });
    expect((await shown("open")).counts).toMatchObject({ open: 0, accepted: items.length });
    const run = await stage.request("app-one");
    expect(await stage.stateOf(run)).toBe("awaiting_approval");
    await (await stage.as("cleo")).withdrawAcceptances({ body: { acceptances } });
    expect((await shown("open")).counts).toMatchObject({ open: items.length, accepted: 0 });
  });
});
