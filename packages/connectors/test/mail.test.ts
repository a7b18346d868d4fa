import { type Mail, type MailServer, SecretValue } from "@countersign/core";
import { createPrivateAuthority } from "@countersign/simulator";
import { afterEach, describe, expect, it } from "vitest";
import { openPostbox, type Postbox } from "../../../tests/scenarios/postbox.ts";
import { openMailer } from "../src/mail/mailer.ts";

const authority = createPrivateAuthority(new Date());
const stranger = createPrivateAuthority(new Date());
const mailer = openMailer({ loopback: true, ca: [authority.caPem], callDeadlineMs: 1_500 });
const open: Postbox[] = [];
afterEach(async () => {
  for (const box of open.splice(0)) await box.close();
});

async function box(options: Parameters<typeof openPostbox>[0]): Promise<Postbox> {
  const made = await openPostbox(options);
  open.push(made);
  return made;
}

const mail: Mail = {
  id: "cs.0123456789abcdef@corp.example",
  thread: "run_1@corp.example",
  from: "countersign@corp.example",
  to: "ada@corp.example",
  subject: "Approval needed: rotation of Zahlungen für Köln",
  text: "Zeile eins\n.\nlast line",
};
const never = new AbortController().signal;
const account = { user: "countersign", password: SecretValue.of("pass word") };
const at = (port: number, more: Partial<MailServer> = {}): MailServer => ({
  host: "localhost",
  port,
  tls: "starttls",
  account: null,
  ...more,
});
const withSignIn = {
  onAuth: ((auth, _, done) =>
    auth.username === "countersign" && auth.password === "pass word"
      ? done(null, { user: auth.username })
      : done(Object.assign(new Error("no"), { responseCode: 535 }))) as NonNullable<
    NonNullable<Parameters<typeof openPostbox>[0]>["onAuth"]
  >,
};

describe("a mail", () => {
  it("goes out over STARTTLS after a sign-in, with its own id, as plain text that no header or line can break out of", async () => {
    const { port, mails } = await box({ ...authority.server, ...withSignIn });
    expect(await mailer.send(at(port, { account }), mail, never)).toEqual({ status: 250, refused: "nothing" });
    expect(mails).toHaveLength(1);
    const [taken] = mails;
    expect(taken).toMatchObject({ from: mail.from, to: [mail.to], user: "countersign", secure: true });
    expect(taken?.text.trimEnd()).toBe(mail.text);
    const headers = Object.fromEntries(taken?.headers ?? []);
    expect(headers).toMatchObject({
      "message-id": [`<${mail.id}>`],
      references: [`<${mail.thread}>`],
      subject: [mail.subject],
      "auto-submitted": ["auto-generated"],
      from: [mail.from],
      to: [mail.to],
    });
    expect(Object.keys(headers)).not.toContain("bcc");
  });

  it("goes out over TLS from the start where the configuration says so", async () => {
    const { port, mails } = await box({ ...authority.server, secure: true });
    expect(await mailer.send(at(port, { tls: "implicit" }), mail, never)).toMatchObject({ status: 250 });
    expect(mails[0]?.secure).toBe(true);
  });

  it("keeps its id in a repeat, so that the second is recognised", async () => {
    const { port, mails } = await box(authority.server);
    await mailer.send(at(port), mail, never);
    await mailer.send(at(port), mail, never);
    expect(new Set(mails.map(({ headers }) => headers.get("message-id")?.[0])).size).toBe(1);
  });

  it.each([
    "ada@corp.example\r\nBcc: eve@evil.example",
    "ada@corp.example>\r\nRCPT TO:<eve@evil.example",
    "a b@c",
    "ada@",
    "a@b,c@d",
  ])("is not sent to %j: that is no address", async (to) => {
    const postbox = await box(authority.server);
    await expect(mailer.send(at(postbox.port), { ...mail, to }, never)).rejects.toMatchObject({
      code: "OUTSIDE_INVALID",
    });
    expect(postbox.sessions).toBe(0);
  });

  it("has no header more, whatever its subject holds", async () => {
    const { port, mails } = await box(authority.server);
    await mailer.send(at(port), { ...mail, subject: "hello\r\nBcc: eve@evil.example\r\n\r\nbody" }, never);
    expect([...(mails[0]?.headers.keys() ?? [])]).not.toContain("bcc");
    expect(mails[0]).toMatchObject({ to: [mail.to] });
  });
});

describe("a connection that is not safe", () => {
  it("is given up before the password: no STARTTLS, another authority's certificate", async () => {
    const plain = await box({ ...withSignIn, hideSTARTTLS: true });
    expect(await mailer.send(at(plain.port, { account }), mail, never)).toMatchObject({ noAnswer: "not-sent" });
    const other = await box({ ...stranger.server, ...withSignIn });
    expect(await mailer.send(at(other.port, { account }), mail, never)).toMatchObject({ noAnswer: "not-sent" });
    expect([...plain.mails, ...other.mails]).toEqual([]);
  });

  it("without TLS is refused anywhere but on a loopback that is allowed", async () => {
    const { port } = await box({});
    expect(await mailer.send(at(port, { tls: "none" }), mail, never)).toMatchObject({ status: 250 });
    const refused = { code: "HOST_REFUSED" };
    await expect(mailer.send(at(25, { tls: "none", host: "mail.corp.example" }), mail, never)).rejects.toMatchObject(
      refused,
    );
    const production = openMailer({ loopback: false, ca: [], callDeadlineMs: 500 });
    await expect(production.send(at(port, { tls: "none" }), mail, never)).rejects.toMatchObject(refused);
    expect(await production.send(at(port), mail, never)).toMatchObject({ noAnswer: "not-sent" });
  });
});

describe("what the server says", () => {
  it.each([
    [{ recipient: 550 }, { status: 550, refused: "recipient" }],
    [{ recipient: 450 }, { status: 450, refused: "recipient" }],
    [{ message: 554 }, { status: 554, refused: "message" }],
    [{ message: 451 }, { status: 451, refused: "message" }],
  ] as const)("%j is passed on with its number", async (how, answer) => {
    const { port, mails, treat } = await box(authority.server);
    treat(mail.to, how);
    expect(await mailer.send(at(port), mail, never)).toEqual(answer);
    expect(mails).toEqual([]);
  });

  it("to a wrong password is the session's, not the recipient's", async () => {
    const { port } = await box({ ...authority.server, ...withSignIn });
    const wrong = { user: "countersign", password: SecretValue.of("other") };
    expect(await mailer.send(at(port, { account: wrong }), mail, never)).toEqual({ status: 535, refused: "session" });
  });

  it("and is lost after the mail has left, is not known: never that it did not arrive", async () => {
    const { port, mails, treat } = await box(authority.server);
    treat(mail.to, "lose-answer", 1);
    expect(await mailer.send(at(port), mail, never)).toMatchObject({ noAnswer: "lost" });
    treat(mail.to, "never-answer", 1);
    expect(await mailer.send(at(port), mail, never)).toMatchObject({ noAnswer: "deadline" });
    expect(mails).toHaveLength(2);
  });

  it("when nobody listens is that nothing left", async () => {
    const { port, close } = await openPostbox();
    await close();
    expect(await mailer.send(at(port), mail, never)).toMatchObject({ noAnswer: "not-sent", errorCode: "ECONNREFUSED" });
  });
});
