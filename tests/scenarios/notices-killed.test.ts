import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { deliveriesOf, failPartner, roomText, ticketsOf } from "./channels.ts";
import { stageLiveness } from "./documents.ts";
import { tellOnFailure } from "./failure.ts";
import { openPostbox, type Postbox } from "./postbox.ts";
import { RoleProcesses } from "./role-processes.ts";
import { Stage } from "./stage.ts";

const channels = ["ops", "jira", "snow"] as const;
const processes = new RoleProcesses(channels);
let stage: Stage;
let postbox: Postbox;
beforeAll(async () => {
  postbox = await openPostbox();
  stage = await Stage.open({
    applications: [
      { name: "app-killed" },
      { name: "app-late", expiresInDays: 20, consumers: ["latest"], instant: true },
    ],
    policy: (yaml) => yaml.replaceAll("    windows:", "    tellBeforeExpiry: [P19D]\n    windows:"),
    channels,
    product: processes,
    // A call that is held is to be ended by the kill and not by its deadline.
    liveness: { ...stageLiveness, callDeadlineMs: 20_000, settleMs: 20_000 },
    config: (yaml) =>
      yaml.replace(
        "notify: [",
        `notify: [{ kind: mail, host: localhost, port: ${postbox.port}, tls: none, from: countersign@stage.example, kinds: [run.rolling-back, run.rolled-back, credential.expiring] }, `,
      ),
  });
});
afterAll(async () => {
  await stage?.close();
  await postbox?.close();
});
beforeEach(() => tellOnFailure(stage));

const lookMs = 20;
const desks = ["jira", "snow"] as const;

/** The next call of each kind does what it should, and its answer does not come. */
async function holdAnswers(...ops: string[]): Promise<void> {
  for (const op of ops) await stage.manage("POST", "/holds", { op, position: "after-effect", times: 1 });
  postbox.treat("*", "never-answer", 1);
}

/** Waits until so many calls and one more mail stand at that point, kills the notifier there, and starts it again. */
async function killAt(held: number, withinSeconds: number): Promise<void> {
  const mails = postbox.mails.length;
  const moving = stage.advance(withinSeconds);
  for (;;) {
    const now = (await stage.manage("GET", "/holds")) as { held: unknown[] };
    if (now.held.length === held && postbox.mails.length > mails) break;
    await delay(lookMs);
  }
  await processes.kill("notifier");
  await stage.manage("DELETE", "/holds");
  await processes.startOne("notifier");
  await moving;
  // What the dead one had taken is due again when that attempt could have ended.
  await stage.advance(600);
}

const rollingBack = "The rotation of app-killed failed and is rolled back";
const rolledBack = "The rotation of app-killed was rolled back; the old credential is still in use";
const timesIn = async (room: string, title: string) =>
  (await roomText(stage, room)).filter((text) => text.includes(title)).length;

describe("a notifier that is killed between sending and recording, in every channel at once", () => {
  it("makes one ticket and one entry per notice, repeats a mail under its Message-ID only, and loses nothing", async () => {
    await failPartner(stage, "app-killed");
    const run = await stage.request("app-killed");
    await stage.settle();

    await holdAnswers("slack.post", "issue.create", "record.create");
    await stage.approve(run);
    await killAt(3, 600);
    for (const desk of desks) {
      const tickets = await ticketsOf(stage, desk, "app-killed");
      expect(tickets, desk).toMatchObject([{ closed: false, comments: [] }]);
    }

    await holdAnswers("slack.post", "comment.add", "record.update");
    await killAt(3, 7_200);
    expect(await stage.stateOf(run)).toBe("rolled_back");
    for (const desk of desks) {
      const [ticket, ...more] = await ticketsOf(stage, desk, "app-killed");
      expect(more, desk).toEqual([]);
      expect(
        ticket?.comments.map(({ text }) => text.split("\n")[0]),
        desk,
      ).toEqual([rolledBack]);
    }

    // A chat cannot be asked what it has: at worst it says a thing twice.
    expect(await timesIn("ops", rollingBack)).toBe(2);
    expect(await timesIn("ops", rolledBack)).toBe(2);
    for (const title of [rollingBack, rolledBack]) {
      const mails = postbox.mails.filter(({ headers }) => headers.get("subject")?.[0] === title);
      const people = new Set(mails.flatMap(({ to }) => to));
      expect([...people].sort()).toEqual(["ada", "cleo", "dora"].map((login) => `${login}@stage.example`));
      // One mail came twice, and both are the same mail.
      expect(mails).toHaveLength(people.size + 1);
      expect(new Set(mails.map(({ headers }) => headers.get("message-id")?.[0])).size).toBe(people.size);
    }
    for (const channel of [...channels, "mail", "webhook"]) {
      const states = (await deliveriesOf(stage, run, channel)).map(({ state }) => state);
      expect(new Set(states), channel).toEqual(new Set(["sent"]));
    }
    expect(await stage.verdict(run)).toBe("proven");
  });
});

describe("the notifier is killed between sending and recording that a credential expires", () => {
  it("says it once in each channel that can tell, and makes no second notice of it", async () => {
    await holdAnswers("slack.post");
    // The 19 days begin within the next day and a half.
    await killAt(1, 36 * 3_600);
    const title = "The client secret of app-late expires in 19 days";
    expect(await timesIn("ops", title)).toBe(2);
    const mails = postbox.mails.filter(({ headers }) => headers.get("subject")?.[0] === title);
    expect([...new Set(mails.flatMap(({ to }) => to))].sort()).toEqual(["ada@stage.example", "dora@stage.example"]);
    expect(new Set(mails.map(({ headers }) => headers.get("message-id")?.[0])).size).toBe(2);
    const { rows } = await stage.asDatabaseOwner((owner) =>
      owner.query("select state from cs.notice where kind = 'credential.expiring'"),
    );
    expect(rows).toEqual([{ state: "sent" }]);
  });
});
