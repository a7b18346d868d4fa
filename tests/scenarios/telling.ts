/** Channels that a test may give its installation: receivers in the simulated tenant, and the configuration that names them. */

/** What each receiver is; the name is the channel's in the configuration, too. */
const kinds = {
  ops: "slack",
  daily: "slack",
  team: "teams",
  jira: "jira",
  snow: "servicenow",
} as const;
export type ChannelName = keyof typeof kinds;
export const allChannels = Object.keys(kinds) as ChannelName[];

const isDesk = (name: ChannelName) => kinds[name] === "jira" || kinds[name] === "servicenow";

/** A receiver as `GET /directory` of the simulator tells of it. */
export interface Receivers {
  readonly chat: readonly { readonly name: string; readonly url: string }[];
  readonly desks: readonly {
    readonly name: string;
    readonly url: string;
    readonly user: string;
    readonly password: string;
  }[];
}

/** What the tenant must have, as for `POST /seed`. */
export function receiversOf(names: readonly ChannelName[]): object {
  const named = (wanted: boolean) =>
    names.filter((name) => isDesk(name) === wanted).map((name) => ({ name, kind: kinds[name] }));
  return { chat: named(false), desks: named(true) };
}

/** Contents of the secret files that {@link channelEntries} names, by file name. */
export function channelSecrets({ chat, desks }: Receivers): ReadonlyMap<string, string> {
  return new Map([
    ...chat.map(({ name, url }) => [`${name}.secret`, url] as const),
    ...desks.map(({ name, password }) => [`${name}.secret`, password] as const),
  ]);
}

/** Entries of `notify` and `tickets` in countersign.yaml, one a line. */
export function channelEntries(
  names: readonly ChannelName[],
  { desks }: Receivers,
): { readonly notify: readonly string[]; readonly tickets: readonly string[] } {
  const at = (name: string) => {
    const desk = desks.find((one) => one.name === name);
    return `url: "${desk?.url}", user: ${desk?.user}`;
  };
  const lines: Readonly<Record<ChannelName, () => string>> = {
    ops: () => `kind: slack, url: "file:ops.secret"`,
    daily: () => `kind: slack, url: "file:daily.secret", digest: true, kinds: [run.blocked]`,
    team: () => `kind: teams, url: "file:team.secret"`,
    jira: () => `kind: jira, ${at("jira")}, token: "file:jira.secret", project: OPS, searchLagSeconds: 300`,
    snow: () => `kind: servicenow, ${at("snow")}, password: "file:snow.secret"`,
  };
  const entries = (wanted: boolean) =>
    names.filter((name) => isDesk(name) === wanted).map((name) => `{ name: ${name}, ${lines[name]()} }`);
  return { notify: entries(false), tickets: entries(true) };
}
