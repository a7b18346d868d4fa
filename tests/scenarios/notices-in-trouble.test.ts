import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { tellOnFailure } from "./failure.ts";
import { Stage } from "./stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open({
    applications: ["app-unread", "app-stuck", "app-fine"].map((name) => ({ name })),
    notices: "{ remindAfterSeconds: [14400], escalate: null }",
  });
});
afterAll(() => stage?.close());
beforeEach(() => tellOnFailure(stage));

const toldOf = (application: string) =>
  stage.sink.notices.filter(({ data }) => data.application === application).map(({ type }) => type);
const saidOf = (event: string, run: string) =>
  stage.said
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter((one) => one.event === event && one.run === run);

describe("a notice whose plan cannot be read", () => {
  it("is told with what the run's row says, and that the plan could not be read; others go on as ever", async () => {
    const unread = await stage.request("app-unread");
    const fine = await stage.request("app-fine");
    await stage.asDatabaseOwner((owner) =>
      owner.query("update cs.plan set body = convert_to('{}', 'UTF8') where run_id = $1", [unread]),
    );
    await stage.advance(4 * 3_600 + 60);
    const [about] = stage.sink.notices.filter(({ type, data }) => type === "approval.reminder" && data.run === unread);
    expect(about?.data).toMatchObject({ application: "app-unread", environment: "dev", planUnread: true });
    expect(about?.data).not.toHaveProperty("steps");
    expect(
      stage.sink.notices.find(({ type, data }) => type === "approval.reminder" && data.run === fine)?.data,
    ).toHaveProperty("steps");
    expect(stage.said.filter((line) => line.includes("notifier.failed"))).toEqual([]);
  });
});

describe("a notice that cannot be routed", () => {
  it("is tried again in growing pauses and delays no other; once it can be, it is told", async () => {
    await stage.asDatabaseOwner((owner) =>
      owner.query(`
        create function cs.stuck() returns trigger language plpgsql as $$ begin
          if exists (select from cs.notice n join cs.run r on r.id = n.run_id where n.id = new.notice_id and r.target_key = 'app-stuck')
            then raise exception 'stuck'; end if;
          return new; end $$;
        create trigger stuck before insert on cs.delivery for each row execute function cs.stuck()`),
    );
    const run = await stage.request("app-stuck");
    await (await stage.as("cleo")).withdraw({ params: { id: (await stage.newestOf("app-fine")) ?? "" }, body: {} });
    const fine = await stage.request("app-fine");
    expect(stage.sink.notices.some(({ type, data }) => type === "run.awaiting-approval" && data.run === fine)).toBe(
      true,
    );
    await stage.advance(3_600);
    // At 0 s, 5 s, 35 s, 2.5 min, 12.5 min and 42.5 min.
    expect(saidOf("notice.postponed", run).map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(toldOf("app-stuck")).toEqual([]);
    await stage.asDatabaseOwner((owner) => owner.query("drop trigger stuck on cs.delivery"));
    await stage.advance(2 * 3_600);
    expect(toldOf("app-stuck")).toEqual(["run.awaiting-approval"]);
    expect(stage.said.filter((line) => line.includes("notifier.failed"))).toEqual([]);
  });
});
