import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { channelOf, roomText } from "./channels.ts";
import { personId } from "./documents.ts";
import { tellOnFailure } from "./failure.ts";
import { Stage } from "./stage.ts";

/** What one notice says of credentials that expire. */
interface Expiring {
  readonly total: number;
  readonly items: readonly {
    readonly application: string;
    readonly leftSeconds: number;
    readonly dueAt: string | null;
  }[];
}

const day = 86_400;
const many = ["app-many-1", "app-many-2", "app-many-3"];
let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open({
    // Nothing is due before 14 days are left, so that only people ask.
    applications: [
      ...["app-told", "app-taken", ...many].map((name) => ({ name, expiresInDays: 20 })),
      ...["app-failed", "app-quiet"].map((name) => ({ name })),
    ].map((application) => ({ ...application, consumers: ["latest"] as const, instant: true })),
    channels: ["ops"],
    policy: (yaml) =>
      yaml
        .replaceAll("    windows:", "    tellBeforeExpiry: [P19D, P18D, P17DT12H, P17D]\n    windows:")
        // Before the next day's scan, which asks again then.
        .replaceAll("expiresAfter: P1D", "expiresAfter: PT23H"),
    // Both share the work; each thing is said once all the same.
    roles: ["all", "notifier"],
    notices: `{ expiry: { itemsMax: 2 }, weekly: { cron: "0 8 * * 1", zone: Europe/Berlin, itemsMax: 3 } }`,
  });
  await stage.editRow("app-told", (row) => row.replace(/owners: \[.*\]/, `owners: [${personId("ada")}]`));
  await stage.editRow("app-quiet", (row) =>
    row.replace(/owners: \[.*\]/, `owners: [${personId("ben")}, ${personId("cleo")}]`),
  );
});
afterAll(() => stage?.close());
beforeEach(() => tellOnFailure(stage));

const toldOf = (application: string) =>
  stage.sink.notices
    .filter(({ type }) => type === "credential.expiring")
    .map(({ data }) => data.expiring as Expiring)
    .filter(({ items }) => items.some((item) => item.application === application));
const daysLeft = (application: string) =>
  toldOf(application).map(
    ({ items }) => (items.find((item) => item.application === application)?.leftSeconds ?? 0) / day,
  );

describe("owners are told before it is late", () => {
  it("at each time that policy names, once, whatever is restarted, and over a channel that works when another is dead", async () => {
    await stage.advance(12 * 3_600);
    expect(toldOf("app-told")).toEqual([]);
    const { id } = (await stage.manage("POST", "/faults", { op: "slack.post", kind: "503", times: "always" })) as {
      id: string;
    };
    await stage.advance(13 * 3_600);
    expect(daysLeft("app-told")).toEqual([19]);
    expect(await channelOf(stage, "ops")).toMatchObject({ state: "dead" });
    await stage.stop();
    await stage.start();
    await stage.advance(60);
    expect(toldOf("app-told")).toHaveLength(1);
    await stage.manage("DELETE", `/faults/${id}`);

    const taken = await stage.request("app-taken");
    await stage.advance(day);
    expect(daysLeft("app-told")).toEqual([19, 18]);
    const [room, ...more] = (await roomText(stage, "ops")).filter((text) =>
      text.includes("The client secret of app-told expires in 19 days"),
    );
    expect(more).toEqual([]);
    expect(room).toContain("a rotation is asked for from 2026-11-28T20:00");
    expect(room).toContain(`${stage.url}/credentials`);
    await stage.stop();
    await stage.start();
    await stage.advance(12 * 3_600);
    expect(daysLeft("app-told")).toEqual([19, 18, 17.5]);
    // A run took it over, so nothing was said at 18 days; once nobody had decided over that run, it was.
    expect(await stage.stateOf(taken)).toBe("expired");
    expect(daysLeft("app-taken")).toEqual([19, expect.closeTo(17.96, 2), 17.5]);
  });

  it("whoever decides over a plan is told where it is used that nobody has declared", async () => {
    const run = (await stage.newestOf("app-taken")) ?? "";
    const seen = "other/app-taken, partner/app-taken";
    expect((await stage.run(run)).findings).toContainEqual(
      expect.objectContaining({ code: "undeclared-use", result: "warn", observed: seen }),
    );
    const asked = stage.sink.notices.find(({ type, data }) => type === "run.awaiting-approval" && data.run === run);
    expect(asked?.data.warnings).toContainEqual(expect.stringMatching(`It is used where .* Seen: ${seen}\\.`));
  });

  it("in one notice for the same owners, with so many lines and a word about the rest", async () => {
    const texts = (await roomText(stage, "ops")).filter((text) =>
      text.includes("credentials of your applications expire"),
    );
    // At 18 days without the one that a run had taken over.
    expect(texts.map((text) => /\d+ credentials/.exec(text)?.[0])).toEqual([
      "4 credentials",
      "3 credentials",
      "4 credentials",
    ]);
    expect(texts[0]?.match(/client secret [^ ]+ expires/g)).toHaveLength(2);
    expect(texts[0]).toContain("and 2 more: see the page");
  });
});

