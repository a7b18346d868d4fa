import type { Facts } from "@countersign/core";
import { z } from "zod";
import { lastScanEndOf } from "./owner-notice-store.ts";
import { ChannelRow, DeliveryRow, FindingRow, NoticeRow, RunRow, TicketRow } from "./rows.ts";
import { nothing, row, type Sql } from "./sql.ts";

/** A message for the outbox; sent once per key. */
export interface NoticeInput {
  readonly run: string | null;
  readonly kind: string;
  /** Whom it is for: `owners`, `operators`. */
  readonly channel: string;
  readonly key: string;
  readonly payload: Facts;
  readonly notBefore: number;
  readonly at: number;
}

/** What becomes of a notice when it is due. Times are domain milliseconds. */
export interface Route {
  readonly deliveries: readonly {
    readonly channel: string;
    readonly recipient: string;
    /** `open` opens a ticket unless one stands; `append` goes only where one stands. */
    readonly ticket: "open" | "append" | null;
    /** When the recipient's digest goes out; null: it goes by itself, now. */
    readonly bundle: number | null;
  }[];
  /** What is told. */
  readonly facts: Facts;
  /** Notices about the same run that come due later. */
  readonly later: readonly {
    readonly kind: string;
    readonly key: string;
    readonly payload: Facts;
    readonly notBefore: number;
  }[];
  /** Nothing is left to say: what it was about has passed. */
  readonly void: boolean;
}

const Taken = z.object({
  delivery: DeliveryRow,
  notice: NoticeRow,
  ticket: TicketRow.nullable(),
  /** Those whom the notice names and the one whom it goes to, as they were when it was taken: a change counts at once. */
  people: z.array(z.object({ id: z.string(), name: z.string().nullable(), email: z.string().nullable() })),
});
/** A delivery that is this notifier's to send. */
export type TakenDelivery = z.output<typeof Taken>;

/** What became of an attempt. */
interface SettledDelivery {
  readonly id: number;
  readonly attempt: number;
  readonly outcome: "done" | "failed" | "unknown";
  readonly code: string | null;
  readonly status: number | null;
  /** Next try; null: this was the last one. */
  readonly notBefore: number | null;
  /** Whether a failure says something about the channel, not only about this recipient. */
  readonly ofChannel: boolean;
  /** Nothing goes over the channel before; null: it may. */
  readonly pauseUntil: number | null;
  /** So many failures in a row, and the other channels are told. */
  readonly reportAfter: number;
  readonly at: number;
}

const time = z.int().nullable();
/** The earliest domain times at which the notifier has something to do; null: nothing waits. */
const NoticeWaits = z.object({
  /** When a notice is to be routed. */
  notices: time,
  /** When somebody's digest is to be made. */
  digests: time,
  /** When something may go over each channel; one that is not there has nothing. */
  channels: z.record(z.string(), z.int()),
  /** When the last scan ended; null: there was none. */
  scanned: time,
});

const Outcome = row({
  step: z.string(),
  direction: z.enum(["do", "undo", "discard"]),
  /** How many attempts there were. */
  attempt: z.int(),
  /** Null: its last attempt is under way. */
  outcome: z.enum(["done", "failed", "unknown"]).nullable(),
  code: z.string().nullable(),
});
/** How a step's last attempt in one direction ended. */
export type StepOutcome = z.output<typeof Outcome>;

const RunTold = z.object({
  run: RunRow,
  plan: z.instanceof(Uint8Array).nullable(),
  findings: z.array(FindingRow),
  /** Who has decided over the plan so far; without the proofs, which are not the notifier's affair. */
  decisions: z.array(z.object({ person: z.string(), role: z.string(), decision: z.enum(["approve", "reject"]) })),
  /** How each step stands, by its last attempt in each direction, in the order in which they were begun. */
  outcomes: z.array(Outcome),
});
export type RunTold = z.output<typeof RunTold>;

const Listed = row({
  id: z.int(),
  kind: z.string(),
  runId: z.string().nullable(),
  channel: z.string(),
  channelKind: z.string(),
  recipient: z.string(),
  state: z.enum(["due", "bundled", "digested", "sent", "failed"]),
  attempts: z.int(),
  code: z.string().nullable(),
  status: z.int().nullable(),
  createdAt: z.int(),
  updatedAt: z.int(),
  notBefore: z.int(),
  ticketKey: z.string().nullable(),
  ticketUrl: z.string().nullable(),
  ticketState: z.string().nullable(),
});
/** A delivery as it is listed, with its ticket. */
export type ListedDelivery = z.output<typeof Listed>;

