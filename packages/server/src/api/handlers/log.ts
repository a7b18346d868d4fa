import type { Handler } from "../handler.ts";

export const getCheckpoint: Handler<"getCheckpoint"> = async ({ api }) => {
  const found = await api.store.checkpoint();
  if (found === null) return { checkpoint: null, note: null };
  return { checkpoint: { origin: found.origin, size: found.size, root: found.root }, note: found.note };
};

export const getLogEntries: Handler<"getLogEntries"> = async ({ api, query }) => {
  const [entries, size] = await Promise.all([api.store.entries(query.from, query.limit), api.store.logSize()]);
  const end = query.from + entries.length;
  return { entries: entries.map(({ index, text }) => ({ index, text })), next: end < size ? end : null, size };
};
