import type { Incoming } from "../http/exchange.ts";
import type { World } from "../world.ts";
import type { Ticket, TicketDesk } from "./model.ts";

/** Whether the caller shows user and password of the desk, as Basic authentication. */
export function signedIn(desk: TicketDesk, { headers }: Incoming): boolean {
  const [scheme, token = ""] = (headers.authorization ?? "").split(" ");
  return scheme === "Basic" && Buffer.from(token, "base64").toString("utf8") === `${desk.user}:${desk.password}`;
}

/** Opens a ticket; a search finds it after the lag of the tenant. */
export function openTicket(
  world: World,
  desk: TicketDesk,
  made: Pick<Ticket, "labels" | "title" | "text" | "state"> & { readonly lag: boolean },
): Ticket {
  const number = desk.tickets.length + 1;
  const [min, max] = world.knobs.ticketSearchLagSeconds;
  const lagMs = made.lag
    ? world.random(`desk:${desk.name}`).integer(Math.round(min * 1_000), Math.round(max * 1_000))
    : 0;
  const { lag: _, ...rest } = made;
  const ticket: Ticket = {
    ...rest,
    id: desk.kind === "jira" ? String(10_000 + number) : world.random(`desk:${desk.name}`).uuid().replaceAll("-", ""),
    key: desk.kind === "jira" ? `${desk.project}-${number}` : `INC${String(number).padStart(7, "0")}`,
    createdMs: world.clock.nowMs,
    foundMs: world.clock.nowMs + lagMs,
    closed: false,
    comments: [],
  };
  desk.tickets.push(ticket);
  return ticket;
}

export function addComment(world: World, ticket: Ticket, text: string): string {
  const id = String(20_000 + ticket.comments.length);
  ticket.comments.push({ id, atMs: world.clock.nowMs, text });
  return id;
}

/** A body that is JSON; undefined for anything else. */
export function bodyOf({ body }: Incoming): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return undefined;
  }
}