/** Outbox, deliveries, tickets, channels. */
export function noticeStore(sql: Sql) {
  return {
    /** True when the notice is new; false when its key is known. */
    noticePut: (notice: NoticeInput): Promise<boolean> =>
      sql.call(z.boolean(), "cs.notice_put", { ...notice, payload: JSON.stringify(notice.payload) }),

    /** Notices that are to be routed now, oldest first. */
    noticesDue: (now: number, limit: number): Promise<NoticeRow[]> =>
      sql.rows(
        NoticeRow,
        "select * from cs.notice where state = 'due' and not_before <= $1 order by not_before, id limit $2",
        [now, limit],
      ),

    /** Turns a due notice into deliveries. Returns the channels over which one is due now; null when another notifier did. */
    noticeRoute: (id: number, route: Route, at: number): Promise<string[] | null> =>
      sql.call(z.array(z.string()).nullable(), "cs.notice_route", {
        id,
        deliveries: JSON.stringify(route.deliveries),
        facts: JSON.stringify(route.facts),
        later: JSON.stringify(route.later),
        void: route.void,
        at,
      }),

    /** Routing it failed for the `attempts + 1`st time; `notBefore` null: it is given up. Nothing if it is not due any more. */
    noticePostpone: (id: number, attempts: number, notBefore: number | null, at: number): Promise<void> =>
      sql.call(nothing, "cs.notice_postpone", { id, attempts, notBefore, at }),

    notices: (of: { readonly run?: string; readonly limit: number }): Promise<NoticeRow[]> =>
      sql.rows(NoticeRow, "select * from cs.notice where $1::text is null or run_id = $1 order by id desc limit $2", [
        of.run ?? null,
        of.limit,
      ]),

    /** Says which channels there are; what was on its way over another one fails. */
    channelsSet: (channels: readonly { readonly name: string; readonly kind: string }[], at: number): Promise<void> =>
      sql.call(nothing, "cs.channels_set", { channels: JSON.stringify(channels), at }),

    channels: (): Promise<ChannelRow[]> =>
      sql.rows(ChannelRow, "select * from cs.channel where configured order by name"),

    /** Takes the next due delivery of a channel, which is due again at `again` unless settled before; null: there is none. */
    async deliveryTake(channel: string, now: number, again: number): Promise<TakenDelivery | null> {
      const [found] = await sql.callRows(z.object({ delivery_take: Taken }), "cs.delivery_take", {
        channel,
        now,
        again,
        limit: 1,
      });
      return found?.delivery_take ?? null;
    },

    /** Says what became of an attempt. Errors: STATE_CONFLICT (not this attempt's turn any more). */
    deliverySettle: (settled: SettledDelivery): Promise<void> =>
      sql.call(nothing, "cs.delivery_settle", { ...settled }),

    /** Says what became of an attempt and takes the next delivery of its channel, in one statement. Errors as both have them. */
    async deliveryNext(settled: SettledDelivery, again: number): Promise<TakenDelivery | null> {
      const row = z.object({ delivery_next: Taken });
      const [found] = await sql.callRows(row, "cs.delivery_next", { ...settled, again });
      return found?.delivery_next ?? null;
    },

    /** Recipients whose digest is due. */
    digestsDue: (now: number): Promise<{ channel: string; recipient: string }[]> =>
      sql.rows(
        z.object({ channel: z.string(), recipient: z.string() }),
        "select distinct channel, recipient from cs.delivery where state = 'bundled' and not_before <= $1 limit 500",
        [now],
      ),

    /** Makes one notice of what waits for a recipient's digest; returns how much that is. */
    digestCut: (channel: string, recipient: string, items: number, now: number): Promise<number> =>
      sql.call(z.int(), "cs.digest_cut", { channel, recipient, items, now }),

    ticket: (id: number): Promise<TicketRow | null> =>
      sql.first(TicketRow, "select * from cs.ticket where id = $1", [id]),

    /** Commits that the ticket is about to be created; `at` null: that it was refused for certain. */
    ticketIntend: (id: number, at: number | null): Promise<void> => sql.call(nothing, "cs.ticket_intend", { id, at }),

    ticketMade: (
      id: number,
      made: { readonly id: string; readonly key: string; readonly url: string | null },
      at: number,
    ): Promise<void> =>
      sql.call(nothing, "cs.ticket_made", { id, externalId: made.id, externalKey: made.key, url: made.url, at }),

    ticketClosed: (id: number, byHand: boolean, at: number): Promise<void> =>
      sql.call(nothing, "cs.ticket_closed", { id, byHand, at }),

    /** Opens a new ticket for a delivery whose ticket was closed by hand; returns its id. */
    ticketAgain: (delivery: number, at: number): Promise<number> =>
      sql.call(z.int(), "cs.ticket_again", { delivery, at }),

    /** Everything about a run that a notice may tell; null: there is no such run. */
    runTold: (run: string): Promise<RunTold | null> =>
      sql.first(
        RunTold,
        `select to_jsonb(r) as run, (select p.body from cs.plan p where p.digest = r.plan_digest) as plan,
           (select coalesce(jsonb_agg(f order by f.id), '[]') from cs.finding f where f.run_id = r.id) as findings,
           (select coalesce(jsonb_agg(jsonb_build_object('person', a.person, 'role', a.role, 'decision', a.decision)
             order by a.at, a.person), '[]') from cs.approval a where a.run_id = r.id and a.plan_digest = r.plan_digest) as decisions,
           (select coalesce(jsonb_agg(jsonb_build_object('step', step, 'direction', direction, 'attempt', attempt,
             'outcome', outcome, 'code', code) order by first), '[]') from (
             select distinct on (step, direction) step, direction, attempt, outcome, outcome_data -> 'error' ->> 'code' as code,
               min(seq) over (partition by step, direction) as first
             from cs.step where run_id = r.id and r.plan_digest is not null order by step, direction, attempt desc) last) as outcomes
         from cs.run r where r.id = $1`,
        [run],
      ),

    /** Deliveries, newest first. */
    deliveries: (of: {
      readonly run?: string;
      readonly channel?: string;
      readonly undelivered?: boolean;
      readonly limit: number;
    }): Promise<ListedDelivery[]> =>
      sql.rows(
        Listed,
        `select d.id, n.kind, n.run_id, d.channel, c.kind as channel_kind, d.recipient, d.state, d.attempts, d.code, d.status,
           d.created_at, d.updated_at, d.not_before, t.external_key as ticket_key, t.url as ticket_url, t.state as ticket_state
         from cs.delivery d join cs.notice n on n.id = d.notice_id join cs.channel c on c.name = d.channel
           left join cs.ticket t on t.id = d.ticket_id
         where ($1::text is null or n.run_id = $1) and ($2::text is null or d.channel = $2)
           and (not $3 or d.state in ('due', 'failed')) order by d.id desc limit $4`,
        [of.run ?? null, of.channel ?? null, of.undelivered ?? false, Math.min(of.limit, 1_000)],
      ),

    /** How much has not arrived: notices that wait to be routed, deliveries that are due or were given up. */
    async undelivered(): Promise<number> {
      const text = `select (select count(*) from cs.notice where state = 'due' and not_before <= created_at)
        + (select count(*) from cs.delivery where state in ('due', 'failed')) as count`;
      return (await sql.first(z.object({ count: z.int() }), text))?.count ?? 0;
    },

    /** What the notifier has to do, and when. */
    async noticesWait(): Promise<z.output<typeof NoticeWaits>> {
      // What waits behind another delivery of its ticket, or for a pause to end, is not due before that.
      const text = `select (select min(not_before) from cs.notice where state = 'due') as notices,
        (select min(not_before) from cs.delivery where state = 'bundled') as digests,
        (select coalesce(jsonb_object_agg(c.name, greatest(d.not_before, c.paused_until)), '{}') from cs.channel c, lateral (
          select q.not_before from cs.delivery q where q.channel = c.name and q.state = 'due' and not exists (
            select from cs.delivery e where e.ticket_id = q.ticket_id and e.state = 'due' and e.id < q.id)
          order by q.not_before limit 1) d) as channels,
        (${lastScanEndOf}) as scanned`;
      return (await sql.first(NoticeWaits, text)) ?? { notices: null, digests: null, channels: {}, scanned: null };
    },
  };
}