describe("a week of an owner", () => {
  const weekOf = (login: string) =>
    stage.sink.notices
      .filter(({ type }) => type === "owner.weekly")
      .map(({ data }) => data)
      .filter(({ audience }) => (audience as string[]).includes(personId(login)));

  it("is told on Monday at eight in Berlin, to each owner once by two notifiers, and not to whom it has nothing new to say", async () => {
    // The first Monday came half a day after the start, before any run.
    const first = { items: { length: 3 }, total: 5 };
    expect(weekOf("ada")).toMatchObject([
      { expiring: first, waiting: { total: 0 }, held: { total: 0 }, failed: { total: 0 } },
    ]);
    expect(weekOf("dora")).toMatchObject([{ expiring: { total: 4 } }]);
    // Nothing is before these two but what the first scan has found.
    const long = { code: "long-lived", application: "app-quiet", observed: "400 days", required: "at most 90 days" };
    for (const login of ["ben", "cleo"] as const)
      expect(weekOf(login)).toMatchObject([{ expiring: { total: 0 }, found: { total: 1, items: [long] } }]);

    await stage.editRow("app-failed", (row) => row.replace("connection: main, name", "connection: other, name"));
    await stage.request("app-failed");
    // Half a day before the second Monday the scan asks for all five, whose 14 days have begun; nobody decides over
    // them for 23 hours, so that they are asked for once more.
    await stage.advance(4.8 * day);
    await stage.stop();
    await stage.start();
    await stage.advance(0.3 * day);
    const [, week, ...more] = weekOf("ada");
    expect(more).toEqual([]);
    expect(weekOf("dora")).toHaveLength(2);
    // The five ended before the scan of this very morning, which has asked for each of them again.
    expect(week).toMatchObject({ waiting: { total: 5 }, expiring: { total: 0 }, held: { total: 0 } });
    // What he owns is well, but as one of the platform team he is waited for.
    expect(weekOf("ben").slice(1)).toMatchObject([{ waiting: { total: 5 }, failed: { total: 0 } }]);
    // A use that nobody has declared was seen since: both owners hear of it first, and again of what stands.
    const use = { code: "undeclared-use", observed: "other/app-quiet, partner/app-quiet" };
    for (const login of ["ben", "cleo"] as const)
      expect(weekOf(login)[1]).toMatchObject({ found: { total: 2, items: [use, long] } });
    // Five that nobody decided over, one before them, and the one that was blocked.
    expect(week?.failed).toMatchObject({ total: 7, items: { length: 3 } });
    // Nobody else reads it where nobody has asked for it.
    expect((await roomText(stage, "ops")).filter((text) => text.includes("Your week"))).toEqual([]);
    const { rows } = await stage.asDatabaseOwner((owner) =>
      owner.query<{ at: string }>(
        "select (to_timestamp(max(created_at) / 1000) at time zone 'Europe/Berlin')::text as at from cs.notice where kind = 'owner.weekly'",
      ),
    );
    expect(rows).toEqual([{ at: "2026-11-30 08:00:00" }]);

    // In the third week all of that still stands, and nobody is written to for that alone.
    await stage.advance(7 * day);
    expect([weekOf("ada").length, weekOf("cleo").length]).toEqual([3, 2]);
  });
});
