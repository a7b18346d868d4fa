import { connect, type Socket } from "node:net";
import { Readable } from "node:stream";
import { getCACertificates } from "node:tls";
import {
  CountersignError,
  type Mail,
  type MailAnswer,
  type Mailer,
  type MailServer,
  type NoAnswer,
} from "@countersign/core";
import MailComposer from "nodemailer/lib/mail-composer";
import SMTPConnection from "nodemailer/lib/smtp-connection";
import { guardedLookup, isLoopbackHost } from "../kit/addresses.ts";

/**
 * One address without anything that could end a header or a command. Narrower than RFC 5321: no quoted local part, no
 * literal address.
 */
const address = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;

export function openMailer(settings: {
  readonly loopback: boolean;
  /** Certificates of private authorities, PEM, beside the system's. */
  readonly ca: readonly string[];
  readonly callDeadlineMs: number;
}): Mailer {
  const trusted = [...getCACertificates("default"), ...settings.ca];

  function connectionOver(socket: Socket, { host, tls }: MailServer): SMTPConnection {
    const timeout = settings.callDeadlineMs;
    return new SMTPConnection({
      host,
      name: "countersign.invalid",
      connection: socket,
      secure: tls === "implicit",
      requireTLS: tls === "starttls",
      ignoreTLS: tls === "none",
      tls: { ca: trusted, minVersion: "TLSv1.2" },
      connectionTimeout: timeout,
      greetingTimeout: timeout,
      socketTimeout: timeout,
      socketCloseTimeout: 0,
    });
  }

  return {
    async send(server, mail, signal) {
      if (server.tls === "none" && !(settings.loopback && isLoopbackHost(server.host)))
        throw new CountersignError("HOST_REFUSED", `expected TLS to ${server.host}, got a connection without`);
      for (const one of [mail.from, mail.to])
        if (!address.test(one))
          throw new CountersignError("OUTSIDE_INVALID", "expected a mail address, got another text");
      const bytes = await bytesOf(mail);
      const attempt = new Attempt(server, settings);
      const deadline = AbortSignal.timeout(settings.callDeadlineMs);
      const stop = AbortSignal.any([signal, deadline]);
      const cut = () => attempt.close();
      stop.addEventListener("abort", cut);
      try {
        stop.throwIfAborted();
        return await attempt.run(connectionOver, mail, bytes);
      } catch (error) {
        if (stop.aborted)
          return noAnswer(attempt.leaving ? (deadline.aborted ? "deadline" : "aborted") : "not-sent", error);
        return answerIn(error) ?? noAnswer(attempt.leaving ? "lost" : "not-sent", error);
      } finally {
        stop.removeEventListener("abort", cut);
        attempt.close();
      }
    },
  };
}

/** One session: knows whether the mail itself has begun to leave. */
class Attempt {
  readonly #server: MailServer;
  readonly #loopback: boolean;
  #socket: Socket | null = null;
  #smtp: SMTPConnection | null = null;
  /** Rejects when the session is to end; the library's own calls may then never answer. */
  readonly #cut = Promise.withResolvers<never>();
  leaving = false;

  constructor(server: MailServer, settings: { readonly loopback: boolean }) {
    this.#server = server;
    this.#loopback = settings.loopback;
    this.#cut.promise.catch(() => {});
  }

  close(): void {
    this.#cut.reject(closed);
    this.#smtp?.close();
    this.#socket?.destroy();
  }

  async run(
    over: (socket: Socket, server: MailServer) => SMTPConnection,
    { from, to }: Mail,
    bytes: Buffer,
  ): Promise<MailAnswer> {
    const { host, port, account } = this.#server;
    const socket = connect({ host, port, lookup: guardedLookup(this.#loopback) });
    this.#socket = socket;
    await settled((done) =>
      socket
        .once("connect", () => done(null))
        .once("error", done)
        .once("close", () => done(closed)),
    );
    const smtp = over(socket, this.#server);
    this.#smtp = smtp;
    smtp.on("error", this.#cut.reject);
    const step = (act: (done: (error?: Error | null) => void) => void) =>
      Promise.race([settled(act), this.#cut.promise]);
    await step((done) => smtp.connect(done));
    if (account !== null)
      await step((done) => smtp.login({ user: account.user, pass: account.password.reveal() }, done));
    // Read only once the server has asked for it.
    const content = new Readable({
      read: () => {
        this.leaving = true;
        content.push(bytes);
        content.push(null);
      },
    });
    await step((done) => smtp.send({ from, to: [to], size: bytes.length }, content, done));
    return { status: 250, refused: "nothing" };
  }
}

const closed = new Error("expected an answer, got the end of the connection");

function settled(act: (done: (error?: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => act((error) => (error == null ? resolve() : reject(error))));
}

/** Plain text only: nothing in it is markup, and there is nothing to click but a link that leads to sign-in. */
function bytesOf({ id, thread, from, to, subject, text }: Mail): Promise<Buffer> {
  const headers = { "Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All" };
  const references = thread === null ? {} : { references: `<${thread}>` };
  return new MailComposer({ messageId: `<${id}>`, from, to, subject, text, headers, ...references }).compile().build();
}

/** What the server said, if it was the server that ended it. */
function answerIn(error: unknown): MailAnswer | null {
  const { responseCode, command } = error as { readonly responseCode?: unknown; readonly command?: unknown };
  if (typeof responseCode !== "number" || responseCode < 400) return null;
  const refused = command === "RCPT TO" ? "recipient" : command === "DATA" ? "message" : "session";
  return { status: responseCode, refused };
}

/** Only the code: a server's words may hold anything. */
function noAnswer(why: NoAnswer["noAnswer"], error: unknown): NoAnswer {
  const { code } = error as { readonly code?: unknown };
  return { noAnswer: why, errorCode: typeof code === "string" ? code : null };
}
