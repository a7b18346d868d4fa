/** Small questions that several invariants ask of a history. */
import type { Entry, EntryData, EntryType } from "@countersign/evidence";
import type { Plan } from "../plan/plan.ts";
import type { RunState } from "../run/states.ts";
import type {
  AttemptFact,
  History,
  InvariantId,
  LoggedFact,
  OutsideEffect,
  RunHistory,
  TargetIds,
  Violation,
} from "./history.ts";

/** Collects what does not hold, under one invariant. */
export class Findings {
  readonly found: Violation[] = [];
  readonly #invariant: InvariantId;

  constructor(invariant: InvariantId) {
    this.#invariant = invariant;
  }

  must(holds: boolean, run: string | null, sentence: () => string): void {
    if (!holds) this.found.push({ invariant: this.#invariant, run, sentence: sentence() });
  }
}

/** Judges each run by itself. */
export function eachRun(invariant: InvariantId, judge: (run: RunHistory, must: RunMust, history: History) => void) {
  return (history: History): readonly Violation[] => {
    const findings = new Findings(invariant);
    for (const run of history.runs) judge(run, (holds, sentence) => findings.must(holds, run.id, sentence), history);
    return findings.found;
  };
}
export type RunMust = (holds: boolean, sentence: () => string) => void;

/** One entry with its data, its place and its time. */
export interface Told<T extends EntryType> {
  readonly index: number;
  readonly at: number;
  readonly data: EntryData<T>;
}

export function told<T extends EntryType>(run: RunHistory, type: T): Told<T>[] {
  return entriesOf(run.entries, type);
}

export function entriesOf<T extends EntryType>(entries: readonly LoggedFact[], type: T): Told<T>[] {
  return entries.flatMap(({ index, entry }) =>
    entry.type === type ? [{ index, at: timeOf(entry), data: entry.data as EntryData<T> }] : [],
  );
}

export function timeOf(entry: Entry): number {
  return Date.parse(entry.at);
}

/** A stretch of the log in which a run was in one state; the last one is open, `to` is Infinity then. */
export interface Span {
  readonly state: RunState;
  readonly from: number;
  readonly to: number;
  readonly at: number;
}

/** The run's states as its log tells them. */
export function spansOf(run: RunHistory): Span[] {
  const moves = told(run, "run.moved");
  return moves.map(({ index, at, data }, i) => ({
    state: data.to,
    from: index,
    to: moves[i + 1]?.index ?? Number.POSITIVE_INFINITY,
    at,
  }));
}

/** When the run's authorisation was consumed, if it was. */
export function authorisedAt(run: RunHistory): Told<"run.authorised"> | undefined {
  return told(run, "run.authorised")[0];
}

/** When the run was closed; Infinity while it is open. */
export function closedAt(run: RunHistory): number {
  return told(run, "run.closed")[0]?.at ?? Number.POSITIVE_INFINITY;
}

export function stepOf(plan: Plan, id: string): Plan["steps"][number] | undefined {
  return plan.steps.find((step) => step.id === id);
}

/** Credentials that the plan names for removal. */
export function namedForRemoval(plan: Plan): readonly string[] {
  return [...new Set([plan.old.id, ...(plan.emergency?.revoke ?? [])])];
}

/** The step that makes the credential. */
export const createStep = "create";
/** The step that writes it to the record. */
export const storeStep = "store";

export function attempts(run: RunHistory, step: string, direction: AttemptFact["direction"]): AttemptFact[] {
  return run.steps.filter((row) => row.step === step && row.direction === direction);
}

/** Id that an attempt names: what it made or removed. */
export function credentialIds({ objectIds, intent, facts }: AttemptFact): string[] {
  const of = intent.of;
  const maps = [
    objectIds,
    intent,
    facts,
    ...(typeof of === "object" && of !== null ? [of as Record<string, unknown>] : []),
  ];
  return maps.flatMap((map) => ["keyId", "role"].flatMap((key) => (typeof map[key] === "string" ? [map[key]] : [])));
}

/** Whether the attempt was taken back. */
export function isDiscarded(run: RunHistory, { step, attempt }: AttemptFact): boolean {
  return attempts(run, step, "discard").some((row) => row.attempt === attempt && row.outcome === "done");
}

/** The credential that the run has made and that counts. */
export function madeBy(run: RunHistory): string | undefined {
  const row = attempts(run, createStep, "do").findLast((one) => one.outcome === "done" && !isDiscarded(run, one));
  return row === undefined ? undefined : credentialIds(row)[0];
}

export function sameId(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** Whether the outside's ids name the plan's target: all that both know must agree, and they must share one. */
export function isTarget(plan: Plan, ids: TargetIds): boolean {
  if (plan.target.kind === "postgres-database") return ids.role !== undefined && plan.target.roles.includes(ids.role);
  const own: Readonly<Record<string, string>> = { objectId: plan.target.objectId, appId: plan.target.appId };
  const shared = Object.keys(own).filter((key) => ids[key] !== undefined);
  return shared.length > 0 && shared.every((key) => sameId(own[key] ?? "", ids[key] ?? ""));
}

/** The place of a step that writes into a vault: `host/entry`; null for other steps. */
export function placeOf(step: Plan["steps"][number]): string | null {
  const { vault, name } = step.identity;
  return typeof vault === "string" && typeof name === "string" ? `${vault}/${name}` : null;
}

/** The place of the record: `host/entry`. */
export function recordPlace(plan: Plan): string | null {
  const store = stepOf(plan, storeStep);
  return store === undefined ? null : placeOf(store);
}

/** Changes only. */
export function changesOf(history: History): readonly OutsideEffect[] {
  return (history.outside?.effects ?? []).filter(({ kind }) => kind !== "identify");
}

/** A change in words. */
export function changeText({ kind, credential, place }: OutsideEffect): string {
  return `${kind} of ${credential ?? place ?? "something"}`;
}

export function instant(ms: number): string {
  return Number.isFinite(ms) ? new Date(ms).toISOString() : "never";
}

/** A run with a plan. */
export type Planned = RunHistory & { readonly plan: Plan };

export function planned(history: History): readonly Planned[] {
  return history.runs.filter((run): run is Planned => run.plan !== null);
}
