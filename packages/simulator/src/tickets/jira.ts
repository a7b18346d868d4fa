import { z } from "zod";
import type { Incoming, Operation, Outcome, Reply, Surface } from "../http/exchange.ts";
import { isoTime } from "../time.ts";
import type { World } from "../world.ts";
import { addComment, bodyOf, openTicket, signedIn } from "./desk.ts";
import type { Ticket, TicketDesk } from "./model.ts";

/** Atlassian Document Format as far as it is read: paragraphs of text. An empty text node is refused, as there. */
const Adf = z.object({
  version: z.literal(1),
  type: z.literal("doc"),
  content: z.array(
    z.object({
      type: z.string(),
      content: z.array(z.object({ type: z.string(), text: z.string().min(1).optional() })).optional(),
    }),
  ),
});
const CreateBody = z.object({
  fields: z.object({
    project: z.object({ key: z.string() }),
    issuetype: z.object({ name: z.string() }),
    summary: z.string().min(1).max(255),
    description: Adf.optional(),
    labels: z.array(z.string().regex(/^\S+$/)).default([]),
  }),
});
const SearchBody = z.object({
  jql: z.string(),
  fields: z.array(z.string()).default(["id"]),
  maxResults: z.int().default(50),
});
const CommentBody = z.object({ body: Adf });
const TransitionBody = z.object({ transition: z.object({ id: z.string() }) });

/** The transitions of the only workflow: there is one into done and one back. */
const TRANSITIONS = [
  { id: "31", name: "Done", to: { name: "Done", statusCategory: { key: "done" } } },
  { id: "11", name: "Reopen", to: { name: "To Do", statusCategory: { key: "new" } } },
] as const;

/** Jira Cloud REST API version 3 of one site, as far as tickets are opened, found, commented and closed. */
export function createJiraSurface(world: World, desk: TicketDesk): Surface {
  return {
    name: `jira ${desk.name}`,
    resolve: (incoming) => resolve(world, desk, incoming),
    fail: ({ status, retryAfterSeconds }) => ({
      ...errorOf(status, status === 429 ? "Rate limit exceeded." : "The request failed."),
      headers: retryAfterSeconds === null ? {} : { "retry-after": String(retryAfterSeconds) },
    }),
  };
}

function resolve(world: World, desk: TicketDesk, incoming: Incoming): Operation {
  const [, id = null, rest = null] =
    /^\/rest\/api\/3\/issue\/([^/]+)(?:\/(comment|transitions))?$/.exec(incoming.path) ?? [];
  const op = opOf(incoming, id, rest);
  return {
    op,
    write: op === "issue.create" || op === "comment.add" || op === "issue.transition",
    caller: null,
    target: { desk: desk.name, ticket: id },
    carryOut(): Outcome {
      if (!signedIn(desk, incoming)) return refuse(401, "Client must be authenticated to access this resource.");
      if (op === "issue.create") return create(world, desk, incoming);
      if (op === "issue.search") return search(world, desk, incoming);
      if (op === "unknown") return refuse(404, "null for uri");
      const ticket = desk.tickets.find((item) => item.id === id || item.key === id);
      if (ticket === undefined) return refuse(404, "Issue does not exist or you do not have permission to see it.");
      return act(world, ticket, op, incoming);
    },
  };
}

function opOf({ method, path }: Incoming, id: string | null, rest: string | null): string {
  if (method === "POST" && path === "/rest/api/3/issue") return "issue.create";
  if (method === "POST" && path === "/rest/api/3/search/jql") return "issue.search";
  if (id === null) return "unknown";
  if (rest === "comment") return method === "POST" ? "comment.add" : "comment.list";
  if (rest === "transitions") return method === "POST" ? "issue.transition" : "issue.transitions";
  return method === "GET" ? "issue.get" : "unknown";
}

