import { CountersignError, type Facts } from "@countersign/core";
import { canonicalize, ENTRY_DATA, type EntryData, type EntryType, type Json } from "@countersign/evidence";
import { z } from "zod";
import { databaseError } from "./errors.ts";
import {
  ApprovalRow,
  Asked,
  ConfirmationRow,
  DirectiveRow,
  FindingRow,
  LockRow,
  RunRow,
  type RunState,
  StepRow,
} from "./rows.ts";
import { nothing, type Sql, statement } from "./sql.ts";

/** An entry that goes into the log in the same transaction as a change. */
export type EntryInput = { [T in EntryType]: { readonly type: T; readonly data: EntryData<T> } }[EntryType];

/** A request for a run, as it is filed. Times are domain milliseconds. */
export interface RunRequest {
  readonly id: string;
  readonly tenant: string;
  readonly environment: string;
  /** The application or database: one open run at a time. */
  readonly targetKey: string;
  readonly target: Readonly<Record<string, string>>;
  /** `name@major`. */
  readonly procedure: string;
  readonly trigger: RunRow["trigger"];
  /** A person's id or `system:<name>`. */
  readonly requester: string;
  /** Kept as an erasable attachment. */
  readonly reason?: Uint8Array | null;
  readonly replaces?: string | null;
  readonly at: number;
  /** Answer with the open run of the same target, if there is one, instead of filing another. */
  readonly unlessOpen?: boolean;
}

/** Who holds a run: both must still be so when a change is made. */
export interface Hold {
  readonly run: string;
  readonly fence: number;
  readonly worker: string;
}

/** A finding as a validation or scan makes it. */
export interface FindingInput {
  readonly code: string;
  readonly result: "pass" | "warn" | "block";
  readonly observed: string | number | boolean | null;
  readonly required: string | number | boolean | null;
  readonly target?: Facts;
}

/** A message for the outbox about a run; sent once per key. */
export interface RunNotice {
  readonly kind: string;
  readonly channel: string;
  readonly key: string;
  readonly payload?: Facts;
}

/** A move of a run, with all that is to be true in the same transaction. */
export interface Transition extends Hold {
  readonly from: RunState;
  readonly to: RunState;
  readonly at: number;
  readonly because: EntryData<"run.moved">["because"];
  /** When somebody should look at it next, domain milliseconds; null: when a person acts. */
  readonly notBefore: number | null;
  /** false: this worker goes on with it, with the new fence. */
  readonly release: boolean;
  /** Entries that come before `run.moved`. */
  readonly entries?: readonly EntryInput[];
  readonly data?: Facts;
  /** The move answers what a person asked for. */
  readonly answered?: boolean;
  /** Messages that go into the outbox with it. */
  readonly notices?: readonly RunNotice[];
  readonly take?: readonly { readonly key: string; readonly held: "run" | "effects" }[];
  /** Bytes of the plan to freeze. */
  readonly plan?: Uint8Array;
  readonly policyDigest?: string;
  readonly findings?: readonly FindingInput[];
}

/** A person's signed decision. */
export interface Decision {
  readonly run: string;
  readonly planDigest: string;
  readonly person: string;
  readonly role: string;
  readonly decision: "approve" | "reject";
  readonly level: ApprovalRow["level"];
  readonly statement: Uint8Array;
  readonly envelope: Uint8Array;
  readonly at: number;
  /** Judges the quorum over the approvals so far and this one; asked again when others decided meanwhile. */
  quorum(earlier: readonly ApprovalRow[]): { readonly complete: boolean; readonly notBefore: number };
}

/** What an owner says about a step that is done by hand. */
export interface StepConfirmation {
  readonly run: string;
  readonly step: string;
  readonly direction: "do" | "undo";
  readonly person: string;
  readonly level: ApprovalRow["level"];
  /** false: it is taken back. */
  readonly given: boolean;
  readonly at: number;
}

