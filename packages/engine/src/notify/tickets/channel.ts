import { isCode } from "@countersign/core";
import type { Store, TicketRow } from "../../store/index.ts";
import { arrived, type Channel, failure, type Sending, type Sent } from "../channels/channel.ts";
import { settles, troubleKinds } from "../kinds.ts";
import { plainMessage } from "../message.ts";
import { TicketFailure, type TicketSystem } from "./system.ts";

/** Calls that one delivery makes at most. */
const callsMax = 8;

/**
 * Find or create, then append: one ticket per matter, over crashes and lost answers. The key is committed before the
 * ticket is wanted outside, and so is each intent to create it; whatever became of that, the key is looked for first.
 * Where the search lags behind, its silence proves nothing until the lag has passed since the last intent.
 */
export function ticketChannel(options: {
  readonly name: string;
  readonly system: TicketSystem;
  readonly store: Store;
  readonly callDeadlineMs: number;
}): Channel {
  const { system, store } = options;

  /** The ticket outside; a string says why there is none yet. */
  async function open(ticket: TicketRow, sending: Sending): Promise<TicketRow | Sent> {
    const { now } = sending;
    const [known] = await system.find(ticket.key, sending);
    if (known === undefined) {
      const proven = ticket.intentAt === null ? 0 : ticket.intentAt + system.lagMs - now;
      if (proven > 0)
        return failure("ticket-not-to-be-seen-yet", { outcome: "unknown", retryAfterMs: proven, ofChannel: false });
      await store.ticketIntend(ticket.id, now);
    }
    const made = known ?? (await create(ticket, sending));
    await store.ticketMade(ticket.id, made, now);
    return { ...ticket, state: "open", externalId: made.id, externalKey: made.key, url: made.url };
  }

  async function create(ticket: TicketRow, sending: Sending) {
    try {
      return await system.create(ticket.key, sending.message.title, openingText(ticket, sending), sending);
    } catch (error) {
      // Refused in so many words: nothing can turn up later.
      const certain =
        error instanceof TicketFailure && error.sent.outcome === "failed" && (error.sent.status ?? 0) < 500;
      if (certain) await store.ticketIntend(ticket.id, null);
      throw error;
    }
  }

  async function deliver(sending: Sending, again: boolean): Promise<Sent> {
    const { delivery, notice } = sending.taken;
    const ticket =
      delivery.ticketId === null ? null : await store.ticket(again ? await anew(sending) : delivery.ticketId);
    if (ticket === null) return failure("no-ticket", { final: true, ofChannel: false });
    if (ticket.state === "closed" || ticket.state === "left") {
      // Settled while this was on its way: worth a ticket of its own only if something is wrong.
      return troubleKinds.has(notice.kind) && !again ? deliver(sending, true) : arrived;
    }
    const opens = ticket.noticeId === notice.id;
    const there = ticket.state === "wanted" ? await open(ticket, sending) : ticket;
    if ("outcome" in there) return there;
    const id = there.externalId ?? "";
    if (!opens) {
      const seen = await system.read(id, sending);
      if (seen?.closed !== false) {
        // Somebody closed or deleted it by hand. That is respected: nothing is written into it, and further trouble opens a
        // new one that names it. Not reopened: it may have been counted and reported, and not every workflow lets us.
        if (troubleKinds.has(notice.kind) && !again) return deliver(sending, true);
        await store.ticketClosed(there.id, true, sending.now);
        return arrived;
      }
      await append(id, sending);
    }
    if (settles({ ...sending.facts, kind: notice.kind })) {
      await system.close(id, sending);
      await store.ticketClosed(there.id, false, sending.now);
    }
    return arrived;
  }

  async function append(id: string, sending: Sending): Promise<void> {
    const { delivery, notice } = sending.taken;
    const entry = `notice-${notice.id}`;
    if (delivery.attempts > 1 && (await system.hasEntry(id, entry, sending))) return;
    await system.append(id, entry, plainMessage(sending.message), sending);
  }

  const anew = (sending: Sending) => store.ticketAgain(sending.taken.delivery.id, sending.now);

  return {
    name: options.name,
    kind: system.kind,
    busyMsMax: callsMax * options.callDeadlineMs,
    async send(sending) {
      try {
        return await deliver(sending, false);
      } catch (error) {
        if (error instanceof TicketFailure) return error.sent;
        if (isCode(error, "STATE_CONFLICT")) return failure("settled-by-another", { ofChannel: false });
        throw error;
      }
    },
  };
}

function openingText({ follows }: TicketRow, { message }: Sending): string {
  const text = plainMessage(message);
  return follows === null ? text : `${text}\nFollows ${follows}, which was closed while the trouble went on.`;
}
