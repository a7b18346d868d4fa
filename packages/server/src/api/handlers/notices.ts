import { CountersignError } from "@countersign/core";
import type { Handler } from "../handler.ts";
import { iso } from "../views/time.ts";

export const listNotices: Handler<"listNotices"> = async ({ api, query }) => {
  const { run, channel, undelivered, limit } = query;
  const items = await api.store.deliveries({
    limit,
    undelivered: undelivered === "true",
    ...(run === undefined ? {} : { run }),
    ...(channel === undefined ? {} : { channel }),
  });
  return { items: [...items] };
};

export const listChannels: Handler<"listChannels"> = async ({ api }) => ({ items: [...(await api.store.channels())] });

export const testChannel: Handler<"testChannel"> = async ({ api, params, person }) => {
  const { name: channel } = params;
  if (!(await api.store.channels()).some(({ name }) => name === channel))
    throw new CountersignError("NOT_FOUND", `expected a channel of the configuration, got ${channel}`);
  const at = api.now();
  await api.store.testChannel({ channel, person: person.person, at });
  return { accepted: true, at: iso(at) };
};
