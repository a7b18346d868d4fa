import { z } from "zod";
import { plainText } from "../plain-text.ts";
import {
  entryMarker,
  type FoundTicket,
  type TicketContext,
  TicketFailure,
  type TicketSystem,
  ticketClient,
} from "./system.ts";

const Status = z.object({ statusCategory: z.object({ key: z.string() }) });
const Issue = z.object({
  id: z.string(),
  key: z.string(),
  fields: z.object({ status: Status, labels: z.array(z.string()).default([]) }),
});
const Created = z.object({ id: z.string(), key: z.string() });
const Search = z.object({ issues: z.array(Issue) });
const Comments = z.object({ comments: z.array(z.object({ body: z.unknown() })) });
const Transitions = z.object({
  transitions: z.array(z.object({ id: z.string(), name: z.string(), to: Status })),
});

const hitsMax = 5;
const commentsMax = 100;

/**
 * Jira Cloud, REST API version 3, with an account's API token. The key stands as a label, which JQL finds in every
 * project; properties are found only when an app has them indexed. The index lags behind (`lagMs`); what is read by its
 * key does not.
 */
export function jira(
  options: Parameters<typeof ticketClient>[0] & {
    readonly project: string;
    readonly issueType: string;
    readonly closeTransition: string | null;
    readonly lagMs: number;
  },
): TicketSystem {
  const exchange = ticketClient(options);
  const page = (key: string) => new URL(`/browse/${encodeURIComponent(key)}`, options.url).href;
  const found = (issue: z.output<typeof Issue>): FoundTicket => ({
    id: issue.id,
    key: issue.key,
    url: page(issue.key),
    closed: issue.fields.status.statusCategory.key === "done",
  });
  const issuePath = (id: string, rest = "") => `/rest/api/3/issue/${encodeURIComponent(id)}${rest}`;

  async function read(id: string, ctx: TicketContext): Promise<FoundTicket | null> {
    const call = { method: "GET", path: issuePath(id), query: { fields: "status,labels" } } as const;
    const { status, body } = await exchange({ ...call, expect: [200, 404], answer: Issue.or(z.unknown()) }, ctx);
    const issue = status === 404 ? null : Issue.safeParse(body).data;
    if (issue === undefined)
      throw new TicketFailure({
        outcome: "failed",
        code: "not-the-documented-answer",
        status,
        retryAfterMs: null,
        final: false,
        ofChannel: true,
      });
    return issue === null ? null : found(issue);
  }

  return {
    kind: "jira",
    lagMs: options.lagMs,
    read,
    async find(key, ctx) {
      const jql = `project = "${options.project}" AND labels = "${key}" ORDER BY created ASC`;
      const { body } = await exchange(
        {
          method: "POST",
          path: "/rest/api/3/search/jql",
          json: { jql, fields: ["status", "labels"], maxResults: hitsMax },
          expect: [200],
          answer: Search,
        },
        ctx,
      );
      return body.issues.filter((issue) => issue.fields.labels.includes(key)).map(found);
    },
    async create(key, title, text, ctx) {
      const { body } = await exchange(
        {
          method: "POST",
          path: "/rest/api/3/issue",
          json: {
            fields: {
              project: { key: options.project },
              issuetype: { name: options.issueType },
              summary: plainText(title, 250),
              description: documentOf(text),
              labels: ["countersign", key],
            },
          },
          expect: [201],
          answer: Created,
        },
        ctx,
      );
      return { id: body.id, key: body.key, url: page(body.key), closed: false };
    },
    async hasEntry(id, entry, ctx) {
      const { body } = await exchange(
        {
          method: "GET",
          path: issuePath(id, "/comment"),
          query: { orderBy: "-created", maxResults: String(commentsMax) },
          expect: [200],
          answer: Comments,
        },
        ctx,
      );
      return body.comments.some(({ body: text }) => JSON.stringify(text).includes(entryMarker(entry)));
    },
    async append(id, entry, text, ctx) {
      await exchange(
        {
          method: "POST",
          path: issuePath(id, "/comment"),
          json: { body: documentOf(`${text}\n${entryMarker(entry)}`) },
          expect: [201],
          answer: null,
        },
        ctx,
      );
    },
    async close(id, ctx) {
      if ((await read(id, ctx))?.closed !== false) return;
      const { body } = await exchange(
        { method: "GET", path: issuePath(id, "/transitions"), expect: [200], answer: Transitions },
        ctx,
      );
      const fits = ({ name, to }: z.output<typeof Transitions>["transitions"][number]) =>
        options.closeTransition === null ? to.statusCategory.key === "done" : name === options.closeTransition;
      const transition = body.transitions.find(fits);
      // A workflow that lets us close nothing: the last comment says that the matter is settled.
      if (transition === undefined) return;
      await exchange(
        {
          method: "POST",
          path: issuePath(id, "/transitions"),
          json: { transition: { id: transition.id } },
          expect: [204],
          answer: null,
        },
        ctx,
      );
    },
  };
}

/** Text in Atlassian Document Format: plain text nodes, in which nothing is markup. An empty text node is refused. */
export function documentOf(text: string): object {
  return {
    version: 1,
    type: "doc",
    content: text
      .split("\n")
      .map((line) => ({ type: "paragraph", content: line === "" ? [] : [{ type: "text", text: line }] })),
  };
}
