import type { SecretValue } from "@countersign/core";
import type { Message } from "../message.ts";
import type { Outside } from "../outside.ts";
import { arrived, type Channel, notArrived } from "./channel.ts";

/** A message of a workflow may have about 28 KB (Teams docs, webhooks: limits); the rest is for what stands around it. */
const cardBytesMax = 24_000;

/** Text of others: a TextRun interprets no Markdown (Adaptive Cards schema, TextRun), a TextBlock would. */
const run = (text: string, more: object = {}) => ({ type: "TextRun", text, ...more });
const line = (inlines: readonly object[], more: object = {}) => ({ type: "RichTextBlock", inlines, ...more });

/**
 * An Adaptive Card for a workflow of the kind "When a Teams webhook request is received". Office 365 connectors and their
 * message cards are retired. The only action opens the page: approving happens there.
 */
export function teamsPayload(message: Message): object {
  const body: object[] = [
    line([run(message.title, { weight: "Bolder", size: "Large" })]),
    ...message.facts.map(({ label, value }) =>
      line([run(`${label}: `, { weight: "Bolder" }), run(value)], { spacing: "Small" }),
    ),
    ...message.lists.flatMap(({ title, items }) => [
      ...(title === "" ? [] : [line([run(title, { weight: "Bolder" })], { spacing: "Medium" })]),
      ...items.map((item) => line([run(`• ${item}`)], { spacing: "None" })),
    ]),
  ];
  while (body.length > 2 && Buffer.byteLength(JSON.stringify(body)) > cardBytesMax) body.pop();
  return {
    type: "message",
    attachments: [
      {
        contentType: "application/vnd.microsoft.card.adaptive",
        contentUrl: null,
        content: {
          $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
          type: "AdaptiveCard",
          version: "1.4",
          body,
          actions: [{ type: "Action.OpenUrl", title: message.linkText, url: message.link }],
        },
      },
    ],
  };
}

/** A Teams channel behind a Power Automate workflow, whose address holds its signature and is the secret. */
export function teamsChannel(options: {
  readonly name: string;
  readonly url: () => SecretValue;
  readonly hosts: readonly string[];
  readonly outside: Outside;
  readonly callDeadlineMs: number;
}): Channel {
  const { name, outside } = options;
  return {
    name,
    kind: "teams",
    busyMsMax: options.callDeadlineMs,
    async send({ message, now, signal }) {
      const answer = await outside.send({
        method: "POST",
        url: outside.secretAddress(options.url().reveal(), options.hosts),
        headers: { "content-type": "application/json; charset=utf-8" },
        body: JSON.stringify(teamsPayload(message)),
        signal,
      });
      // 202 says that the flow has it, not that it has posted it: the flow's own run history knows.
      const ok = "status" in answer && (answer.status === 200 || answer.status === 202);
      return ok ? { ...arrived, status: answer.status } : notArrived(answer, now, [400, 413]);
    },
  };
}
