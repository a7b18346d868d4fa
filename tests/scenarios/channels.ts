import type { Stage } from "./stage.ts";

/** A ticket as the desk shows it. */
interface Ticket {
  readonly key: string;
  readonly title: string;
  readonly text: string;
  readonly labels: readonly string[];
  readonly closed: boolean;
  readonly comments: readonly { readonly at: string; readonly text: string }[];
}

/** What people were told, by room and desk. */
interface Told {
  readonly chat: Readonly<Record<string, readonly { readonly at: string; readonly payload: unknown }[]>>;
  readonly desks: Readonly<Record<string, readonly Ticket[]>>;
}

export async function told(stage: Stage): Promise<Told> {
  return (await stage.manage("GET", "/told")) as Told;
}

/** Everything that a room shows as one text. */
export async function roomText(stage: Stage, room: string): Promise<string[]> {
  return ((await told(stage)).chat[room] ?? []).map(({ payload }) => JSON.stringify(payload));
}

/** Tickets of a desk that are about this application. */
export async function ticketsOf(stage: Stage, desk: string, application: string): Promise<readonly Ticket[]> {
  return ((await told(stage)).desks[desk] ?? []).filter(({ title }) => title.includes(application));
}

/** How the channel fares, by the API. */
export async function channelOf(stage: Stage, name: string) {
  const { items } = await (await stage.as("cleo")).listChannels({});
  return items.find((channel) => channel.name === name);
}

/** Deliveries of a run over one channel, the oldest first. */
export async function deliveriesOf(stage: Stage, run: string, channel: string) {
  const { items } = await (await stage.as("cleo")).listNotices({ query: { run, channel } });
  return items.toReversed();
}

/** Every write for this application in the partner's vault is refused: its next run rolls back. Returns how to mend it. */
export async function failPartner(stage: Stage, application: string): Promise<() => Promise<unknown>> {
  const { id } = (await stage.manage("POST", "/faults", {
    op: "secret.set",
    kind: "403",
    times: "always",
    match: { vault: "partner", secret: application },
  })) as { id: string };
  return () => stage.manage("DELETE", `/faults/${id}`);
}
