import type { SecretValue } from "@countersign/core";
import type { Message } from "../message.ts";
import type { Outside } from "../outside.ts";
import { plainText, slackText } from "../plain-text.ts";
import { arrived, type Channel, failure, notArrived } from "./channel.ts";

/** Limits of Block Kit (Slack docs, block-kit reference): header 150, text 3,000, a field 2,000 characters, 10 fields. */
const headerCharsMax = 150;
const textCharsMax = 2_900;
const fieldsMax = 10;

const plain = (text: string, charsMax: number) => ({
  type: "plain_text",
  text: text.length <= charsMax ? text : `${text.slice(0, charsMax - 1)}…`,
  emoji: false,
});

/**
 * What is posted. Foreign text stands in `plain_text` objects, in which Slack interprets nothing; only our own link is
 * mrkdwn. There is no button: approving happens on the page.
 */
export function slackPayload(message: Message): object {
  const link = `<${encodeURI(message.link)}|${message.linkText}>`;
  const fields = message.facts.map(({ label, value }) => plain(`${label}\n${value}`, 1_900));
  return {
    // Shown in notifications, and interpreted there.
    text: slackText(plainText(message.title, 250)),
    unfurl_links: false,
    unfurl_media: false,
    blocks: [
      { type: "header", text: plain(message.title, headerCharsMax) },
      ...chunks(fields, fieldsMax).map((part) => ({ type: "section", fields: part })),
      ...message.lists.slice(0, 8).map(({ title, items }) => ({
        type: "section",
        text: plain([...(title === "" ? [] : [title]), ...items.map((item) => `• ${item}`)].join("\n"), textCharsMax),
      })),
      { type: "section", text: { type: "mrkdwn", text: link, verbatim: true } },
    ],
  };
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, n) => items.slice(n * size, (n + 1) * size));
}

/** A Slack channel behind an incoming webhook, whose address is the secret. */
export function slackChannel(options: {
  readonly name: string;
  readonly url: () => SecretValue;
  readonly hosts: readonly string[];
  readonly outside: Outside;
  readonly callDeadlineMs: number;
}): Channel {
  const { name, outside } = options;
  return {
    name,
    kind: "slack",
    busyMsMax: options.callDeadlineMs,
    async send({ message, now, signal }) {
      const answer = await outside.send({
        method: "POST",
        url: outside.secretAddress(options.url().reveal(), options.hosts),
        headers: { "content-type": "application/json; charset=utf-8" },
        body: JSON.stringify(slackPayload(message)),
        signal,
      });
      if (!("status" in answer) || answer.status !== 200) return notArrived(answer, now, [400, 413]);
      // Its success is the word `ok`; anything else with a 200 is a page of something in between.
      return answer.text.trim() === "ok"
        ? { ...arrived, status: 200 }
        : failure("not-the-documented-answer", { status: 200, outcome: "unknown" });
    },
  };
}