function create(world: World, desk: TicketDesk, incoming: Incoming): Outcome {
  const parsed = CreateBody.safeParse(bodyOf(incoming));
  if (!parsed.success || parsed.data.fields.project.key !== desk.project) return refuse(400, "The issue is not valid.");
  const { summary, description, labels } = parsed.data.fields;
  const text = description === undefined ? "" : textOf(description);
  const ticket = openTicket(world, desk, { labels, title: summary, text, state: "To Do", lag: true });
  return done(201, { id: ticket.id, key: ticket.key, self: `/rest/api/3/issue/${ticket.id}` }, { ticket: ticket.key });
}

/** Reads one form of JQL: a project, one label, the oldest first. What is too new is not found yet. */
function search(world: World, desk: TicketDesk, incoming: Incoming): Outcome {
  const parsed = SearchBody.safeParse(bodyOf(incoming));
  const jql = /^project = "([A-Z0-9_]+)" AND labels = "([^"\s]+)" ORDER BY created ASC$/.exec(parsed.data?.jql ?? "");
  if (!parsed.success || jql === null) return refuse(400, "Error in the JQL Query.");
  const [, project, label = ""] = jql;
  const issues = desk.tickets
    .filter(
      (ticket) => project === desk.project && ticket.labels.includes(label) && ticket.foundMs <= world.clock.nowMs,
    )
    .slice(0, parsed.data.maxResults)
    .map((ticket) => issueOf(ticket, parsed.data.fields));
  return { reply: { status: 200, body: { issues, isLast: true } }, effect: false };
}

function act(world: World, ticket: Ticket, op: string, incoming: Incoming): Outcome {
  switch (op) {
    case "issue.get":
      return { reply: { status: 200, body: issueOf(ticket, ["*all"]) }, effect: false };
    case "comment.list": {
      const comments = ticket.comments.toReversed().map((comment) => commentOf(comment));
      const page = { startAt: 0, maxResults: 100, total: comments.length, comments: comments.slice(0, 100) };
      return { reply: { status: 200, body: page }, effect: false };
    }
    case "comment.add": {
      const parsed = CommentBody.safeParse(bodyOf(incoming));
      if (!parsed.success) return refuse(400, "Comment body is not valid!");
      const id = addComment(world, ticket, textOf(parsed.data.body));
      return done(201, { id });
    }
    case "issue.transitions": {
      const transitions = TRANSITIONS.filter(({ to }) => (to.statusCategory.key === "done") !== ticket.closed);
      return { reply: { status: 200, body: { transitions } }, effect: false };
    }
    default: {
      const wanted = TransitionBody.safeParse(bodyOf(incoming)).data?.transition.id;
      const transition = TRANSITIONS.find(({ id }) => id === wanted);
      if (transition === undefined) return refuse(400, "Transition id is not valid for this issue.");
      ticket.closed = transition.to.statusCategory.key === "done";
      ticket.state = transition.to.name;
      return { reply: { status: 204 }, effect: true };
    }
  }
}

/** By default a search answers with ids only. */
function issueOf(ticket: Ticket, fields: readonly string[]): object {
  const all = fields.includes("*all");
  return {
    id: ticket.id,
    key: ticket.key,
    fields: {
      ...(all || fields.includes("labels") ? { labels: ticket.labels } : {}),
      ...(all || fields.includes("status")
        ? { status: { name: ticket.state, statusCategory: { key: ticket.closed ? "done" : "new" } } }
        : {}),
      ...(all ? { summary: ticket.title, created: isoTime(ticket.createdMs) } : {}),
    },
  };
}

function commentOf({ id, atMs, text }: Ticket["comments"][number]): object {
  const content = text
    .split("\n")
    .map((line) => ({ type: "paragraph", content: line === "" ? [] : [{ type: "text", text: line }] }));
  return { id, created: isoTime(atMs), body: { version: 1, type: "doc", content } };
}

function textOf({ content }: z.output<typeof Adf>): string {
  return content.map((block) => (block.content ?? []).map(({ text = "" }) => text).join("")).join("\n");
}

function done(status: number, body: object, target: Outcome["target"] = {}): Outcome {
  return { reply: { status, body }, effect: true, target };
}

function refuse(status: number, message: string): Outcome {
  return { reply: errorOf(status, message), effect: false, code: String(status) };
}

function errorOf(status: number, message: string): Reply {
  return { status, body: { errorMessages: [message], errors: {} } };
}
