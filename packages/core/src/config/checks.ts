import type { Config } from "./config.ts";

/** A rule across fields: says what is wrong and where. */
export type Complain = (path: readonly PropertyKey[], message: string) => void;

/** Checks what a schema of single fields cannot see. */
export function checkConfig(config: Config, complain: Complain): void {
  checkNames(config, complain);
  checkProfile(config, complain);
  checkLiveness(config, complain);
  checkChannels(config, complain);
  checkWebhooks(config, complain);
}

function checkChannels(config: Config, complain: Complain): void {
  const channels = [...config.notify, ...config.tickets];
  const place = (index: number) =>
    index < config.notify.length ? ["notify", index] : ["tickets", index - config.notify.length];
  unique(
    channels.map((channel) => channel.name),
    (index) => complain([...place(index), "name"], "expected a unique name, got one that is used above"),
  );
  config.notify.forEach((channel, index) => {
    // The entries in evidence name channels; `log` says that nobody was told.
    if (channel.name === "log")
      complain(["notify", index, "name"], "expected another name than log, which says that no channel was there");
  });
  const tenants = new Set(config.tenants.map((tenant) => tenant.name));
  channels.forEach((channel, index) => {
    channel.tenants?.forEach((tenant, at) => {
      if (!tenants.has(tenant))
        complain([...place(index), "tenants", at], `expected a tenant of this file, got ${JSON.stringify(tenant)}`);
    });
  });
}

function checkNames(config: Config, complain: Complain): void {
  unique(
    config.tenants.map((tenant) => tenant.name),
    (index) => complain(["tenants", index, "name"], "expected a unique name, got one that is used above"),
  );
  unique(
    config.tenants.map((tenant) => tenant.id),
    (index) => complain(["tenants", index, "id"], "expected each tenant once, got an id that is used above"),
  );
  unique(
    config.connections.map((connection) => connection.name),
    (index) => complain(["connections", index, "name"], "expected a unique name, got one that is used above"),
  );
  unique(
    config.signIn.local.map((person) => person.person),
    (index) => complain(["signIn", "local", index, "person"], "expected each person once, got one that is used above"),
  );
  unique(
    config.signIn.local.map((person) => `${person.iss}\n${person.sub}`),
    (index) =>
      complain(
        ["signIn", "local", index, "sub"],
        "expected each issuer and subject once, got a pair that is used above",
      ),
  );
  const tenants = new Set(config.tenants.map((tenant) => tenant.name));
  const { from } = config.inventory;
  if (from !== null && !tenants.has(from.tenant))
    complain(["inventory", "from", "tenant"], `expected a tenant of this file, got ${JSON.stringify(from.tenant)}`);
  config.connections.forEach((connection, index) => {
    if (connection.tenant !== null && !tenants.has(connection.tenant))
      complain(
        ["connections", index, "tenant"],
        `expected a tenant of this file, got ${JSON.stringify(connection.tenant)}`,
      );
  });
}

function checkWebhooks(config: Config, complain: Complain): void {
  unique(
    config.webhooks.map((hook) => hook.name),
    (index) => complain(["webhooks", index, "name"], "expected a unique name, got one that is used above"),
  );
}

function checkProfile(config: Config, complain: Complain): void {
  const production = config.profile === "production";
  if (production && config.clock !== null)
    complain(["clock"], "expected no virtual clock in profile production, got one");
  if (production && config.network.loopback)
    complain(["network", "loopback"], "expected false in profile production, got true");
  if (production && config.signIn.local.length > 0)
    complain(["signIn", "local"], "expected no local sign-in in profile production, got people");
  if (config.clock !== null && !isLoopback(config.clock.url))
    complain(["clock", "url"], "expected a loopback address for the virtual clock, got another host");
  for (const { path, url } of urls(config)) {
    const encrypted = url.startsWith("https:");
    if (!encrypted && production) complain(path, "expected https in profile production, got http");
    else if (!encrypted && !isLoopback(url))
      complain(path, "expected https, or http to a loopback address, got http to another host");
    else if (!encrypted && !config.network.loopback)
      complain(path, "expected https unless network.loopback is true, got http");
    // A virtual clock can skip every window and overlap: it must never act on the world outside this machine (design: two times).
    else if (config.clock !== null && !isLoopback(url))
      complain(path, "expected a loopback address while a virtual clock runs, got another host");
  }
}

function checkLiveness(config: Config, complain: Complain): void {
  const { leaseMs, beatMs, freshMs, callDeadlineMs, settleMs } = config.liveness;
  if (freshMs >= leaseMs) complain(["liveness", "freshMs"], `expected less than leaseMs (${leaseMs}), got ${freshMs}`);
  if (beatMs * 3 > freshMs)
    complain(["liveness", "beatMs"], `expected at most a third of freshMs (${freshMs}), got ${beatMs}`);
  if (settleMs < callDeadlineMs)
    complain(["liveness", "settleMs"], `expected at least callDeadlineMs (${callDeadlineMs}), got ${settleMs}`);
}

function urls(config: Config): { path: readonly PropertyKey[]; url: string }[] {
  const list: { path: readonly PropertyKey[]; url: string }[] = [{ path: ["api", "url"], url: config.api.url }];
  if (config.clock !== null) list.push({ path: ["clock", "url"], url: config.clock.url });
  config.tenants.forEach((tenant, index) => {
    list.push(
      { path: ["tenants", index, "authority"], url: tenant.authority },
      { path: ["tenants", index, "graph"], url: tenant.graph },
    );
  });
  config.connections.forEach((connection, index) => {
    for (const [key, value] of Object.entries(connection.settings as Record<string, unknown>)) {
      if (typeof value === "string" && /^http:\/\/|^https:\/\//.test(value) && key !== "audience")
        list.push({ path: ["connections", index, key], url: value });
    }
  });
  config.notify.forEach((channel, index) => {
    if (channel.kind === "webhook") list.push({ path: ["notify", index, "url"], url: channel.url });
  });
  config.tickets.forEach((channel, index) => list.push({ path: ["tickets", index, "url"], url: channel.url }));
  return list;
}

/** Whether a URL's host is this machine. */
export function isLoopback(url: string): boolean {
  const host = new URL(url).hostname;
  return host === "localhost" || host === "[::1]" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

/** Calls `repeated` with the index of each value that stood before. */
export function unique(values: readonly string[], repeated: (index: number) => void): void {
  const seen = new Set<string>();
  values.forEach((value, index) => {
    if (seen.has(value)) repeated(index);
    seen.add(value);
  });
}
