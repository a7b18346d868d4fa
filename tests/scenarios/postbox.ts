import type { AddressInfo } from "node:net";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";
import { type ParsedMail, parseMail } from "./parsed-mail.ts";

/** A mail as the server took it. */
export interface Taken extends ParsedMail {
  readonly from: string;
  readonly to: readonly string[];
  /** Who had signed in. */
  readonly user: string | null;
  readonly secure: boolean;
}

/** What the server does with a mail: takes it, refuses it by a number, or takes it and lets its answer be lost or wait for ever. */
export type Treatment =
  | "take"
  | "lose-answer"
  | "never-answer"
  | { readonly recipient: number }
  | { readonly message: number };

export interface Postbox {
  readonly port: number;
  readonly mails: readonly Taken[];
  /** Sessions that were begun. */
  readonly sessions: number;
  /** What happens to mail for this address (`*`: for everybody) from now on, so many times. */
  readonly treat: (address: string, how: Treatment, times?: number) => void;
  readonly close: () => Promise<void>;
}

/** A real SMTP server on loopback. */
export async function openPostbox(options: SMTPServerOptions = {}): Promise<Postbox> {
  const mails: Taken[] = [];
  const rules: { address: string; how: Treatment; left: number }[] = [];
  let sessions = 0;
  const next = (address: string, at: "recipient" | "data"): Treatment => {
    const rule = rules.find(
      (one) => (one.address === address || one.address === "*") && one.left > 0 && isAt(one.how, at),
    );
    if (rule === undefined) return "take";
    rule.left -= 1;
    return rule.how;
  };
  const refusal = (code: number) => Object.assign(new Error("refused by the test"), { responseCode: code });
  const sockets = new Set<{ destroy(): void }>();
  const server = new SMTPServer({
    authOptional: options.onAuth === undefined,
    disabledCommands: options.onAuth === undefined ? ["AUTH"] : [],
    disableReverseLookup: true,
    logger: false,
    ...options,
    onConnect(_, done) {
      sessions += 1;
      done();
    },
    onRcptTo({ address }, _, done) {
      const how = next(address, "recipient");
      done(typeof how === "object" && "recipient" in how ? refusal(how.recipient) : null);
    },
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        const { mailFrom, rcptTo } = session.envelope;
        const to = rcptTo.map(({ address }) => address);
        const how = next(to[0] ?? "", "data");
        if (typeof how === "object" && "message" in how) return done(refusal(how.message));
        mails.push({
          ...parseMail(Buffer.concat(chunks)),
          from: mailFrom === false ? "" : mailFrom.address,
          to,
          user: session.user === undefined ? null : String(session.user),
          secure: session.secure,
        });
        if (how === "never-answer") return;
        if (how === "lose-answer") for (const socket of sockets) socket.destroy();
        else done();
      });
    },
  });
  server.on("error", () => {});
  server.server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.server.address() as AddressInfo).port,
    mails,
    get sessions() {
      return sessions;
    },
    treat: (address, how, times = Number.POSITIVE_INFINITY) => rules.push({ address, how, left: times }),
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

function isAt(how: Treatment, at: "recipient" | "data"): boolean {
  return (typeof how === "object" && "recipient" in how) === (at === "recipient");
}
