import type { PlanFacts } from "@countersign/evidence";
import { inRecord, type LogEntry, provenBundle, readJournal, readPlan, staysOf } from "../crash/observe.ts";
import type { Effect } from "../crash/stage/effects.ts";
import type { Lane } from "../crash/stage/lane.ts";
import { isEntra, type Row, rolesOf } from "../crash/stage/names.ts";
import type { Sink } from "../scenarios/sink.ts";
import type { Trial } from "./drive.ts";
import type { BatchEffects } from "./effects.ts";
import { inParts } from "./parts.ts";
import { readTold, type Told } from "./told.ts";

/** Everything that is known of one cell when its run has come to rest. */
export interface Seen {
  readonly cell: string;
  readonly row: Row;
  /** null: the request itself was never accepted. */
  readonly run: string | null;
  readonly state: string;
  /** Whether the fault was mended and the held run taken up again. */
  readonly mended: boolean;
  readonly plan: PlanFacts | null;
  readonly entries: readonly LogEntry[];
  readonly effects: readonly Effect[];
  /** Ids of what may sign in now. */
  readonly live: readonly string[];
  /** What the record held before and no run of the row ends; null: what is replaced is what it held. */
  readonly stays: string | null;
  /** The credential whose value the record's newest version holds. */
  readonly inRecord: string | null;
  /** Ids of live credentials of the run that nobody uses and nothing accounts for: also not the ledger. */
  readonly orphans: readonly string[];
  readonly told: Told;
  readonly bundle: string;
}

/** Reads everything about runs that have come to rest. */
export async function lookAtRested(
  lane: Lane,
  sink: Sink,
  trials: readonly Trial[],
  effects: BatchEffects,
): Promise<Seen[]> {
  const { simulator, server } = lane;
  await effects.readOn();
  const directory = await simulator.directory();
  const figures = await simulator.figures();
  const told = await readTold(lane, sink);
  const { rows: ledger } = await server.admin.query<{ id: string }>(
    "select id from cs.credential where state = 'ours-unpublished' and gone_at is null",
  );
  const accounted = new Set(ledger.map(({ id }) => id));
  return inParts(trials, async (trial) => {
    const { cell, row, run, state, mended } = trial;
    const found = isEntra(row)
      ? (figures.applications.find(({ name }) => name === row.name)?.orphans ?? [])
      : (figures.postgres[0]?.orphans ?? []).filter((orphan) => JSON.stringify(orphan).includes(row.name));
    const ids =
      directory.applications.find(({ name }) => name === row.name)?.credentials.map(({ keyId }) => keyId) ?? [];
    return {
      cell: cell.name,
      row,
      run,
      state,
      mended,
      plan: run === null ? null : await readPlan(server.admin, run),
      entries: run === null ? [] : (await readJournal(server.admin, run)).entries,
      effects: effects.of(row),
      live: isEntra(row) ? ids : await server.logins(rolesOf(row.name)),
      stays: staysOf(lane, row),
      inRecord: await inRecord(lane, row),
      orphans: found.map(idOfOrphan).filter((id) => state !== "held" || !accounted.has(id)),
      told: told(run ?? "", row.name),
      bundle: run === null ? "none" : await provenBundle(lane, run),
    };
  });
}

function idOfOrphan(orphan: unknown): string {
  const { keyId, role } = orphan as { readonly keyId?: string; readonly role?: string };
  return keyId ?? role ?? JSON.stringify(orphan);
}
