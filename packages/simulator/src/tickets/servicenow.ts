import { z } from "zod";
import type { Incoming, Operation, Outcome, Reply, Surface } from "../http/exchange.ts";
import { isoTime } from "../time.ts";
import type { World } from "../world.ts";
import { addComment, bodyOf, openTicket, signedIn } from "./desk.ts";
import type { Ticket, TicketDesk } from "./model.ts";

const Body = z.object({
  short_description: z.string().max(160).optional(),
  description: z.string().optional(),
  correlation_id: z.string().optional(),
  work_notes: z.string().optional(),
  state: z.string().optional(),
});

/** The Table API of one ServiceNow instance: table `incident` and its journal. No index keeps a correlation id unique. */
export function createServiceNowSurface(world: World, desk: TicketDesk): Surface {
  return {
    name: `servicenow ${desk.name}`,
    resolve: (incoming) => resolve(world, desk, incoming),
    fail: ({ status, retryAfterSeconds }) => ({
      ...errorOf(status, status === 429 ? "Rate limit exceeded" : "Transaction failed"),
      headers: retryAfterSeconds === null ? {} : { "retry-after": String(retryAfterSeconds) },
    }),
  };
}

function resolve(world: World, desk: TicketDesk, incoming: Incoming): Operation {
  const [, table = "", id = null] = /^\/api\/now\/table\/([a-z_]+)(?:\/([^/]+))?$/.exec(incoming.path) ?? [];
  const op = opOf(incoming.method, table, id);
  return {
    op,
    write: op === "record.create" || op === "record.update",
    caller: null,
    target: { desk: desk.name, ticket: id },
    carryOut(): Outcome {
      if (!signedIn(desk, incoming)) return refuse(401, "User Not Authenticated");
      if (op === "unknown") return refuse(400, "Invalid table");
      if (op === "record.query") return query(desk, incoming);
      if (op === "journal.query") return journal(desk, incoming);
      const parsed = Body.safeParse(bodyOf(incoming));
      if (op === "record.create") {
        if (!parsed.success) return refuse(400, "Exception while reading request");
        const { short_description: title = "", description: text = "", correlation_id: key = "" } = parsed.data;
        const ticket = openTicket(world, desk, { labels: [key], title, text, state: "1", lag: false });
        return {
          reply: { status: 201, body: { result: rowOf(ticket) } },
          effect: true,
          target: { ticket: ticket.key },
        };
      }
      const ticket = desk.tickets.find((item) => item.id === id);
      if (ticket === undefined) return refuse(404, "No Record found");
      if (op === "record.get") return { reply: { status: 200, body: { result: rowOf(ticket) } }, effect: false };
      if (!parsed.success) return refuse(400, "Exception while reading request");
      update(world, ticket, parsed.data);
      return { reply: { status: 200, body: { result: rowOf(ticket) } }, effect: true };
    },
  };
}

function opOf(method: string, table: string, id: string | null): string {
  if (table === "sys_journal_field" && method === "GET") return "journal.query";
  if (table !== "incident") return "unknown";
  if (id === null) return method === "POST" ? "record.create" : method === "GET" ? "record.query" : "unknown";
  return method === "GET" ? "record.get" : method === "PATCH" ? "record.update" : "unknown";
}

/** An encoded query of terms joined by `^`. A term that it does not know is ignored: then everything is found. */
function query(desk: TicketDesk, { query: params }: Incoming): Outcome {
  const terms = (params.get("sysparm_query") ?? "").split("^");
  const key = terms.find((term) => term.startsWith("correlation_id="))?.slice("correlation_id=".length);
  const limit = Number(params.get("sysparm_limit") ?? 10_000);
  const result = desk.tickets
    .filter((ticket) => key === undefined || ticket.labels.includes(key))
    .slice(0, limit)
    .map(rowOf);
  return { reply: { status: 200, body: { result } }, effect: false };
}

function journal(desk: TicketDesk, { query: params }: Incoming): Outcome {
  const id = /element_id=([^^]+)/.exec(params.get("sysparm_query") ?? "")?.[1];
  const comments = desk.tickets.find((ticket) => ticket.id === id)?.comments ?? [];
  const result = comments.toReversed().map(({ text, atMs }) => ({ value: text, sys_created_on: isoTime(atMs) }));
  return { reply: { status: 200, body: { result } }, effect: false };
}

/** Work notes are a journal: what is written is added. */
function update(world: World, ticket: Ticket, change: z.output<typeof Body>): void {
  if (change.work_notes !== undefined) addComment(world, ticket, change.work_notes);
  if (change.state === undefined) return;
  ticket.state = change.state;
  ticket.closed = change.state === "6" || change.state === "7";
}

function rowOf(ticket: Ticket): object {
  return {
    sys_id: ticket.id,
    number: ticket.key,
    state: ticket.state,
    active: String(ticket.state !== "7"),
    correlation_id: ticket.labels[0] ?? "",
    short_description: ticket.title,
  };
}

function refuse(status: number, message: string): Outcome {
  return { reply: errorOf(status, message), effect: false, code: String(status) };
}

function errorOf(status: number, message: string): Reply {
  return { status, body: { error: { message, detail: "" }, status: "failure" } };
}
