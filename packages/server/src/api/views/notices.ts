import type { ChannelView, Delivery } from "@countersign/contract";
import type { ChannelRow, ListedDelivery } from "@countersign/engine";
import { iso } from "./time.ts";

/** A delivery as the API shows it. */
export function deliveryView(row: ListedDelivery): Delivery {
  return {
    id: row.id,
    at: iso(row.createdAt),
    kind: row.kind,
    run: row.runId,
    channel: row.channel,
    channelKind: row.channelKind,
    recipient: row.recipient === "" ? null : row.recipient,
    state: row.state,
    attempts: row.attempts,
    code: row.code,
    status: row.status,
    changedAt: iso(row.updatedAt),
    nextTryAt: row.state === "due" || row.state === "bundled" ? iso(row.notBefore) : null,
    ticket: row.ticketState === null ? null : { key: row.ticketKey, url: row.ticketUrl, state: row.ticketState },
  };
}

/** A channel as the API shows it. */
export function channelView(row: ChannelRow): ChannelView {
  const { name, kind, failures, lastCode, lastStatus } = row;
  const unused = row.lastSentAt === null && row.lastFailedAt === null;
  return {
    name,
    kind,
    state: row.reportedAt !== null ? "dead" : failures > 0 ? "failing" : unused ? "unused" : "ok",
    failures,
    failingSince: iso(row.failingSince),
    lastSentAt: iso(row.lastSentAt),
    lastFailedAt: iso(row.lastFailedAt),
    lastCode,
    lastStatus,
    pausedUntil: iso(row.pausedUntil),
  };
}