/** What to list; every field narrows. Keyset paging, newest first. */
export interface RunFilter {
  readonly states?: readonly RunState[];
  readonly tenant?: string;
  readonly environment?: string;
  readonly targetKey?: string;
  readonly trigger?: RunRow["trigger"];
  /** Part of a target key or the whole id. */
  readonly search?: string;
  /** The last row of the page before. */
  readonly after?: { readonly createdAt: number; readonly id: string };
  readonly limit: number;
}

const Heard = z.object({ asked: Asked, emergency: RunRow.nullable() });
/** What others have said of a run that one holds. */
export interface Heard {
  readonly asked: RunRow["asked"];
  /** The open emergency of the same application, whatever its state. */
  readonly emergency: RunRow | null;
}

const Journal = Heard.extend({ steps: z.array(StepRow), used: z.boolean() });
export type Journal = z.output<typeof Journal>;

/** The newest open emergency of the application of run `r`. */
const emergencyOf = `(select to_jsonb(e) from cs.run e where e.target_key = r.target_key and e.trigger = 'compromise'
  and not cs.is_final(e.state) order by e.created_at desc, e.id desc limit 1)`;

/** What is asked at each look at a run. */
const asks = {
  run: statement("select * from cs.run where id = $1"),
  heard: statement(`select r.asked, ${emergencyOf} as emergency from cs.run r where r.id = $1`),
  journal: statement(`select r.asked, ${emergencyOf} as emergency,
    (select coalesce(jsonb_agg(s order by s.seq), '[]') from cs.step s where s.run_id = r.id) as steps,
    exists (select from cs.break_glass b where b.run_id = r.id) as used from cs.run r where r.id = $1`),
  plan: statement("select body from cs.plan where digest = $1"),
  confirmations: statement("select * from cs.confirmation where run_id = $1 and withdrawn_at is null order by id"),
  approvals: statement(`select a.*, s.bytes as statement, e.bytes as envelope from cs.approval a
    join cs.attachment s on s.digest = a.statement_digest join cs.attachment e on e.digest = a.evidence_digest
    where a.run_id = $1 order by a.at, a.person`),
};

const decideTriesMax = 5;
const pageRowsMax = 1_000;

/** Checks an entry's data against evidence's schema before it leaves: the log is for ever. */
export function entryText(type: EntryType, data: unknown): string {
  try {
    return canonicalize(ENTRY_DATA[type](data, type));
  } catch (error) {
    throw databaseError(error);
  }
}

/** Canonical text of facts; INPUT_INVALID for what has no such form. */
export function canonicalText(value: Json): string {
  try {
    return canonicalize(value);
  } catch (error) {
    throw databaseError(error);
  }
}

function entriesText(entries: readonly EntryInput[]): string {
  return JSON.stringify(entries.map(({ type, data }) => ({ type, data: entryText(type, data) })));
}

