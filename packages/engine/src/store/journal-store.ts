import type { Facts } from "@countersign/core";
import type { EntryData, EntryType } from "@countersign/evidence";
import { z } from "zod";
import { CheckpointRow, LogEntryRow, StepRow } from "./rows.ts";
import { canonicalText, type EntryInput, entryText, type Hold } from "./run-store.ts";
import { nothing, type Sql, statement } from "./sql.ts";

/** An attempt about to be made. */
export interface Intent extends Hold {
  readonly step: string;
  readonly direction: StepRow["direction"];
  /** From 1. */
  readonly attempt: number;
  readonly verb: string;
  readonly call: string;
  /** 128 bits, hex. */
  readonly nonce: string;
  readonly target: Readonly<Record<string, string>>;
  readonly facts: Facts;
  readonly at: number;
  readonly heeds: Heeds;
}

/** What keeps an intent from being committed. By the approved plan's words, not the row's. */
export interface Heeds {
  /** The tenant whose kill switch counts; null: it is done whatever is frozen. */
  readonly tenant: string | null;
  /** The application whose emergency goes first; null: it goes on beside one. */
  readonly application: string | null;
}

/** What takes something back stops for nothing. */
export const heedsNothing: Heeds = { tenant: null, application: null };

const Stopped = z.strictObject({ stopped: z.enum(["frozen", "emergency"]) });
/** Why an intent was not committed: nothing was written, and nothing may leave. */
export type Stopped = z.output<typeof Stopped>;

/** What became of an attempt. */
export interface Outcome extends Hold {
  readonly step: string;
  readonly direction: StepRow["direction"];
  readonly attempt: number;
  readonly outcome: "done" | "failed" | "unknown";
  readonly build: string;
  readonly connector: { readonly id: string; readonly version: string };
  readonly error: { readonly code: string; readonly status?: number } | null;
  readonly facts: Facts;
  readonly objectIds: Facts;
  readonly requestIds: readonly string[];
  readonly verified: EntryData<"step.outcome">["verified"];
  readonly at: number;
}

/** What is asked at each look at a run and each second. */
const asks = {
  steps: statement("select * from cs.step where run_id = $1 order by seq"),
  unresolved: statement(`select * from cs.step where outcome is not null and resolved_at is null
    and case direction when 'do' then outcome_data->'facts' ? 'reconciled' else outcome = 'done' end
    order by outcome_at limit $1`),
  entriesOfRun: statement("select * from journal.log_entry where run_id = $1 order by run_seq"),
  logHolds: statement(
    "select s.size, e.leaf_hash as leaf from journal.log_state s left join journal.log_entry e on e.idx = $1",
  ),
  logState: statement("select size, frontier from journal.log_state"),
};

const entriesMax = 10_000;
const hashBytes = 32;

