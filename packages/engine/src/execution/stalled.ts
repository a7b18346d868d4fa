import type { RunWork } from "./run-work.ts";

/** After so long even a holder that nobody could prove dead has lost its lease and its call (domain time). */
const stalledMsMax = 24 * 60 * 60_000;

/**
 * Whether a worker that held this run before may still publish what it made in an attempt whose intent is of `since`: it
 * is neither proven dead nor has it been told that the run is lost. A day is the longest that this is believed.
 */
export async function mayStillPublish(work: RunWork, since: number): Promise<boolean> {
  if (work.now - since >= stalledMsMax) return false;
  const rows = await Promise.all(work.data.unproven.map((id) => work.store.worker(id)));
  return rows.some(
    (row) => row !== null && row.goneAs !== "proven" && row.goneAs !== "stopped" && row.refusedAt === null,
  );
}
