import { createHash } from "node:crypto";
import type { MailAnswer, Mailer, MailServer, SecretValue } from "@countersign/core";
import type { TakenDelivery } from "../../store/index.ts";
import { type Message, plainMessage } from "../message.ts";
import { plainText } from "../plain-text.ts";
import { arrived, type Channel, failure, noAnswer, type Sending, type Sent } from "./channel.ts";

/**
 * Mail to one person a time. There is no way to ask a mail server whether it has a mail already, so a lost answer leads to
 * one more of the same Message-ID: at worst a duplicate that mail programs and people can recognise.
 */
export function mailChannel(options: {
  readonly name: string;
  readonly server: Omit<MailServer, "account"> & { readonly user: string | null; readonly password: () => SecretValue };
  readonly from: string;
  /** Addresses of the configuration; `to-1` is the first. */
  readonly to: readonly string[];
  readonly mailer: Mailer;
  readonly callDeadlineMs: number;
}): Channel {
  const { name, from, to, mailer } = options;

  function recipientOf({ delivery, people }: TakenDelivery): string | null {
    const listed = /^to-([1-9]\d{0,2})$/.exec(delivery.recipient);
    if (listed !== null) return to[Number(listed[1]) - 1] ?? null;
    return people.find(({ id }) => id === delivery.recipient)?.email ?? null;
  }

  return {
    name,
    kind: "mail",
    busyMsMax: options.callDeadlineMs,
    async send(sending) {
      const address = recipientOf(sending.taken);
      if (address === null) return failure("no-address", { final: true, ofChannel: false });
      const { user, password, ...at } = options.server;
      const server = { ...at, account: user === null ? null : { user, password: password() } };
      const answer = await mailer.send(server, mailOf(sending, from, address), sending.signal);
      return "status" in answer ? sentOf(answer) : noAnswer(answer);
    },
  };
}

function mailOf({ taken, message }: Sending, from: string, to: string) {
  const { notice, delivery } = taken;
  const domain = from.slice(from.indexOf("@") + 1);
  return {
    id: `cs.${createHash("sha256").update(`${notice.key}\n${delivery.channel}\n${delivery.recipient}`).digest("hex").slice(0, 32)}@${domain}`,
    thread: notice.runId === null ? null : `${notice.runId}@${domain}`,
    from,
    to,
    subject: subjectOf(message),
    text: plainMessage(message),
  };
}

/** 150 characters: more is cut off on the way anyhow. */
function subjectOf({ title }: Message): string {
  return plainText(title, 150);
}

function sentOf({ status, refused }: MailAnswer): Sent {
  if (refused === "nothing") return { ...arrived, status };
  // 4xx: later; 5xx: never (RFC 5321, 4.2.1). What is refused before the recipient is named is the channel's own trouble.
  const ofChannel = refused === "session";
  return failure(`${refused}-refused`, { status, ofChannel, final: !ofChannel && status >= 500 });
}
