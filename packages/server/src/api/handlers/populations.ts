import type { Handler } from "../handler.ts";

export const exportPopulation: Handler<"exportPopulation"> = async ({ api, body, person, reply }) => {
  const { from, to, sample } = body;
  const ask = { from: Date.parse(from), to: Date.parse(to), sample, by: person.person, at: api.now() };
  const bytes = await api.population(ask);
  reply
    .header("content-type", "application/zip")
    .header("content-disposition", `attachment; filename="${from.slice(0, 10)}-${to.slice(0, 10)}.zip"`);
  await reply.send(Buffer.from(bytes));
  return null;
};
