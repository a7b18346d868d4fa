import type { RunWork } from "./run-work.ts";

/** Workers that held this run before and are neither proven dead nor know that they have lost it. */
export async function stalledHolders(work: RunWork): Promise<string[]> {
  const rows = await Promise.all(work.data.unproven.map((id) => work.store.worker(id)));
  return rows.flatMap((row) =>
    row !== null && row.goneAs !== "proven" && row.goneAs !== "stopped" && row.refusedAt === null ? [row.id] : [],
  );
}

/** After so long even a holder that nobody could prove dead has lost its lease and its call (domain time). */
export const stalledMsMax = 24 * 60 * 60_000;