/** Requests, moves and decisions. */
export function runStore(sql: Sql) {
  const store = {
    /** Files a request, with `run.requested`; returns the run's id (another one's with `unlessOpen`). */
    submitRun: async (request: RunRequest): Promise<string> =>
      sql.call(z.string(), "cs.submit_run", {
        id: request.id,
        tenant: request.tenant,
        environment: request.environment,
        targetKey: request.targetKey,
        target: canonicalText(request.target),
        procedure: request.procedure,
        trigger: request.trigger,
        requester: request.requester,
        reason: request.reason ?? null,
        replaces: request.replaces ?? null,
        at: request.at,
        notBefore: request.at,
        unlessOpen: request.unlessOpen ?? false,
      }),

    /**
     * Moves a run one holds; returns the new fence. Errors: STALE_FENCE (taken over or moved), STATE_CONFLICT,
     * LOCK_HELD (`holder` names the run), FORBIDDEN (no such move for this login).
     */
    transition: async (move: Transition): Promise<number> =>
      sql.call(z.int(), "cs.transition", {
        run: move.run,
        fence: move.fence,
        worker: move.worker,
        from: move.from,
        to: move.to,
        notBefore: move.notBefore,
        at: move.at,
        because: move.because === null ? null : canonicalText(move.because),
        entries: entriesText(move.entries ?? []),
        release: move.release,
        data: move.data === undefined ? null : JSON.stringify(move.data),
        take: move.take === undefined ? null : JSON.stringify(move.take),
        plan: move.plan ?? null,
        policyDigest: move.policyDigest ?? null,
        findings: JSON.stringify(move.findings ?? []),
        notices: JSON.stringify(move.notices ?? []),
        answered: move.answered ?? false,
      }),

    /** Writes entries about a run one holds, with its data and notices, without a move. */
    note: async (
      hold: Hold,
      said: {
        readonly at: number;
        readonly data?: Facts;
        readonly entries: readonly EntryInput[];
        readonly notices?: readonly RunNotice[];
        /** What a person asked for is settled by it. */
        readonly answered?: boolean;
      },
    ): Promise<void> =>
      sql.call(nothing, "cs.note", {
        run: hold.run,
        fence: hold.fence,
        worker: hold.worker,
        at: said.at,
        data: said.data === undefined ? null : JSON.stringify(said.data),
        entries: entriesText(said.entries),
        notices: JSON.stringify(said.notices ?? []),
        answered: said.answered ?? false,
      }),

    /** Puts a run one holds back to wait until `notBefore`; makes no entry. */
    release: (hold: Hold, notBefore: number | null, at: number, data?: Facts): Promise<void> =>
      sql.call(nothing, "cs.release", {
        run: hold.run,
        fence: hold.fence,
        worker: hold.worker,
        notBefore,
        data: data === undefined ? null : JSON.stringify(data),
        at,
      }),

    /** Keeps working data of a run one holds. */
    dataPut: (hold: Hold, data: Facts): Promise<void> =>
      sql.call(nothing, "cs.data_put", {
        run: hold.run,
        fence: hold.fence,
        worker: hold.worker,
        data: JSON.stringify(data),
      }),

    /**
     * Stores a decision with its proof and entry, and moves the run when it completes the quorum or rejects; returns the
     * state after it. Errors: STATE_CONFLICT (not awaiting approval, another plan, a second decision of this person).
     */
    async decide(decision: Decision): Promise<RunState> {
      for (let tries = 1; ; tries++) {
        const earlier = await store.approvals(decision.run);
        const { complete, notBefore } = decision.quorum(earlier);
        try {
          const state = await sql.call(z.string(), "cs.decide", {
            run: decision.run,
            planDigest: decision.planDigest,
            person: decision.person,
            role: decision.role,
            decision: decision.decision,
            level: decision.level,
            statement: decision.statement,
            envelope: decision.envelope,
            at: decision.at,
            seen: earlier.length,
            quorum: complete,
            notBefore,
          });
          return state as RunState;
        } catch (error) {
          // Somebody decided between our reading and our writing: judge the quorum anew.
          if ((error as { code?: string }).code !== "CONFLICT" || tries === decideTriesMax) throw error;
        }
      }
    },

    /** Takes a run back before its first effect. Errors: STATE_CONFLICT. */
    withdraw: (run: string, person: string, at: number): Promise<void> =>
      sql.call(nothing, "cs.withdraw", { run, person, at }),

    /** Leaves a person's word for the executor and wakes it. Errors: STATE_CONFLICT (the run is not under way). */
    direct: (run: string, kind: DirectiveRow["kind"], person: string, at: number, reason?: Uint8Array): Promise<void> =>
      sql.call(nothing, "cs.direct", { run, kind, person, reason: reason ?? null, at }),

    /**
     * An owner's word that a step was done by hand, or that it was not after all, with its entry. Errors: STATE_CONFLICT
     * (nothing waits for it, or it stands already), FORBIDDEN (no owner of the plan's application).
     */
    confirmStep: (said: StepConfirmation): Promise<void> =>
      sql.call(nothing, "cs.confirm_step", {
        run: said.run,
        step: said.step,
        direction: said.direction,
        person: said.person,
        level: said.level,
        given: said.given,
        at: said.at,
      }),

    /** Words that stand, of one run. */
    confirmations: (run: string): Promise<ConfirmationRow[]> => sql.rows(ConfirmationRow, asks.confirmations, [run]),

    /** What people said and the executor has not yet acted on, oldest first. */
    directives: (run: string): Promise<DirectiveRow[]> =>
      sql.rows(DirectiveRow, "select * from cs.directive where run_id = $1 and taken_at is null order by id", [run]),

    run: (id: string): Promise<RunRow | null> => sql.first(RunRow, asks.run, [id]),

    /** What others have said of a run: of each a word that its holder has to answer. */
    heard: async (id: string): Promise<Heard> =>
      (await sql.first(Heard, asks.heard, [id])) ?? { asked: null, emergency: null },

    /** A run's attempts in the order of their intents, whether one person started it alone, and what others have said. */
    journalOf: async (id: string): Promise<Journal> => {
      const found = await sql.first(Journal, asks.journal, [id]);
      if (found === null) throw new CountersignError("NOT_FOUND", `expected run ${id}, got none`);
      return found;
    },

    /** A page of runs, newest first. */
    runs(filter: RunFilter): Promise<RunRow[]> {
      const values: unknown[] = [];
      const where: string[] = [];
      const add = (value: unknown, condition: (place: string) => string) => {
        if (value === undefined) return;
        values.push(value);
        where.push(condition(`$${values.length}`));
      };
      add(filter.states, (p) => `state = any (${p})`);
      add(filter.tenant, (p) => `tenant = ${p}`);
      add(filter.environment, (p) => `environment = ${p}`);
      add(filter.targetKey, (p) => `target_key = ${p}`);
      add(filter.trigger, (p) => `trigger = ${p}`);
      add(filter.search, (p) => `(id = ${p} or strpos(lower(target_key), lower(${p})) > 0)`);
      if (filter.after !== undefined) {
        values.push(filter.after.createdAt, filter.after.id);
        where.push(`(created_at, id) < ($${values.length - 1}, $${values.length})`);
      }
      values.push(Math.min(filter.limit, pageRowsMax));
      const condition = where.length === 0 ? "" : `where ${where.join(" and ")}`;
      return sql.rows(
        RunRow,
        `select * from cs.run ${condition} order by created_at desc, id desc limit $${values.length}`,
        values,
      );
    },

    /** How many runs are in each state. */
    async runCounts(): Promise<Partial<Record<RunState, number>>> {
      const row = z.object({ state: z.string(), count: z.int() });
      const rows = await sql.rows(row, "select state, count(*) as count from cs.run group by state");
      return Object.fromEntries(rows.map(({ state, count }) => [state, count]));
    },

    /** The frozen bytes of a plan. */
    async plan(digest: string): Promise<Uint8Array | null> {
      const row = z.object({ body: z.instanceof(Uint8Array) });
      return (await sql.first(row, asks.plan, [digest]))?.body ?? null;
    },

    /** Decisions over a run with their proof, oldest first. */
    approvals: (run: string): Promise<ApprovalRow[]> => sql.rows(ApprovalRow, asks.approvals, [run]),

    findings: (of: { readonly run: string } | { readonly scan: string }): Promise<FindingRow[]> =>
      "run" in of
        ? sql.rows(FindingRow, "select * from cs.finding where run_id = $1 order by id", [of.run])
        : sql.rows(FindingRow, "select * from cs.finding where scan_id = $1 order by id", [of.scan]),

    /** Locks, of one run or all. */
    locks: (run?: string): Promise<LockRow[]> =>
      sql.rows(LockRow, "select * from cs.run_lock where $1::text is null or run_id = $1 order by key", [run ?? null]),
  };
  return store;
}
