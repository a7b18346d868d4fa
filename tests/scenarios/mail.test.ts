import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { channelOf, deliveriesOf } from "./channels.ts";
import { personId } from "./documents.ts";
import { tellOnFailure } from "./failure.ts";
import { openPostbox, type Postbox } from "./postbox.ts";
import { Stage } from "./stage.ts";

let stage: Stage;
let postbox: Postbox;
beforeAll(async () => {
  postbox = await openPostbox();
  stage = await Stage.open({
    applications: ["app-mail", "app-bounce", "app-left", "app-lost"].map((name) => ({ name })),
    config: (yaml) =>
      yaml.replace(
        "notify: [",
        `notify: [{ kind: mail, host: localhost, port: ${postbox.port}, tls: none, from: countersign@stage.example, kinds: ["run.*", channel.test] }, `,
      ),
  });
});
afterAll(async () => {
  await stage?.close();
  await postbox?.close();
});
beforeEach(() => tellOnFailure(stage));

const addressOf = (login: string) => `${login}@stage.example`;
const mailsTo = (login: string, about: string) =>
  postbox.mails.filter(({ to, text }) => to.includes(addressOf(login)) && text.includes(about));

describe("by mail", () => {
  it("each approver gets one mail with all there is to know and the way to the page, and the requester none", async () => {
    const run = await stage.request("app-mail");
    for (const login of ["ada", "ben", "dora"]) {
      const [mail, ...more] = mailsTo(login, run);
      expect(more, login).toEqual([]);
      expect(mail?.headers.get("subject")).toEqual(["Approval needed: rotation of app-mail"]);
      expect(mail?.headers.get("references")).toEqual([`<${run}@stage.example>`]);
      for (const fact of [
        stage.idsOf("app-mail").appId,
        "What will be done, in this order",
        "If it fails",
        "Decide until",
        `${stage.url}/runs/${run}`,
      ])
        expect(mail?.text).toContain(fact);
    }
    expect(mailsTo("cleo", run)).toEqual([]);
    const ids = postbox.mails.map(({ headers }) => headers.get("message-id")?.[0]);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("an address that is refused fails alone and is seen; whoever runs the installation is told", async () => {
    postbox.treat(addressOf("ben"), { recipient: 550 });
    const run = await stage.request("app-bounce");
    expect(mailsTo("ada", run)).toHaveLength(1);
    const of = async (login: string) =>
      (await deliveriesOf(stage, run, "mail")).find(({ recipient }) => recipient === personId(login));
    expect(await of("ben")).toMatchObject({ state: "failed", code: "recipient-refused", status: 550, attempts: 1 });
    expect(await of("ada")).toMatchObject({ state: "sent" });
    expect(await channelOf(stage, "mail")).toMatchObject({ state: "ok" });
    const told = await stage.sink.until(({ type }) => type === "recipient.refused");
    expect(told.data).toMatchObject({
      channel: "mail",
      recipient: personId("ben"),
      because: { code: "recipient-refused" },
    });
  });

  it("a lost answer leads to one more, with the same id", async () => {
    postbox.treat(addressOf("ada"), "lose-answer", 1);
    const run = await stage.request("app-lost");
    await stage.advance(60);
    const mails = mailsTo("ada", run);
    expect(mails).toHaveLength(2);
    expect(new Set(mails.map(({ headers }) => headers.get("message-id")?.[0])).size).toBe(1);
    expect(
      (await deliveriesOf(stage, run, "mail")).filter(({ state }) => state === "sent").length,
    ).toBeGreaterThanOrEqual(2);
  });

  it("an owner whose mail is refused is a finding of each of his applications, until one is taken again", async () => {
    const refused = async () => {
      await (await stage.as("cleo")).scan({ body: {} });
      await stage.advance(60);
      const { items } = await (await stage.as("cleo")).listFindings({ query: { code: "owner-unreachable" } });
      return items.map(({ application, observed }) => [application, observed]);
    };
    postbox.treat(addressOf("dora"), { recipient: 550 }, 1);
    const run = await stage.request("app-left");
    // Ben's mail was refused too, but he owns nothing here.
    expect(await refused()).toEqual(
      ["app-bounce", "app-left", "app-lost", "app-mail"].map((name) => [name, personId("dora")]),
    );
    await stage.decide("ada", run, "app-owner", "reject");
    await stage.advance(60);
    expect(mailsTo("dora", run).length).toBeGreaterThan(0);
    expect(await refused()).toEqual([]);
  });
});
