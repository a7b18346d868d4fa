import { type Hit, Searcher } from "../crash/search.ts";
import type { Stage } from "./stage.ts";

/** Rows in which what is told is kept. */
const outbox = ["cs.notice", "cs.delivery", "cs.ticket", "cs.channel"];

/**
 * Searches for every secret that there is (clients' secrets and passwords of the tenant, and what the channels are reached
 * with) in everything that was told and everything that is kept of it. `plant`: one more text to search, of one of them.
 */
export async function secretsToldOf(
  stage: Stage,
  plant?: (secret: string) => string,
): Promise<{ readonly secrets: number; readonly bytes: number; readonly hits: readonly Hit[] }> {
  const { values } = (await stage.manage("GET", "/holdings")) as { values: readonly string[] };
  const own = ["ops", "daily", "team", "jira", "snow", "hook", "reader", "writer", "vault"].map(
    (name) => [`${name}.secret`, stage.read(`${name}.secret`).trim()] as const,
  );
  const secrets = new Map([...values.map((value, n) => [`value ${n + 1}`, value] as const), ...own]);
  const searcher = new Searcher(secrets);
  const kept = await stage.asDatabaseOwner(async (owner) => {
    const rows = [];
    for (const table of outbox)
      rows.push(...(await owner.query<{ text: string }>(`select to_jsonb(t)::text as text from ${table} t`)).rows);
    return rows.map(({ text }) => text).join("\n");
  });
  const places = new Map([
    ["chats and desks", JSON.stringify(await stage.manage("GET", "/told"))],
    ["webhook", stage.sink.bodies.join("\n")],
    ["outbox", kept],
    ...(plant === undefined ? [] : [["planted", plant(values[0] ?? "")] as const]),
  ]);
  const hits = [...places].flatMap(([place, text]) => searcher.search(place, Buffer.from(text)));
  return { secrets: secrets.size, bytes: [...places.values()].join("").length, hits };
}