/** The step journal and the log. */
export function journalStore(sql: Sql) {
  return {
    /**
     * Commits an intent with its entry, unless something stops it at that moment. Errors: STALE_FENCE, STATE_CONFLICT (no
     * effects in this state), CONFLICT (it exists).
     */
    intent: async (intent: Intent): Promise<StepRow | Stopped> =>
      sql.call(z.union([Stopped, StepRow]), "cs.intent", {
        run: intent.run,
        fence: intent.fence,
        worker: intent.worker,
        step: intent.step,
        direction: intent.direction,
        attempt: intent.attempt,
        verb: intent.verb,
        call: intent.call,
        nonce: intent.nonce,
        target: canonicalText(intent.target),
        facts: canonicalText(intent.facts),
        at: intent.at,
        tenant: intent.heeds.tenant,
        application: intent.heeds.application,
      }),

    /** Commits an outcome with its entry; `unknown` may be followed by a later one. Errors: STALE_FENCE, STATE_CONFLICT. */
    outcome: async (outcome: Outcome): Promise<StepRow> =>
      sql.call(StepRow, "cs.outcome", {
        run: outcome.run,
        fence: outcome.fence,
        worker: outcome.worker,
        step: outcome.step,
        direction: outcome.direction,
        attempt: outcome.attempt,
        outcome: outcome.outcome,
        build: outcome.build,
        connector: canonicalText(outcome.connector),
        error: outcome.error === null ? null : canonicalText(outcome.error),
        facts: canonicalText(outcome.facts),
        objectIds: canonicalText(outcome.objectIds),
        requestIds: canonicalText(outcome.requestIds),
        verified: outcome.verified,
        at: outcome.at,
      }),

    /** Closes for good what was not proven: counted as absent, or its late twin was removed. Makes no entry. */
    stepResolve: (
      attempt: Pick<StepRow, "step" | "direction" | "attempt"> & { readonly run: string },
      at: number,
    ): Promise<void> =>
      sql.call(nothing, "cs.step_resolve", {
        run: attempt.run,
        step: attempt.step,
        direction: attempt.direction,
        attempt: attempt.attempt,
        at,
      }),

    /** All attempts of a run, in the order of their intents. */
    steps: (run: string): Promise<StepRow[]> => sql.rows(StepRow, asks.steps, [run]),

    /**
     * Creations that were looked for and not found, and removals that found nothing to remove, over all runs, oldest first;
     * what a run still reconciles itself is not among them.
     */
    unresolvedSteps: (limit: number): Promise<StepRow[]> => sql.rows(StepRow, asks.unresolved, [limit]),

    /** Writes an entry that tells of no change here; returns its index. An entry of a run needs the hold on it. */
    append: async (entry: EntryInput, at: number, hold: Hold | null = null): Promise<number> =>
      sql.call(z.int(), "cs.append", {
        run: hold?.run ?? null,
        type: entry.type,
        data: entryText(entry.type, entry.data),
        at,
        fence: hold?.fence ?? null,
        worker: hold?.worker ?? null,
      }),

    /** Entries from index `from`, in order, at most `limit`. */
    entries: (from: number, limit: number): Promise<LogEntryRow[]> =>
      sql.rows(LogEntryRow, "select * from journal.log_entry where idx >= $1 order by idx limit $2", [
        from,
        Math.min(limit, entriesMax),
      ]),

    /** Index of the first entry that is later than an instant (RFC 3339, ms); null: none is. */
    firstAfter: (time: string): Promise<number | null> => sql.call(z.int().nullable(), "journal.first_after", { time }),

    entriesOfRun: (run: string): Promise<LogEntryRow[]> => sql.rows(LogEntryRow, asks.entriesOfRun, [run]),

    /** Entries of no run, of some types, in order: genesis, policies, erasures. */
    entriesOfNoRun: (types: readonly EntryType[], limit: number): Promise<LogEntryRow[]> =>
      sql.rows(
        LogEntryRow,
        "select * from journal.log_entry where run_id is null and type = any ($1) order by idx limit $2",
        [[...types], limit],
      ),

    /** Leaf hashes from index `from`, for proofs. They come in one row: a proof takes those of the whole log. */
    async leafHashes(from: number, limit: number): Promise<Uint8Array[]> {
      const row = z.object({ hashes: z.instanceof(Uint8Array).nullable() });
      const text = `select string_agg(leaf_hash, ''::bytea order by idx) as hashes from (
        select idx, leaf_hash from journal.log_entry where idx >= $1 order by idx limit $2) e`;
      const hashes = (await sql.first(row, text, [from, limit]))?.hashes ?? new Uint8Array();
      return Array.from({ length: hashes.length / hashBytes }, (_, at) =>
        hashes.subarray(at * hashBytes, (at + 1) * hashBytes),
      );
    },

    /** Size of the log, and the leaf hash of one of its entries; null: it has no such entry. */
    async logHolds(idx: number): Promise<{ size: number; leaf: Uint8Array | null }> {
      const row = z.object({ size: z.int(), leaf: z.instanceof(Uint8Array).nullable() });
      return (await sql.first(row, asks.logHolds, [idx])) ?? { size: 0, leaf: null };
    },

    /** Size of the log and the frontier that the database keeps. */
    async logState(): Promise<{ size: number; frontier: Uint8Array }> {
      const row = z.object({ size: z.int(), frontier: z.instanceof(Uint8Array) });
      return (
        (await sql.first(row, asks.logState)) ?? {
          size: 0,
          frontier: new Uint8Array(),
        }
      );
    },

    /** The newest signed checkpoint, or the newest up to a size. */
    checkpoint: (sizeMax?: number): Promise<CheckpointRow | null> =>
      sql.first(
        CheckpointRow,
        "select size, note from journal.log_checkpoint where $1::bigint is null or size <= $1 order by size desc limit 1",
        [sizeMax ?? null],
      ),

    /** Errors: CONFLICT when a checkpoint of this size or beyond is there already. */
    checkpointStore: (size: number, note: string): Promise<void> =>
      sql.call(nothing, "journal.checkpoint_store", { size, note }),
  };
}
