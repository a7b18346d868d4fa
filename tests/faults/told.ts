import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Variation } from "../crash/stage/documents.ts";
import type { Lane } from "../crash/stage/lane.ts";
import type { Sink } from "../scenarios/sink.ts";

/** Where people hear of what goes wrong besides the suite's own webhook: a room, and both kinds of desks. */
const channels = ["ops", "jira", "snow"] as const;
/** How many desks there are among them. */
export const desksCount = 2;

/** What an installation of this suite has otherwise than one of the crash tests. */
export function varied(sink: Sink, folder: string, deadlineMs: number): Variation {
  writeFileSync(join(folder, "hook.secret"), sink.secret, { mode: 0o600 });
  return {
    // The lease has to survive a machine that is busy with many installations.
    liveness: { callDeadlineMs: deadlineMs, settleMs: deadlineMs, leaseMs: 24_000, freshMs: 12_000 },
    notify: [`{ kind: webhook, url: "${sink.url}", secret: "file:hook.secret" }`],
    channels,
    // A run that cannot start waits until then.
    approvalExpiresAfter: "PT6H",
    more: "budgets: { effectsPerTenantMax: 1000, runsInFlightMax: 1000 }\n",
  };
}

/** What a run's people were told of it. */
export interface Told {
  /** Kinds of notices over the webhook. */
  readonly notices: readonly string[];
  /** Messages in the room that are about the run. */
  readonly messages: number;
  /** Desks with a ticket about the run's application, open or closed. */
  readonly tickets: readonly string[];
}

interface ToldThere {
  readonly chat: Readonly<Record<string, readonly { readonly payload: unknown }[]>>;
  readonly desks: Readonly<Record<string, readonly { readonly title: string }[]>>;
}

/** What was told so far, by run and application. */
export async function readTold(lane: Lane, sink: Sink): Promise<(run: string, row: string) => Told> {
  const { chat, desks } = (await lane.simulator.get("/told")) as ToldThere;
  const room = (chat.ops ?? []).map(({ payload }) => JSON.stringify(payload));
  return (run, row) => ({
    notices: sink.notices.filter(({ data }) => data.run === run).map(({ type }) => type),
    messages: room.filter((text) => text.includes(run)).length,
    tickets: Object.entries(desks).flatMap(([name, tickets]) =>
      tickets.some(({ title }) => title.includes(row)) ? [name] : [],
    ),
  });
}
