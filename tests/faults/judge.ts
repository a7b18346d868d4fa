import type { PlanFacts } from "@countersign/evidence";
import type { LogEntry } from "../crash/observe.ts";
import type { Lane } from "../crash/stage/lane.ts";
import { consumersOf, type Row, rolesOf } from "../crash/stage/names.ts";
import type { Effect } from "../crash/stage/simulator.ts";
import type { Notice } from "../scenarios/sink.ts";

/** A broken promise, and in which cell. */
export interface Violation {
  readonly cell: string;
  /** The invariant (ARCHITECTURE.md), `end`, `notice` or `evidence`. */
  readonly rule: string;
  readonly sentence: string;
}

/** Everything that is known of one cell when its run has come to rest. */
export interface Seen {
  readonly cell: string;
  readonly row: Row;
  /** null: the request itself was never accepted. */
  readonly run: string | null;
  readonly state: string;
  readonly plan: PlanFacts | null;
  readonly entries: readonly LogEntry[];
  readonly effects: readonly Effect[];
  /** Ids of what may sign in now. */
  readonly live: readonly string[];
  /** The credential whose value the record's newest version holds. */
  readonly inRecord: string | null;
  readonly orphans: number;
  readonly notices: readonly Notice[];
  readonly bundle: string;
}

/** States in which a run may come to rest when something outside goes wrong. */
const ends: ReadonlySet<string> = new Set(["completed", "rolled_back", "held", "blocked"]);

/** What must hold whatever went wrong. */
export function judge(seen: Seen): Violation[] {
  const found: Violation[] = [];
  const must = (holds: boolean, rule: string, sentence: string) => {
    if (!holds) found.push({ cell: seen.cell, rule, sentence });
  };
  const { row, state, live, inRecord, plan } = seen;
  must(ends.has(state), "end", `expected the run to come to rest, got ${state}`);

  const names = consumersOf(row).map(({ name }) => name);
  const failed = seen.effects.filter(
    ({ op, workload, effect }) =>
      (op === "token" || op === "postgres.connect") && workload !== null && names.includes(workload) && !effect,
  );
  must(failed.length === 0, "I1", `expected no failed sign-in, got ${failed.length}: ${failed[0]?.code ?? ""}`);
  must(
    inRecord !== null && live.includes(inRecord),
    "I1",
    `expected the record to hold a credential that signs in, got ${inRecord} of ${live.join(", ")}`,
  );
  must(seen.orphans === 0, "I3", `expected no orphan, got ${seen.orphans}`);

  const old = plan?.old.id ?? null;
  // Once its removal was intended only the outcome counts: a run that holds then may have retired it.
  const retireIntended = seen.entries.some(({ type, data }) => type === "step.intent" && data.step === "retire");
  const removed = seen.effects.filter(({ op, effect }) => op === "application.removePassword" && effect);
  if (state === "completed") {
    must(old !== null && !live.includes(old), "I5", "expected a completed run to have retired the old credential");
    must(live.length === 1, "I3", `expected one credential after a completed run, got ${live.length}`);
  } else if (old !== null && !retireIntended) {
    must(live.includes(old), "I5", `expected the old credential to sign in while the run is ${state}, it does not`);
    must(
      !removed.some(({ target }) => target.keyId === old),
      "I5",
      "expected the old credential to stay, it was removed",
    );
  }
  if (state === "rolled_back" && plan !== null)
    must(live.length === 1 && inRecord === old, "I8", `expected only the old credential, got ${live.join(", ")}`);
  if (state === "blocked")
    must(!seen.entries.some(({ type }) => type === "step.intent"), "I4", "expected no effect of a blocked run");

  const authorised = seen.entries.findIndex(({ type }) => type === "run.authorised");
  const intended = seen.entries.findIndex(({ type }) => type === "step.intent");
  must(intended < 0 || (authorised >= 0 && authorised < intended), "I4", "expected run.authorised before any intent");
  const made = seen.effects.filter(({ op, effect }) => op === "application.addPassword" && effect).length;
  const creates = seen.entries.filter(
    ({ type, data }) => type === "step.intent" && data.step === "create" && data.direction === "do",
  );
  must(made <= creates.length, "I6", `expected an intent for each addPassword, got ${made} for ${creates.length}`);

  if (seen.run !== null) must(seen.bundle === "proven", "evidence", `expected a proven bundle, got ${seen.bundle}`);
  if (state !== "completed" && seen.run !== null) {
    const kinds = seen.notices.filter(({ data }) => data.run === seen.run).map(({ type }) => type);
    const wanted = noticeOf(state);
    must(kinds.includes(wanted), "notice", `expected the notice ${wanted}, got ${kinds.join(", ") || "none"}`);
  }
  return found;
}

/** The kind of the notice that tells of this state. */
export function noticeOf(state: string): string {
  return `run.${state.replaceAll("_", "-")}`;
}

/** Which credentials of the row sign in, by the tenant's own word. */
export function liveOf(lane: Lane, row: Row, applications: Lane["directory"]["applications"]): Promise<string[]> {
  return row.procedure === "entra-client-secret"
    ? Promise.resolve((applications.find(({ name }) => name === row.name)?.credentials ?? []).map(({ keyId }) => keyId))
    : lane.server.logins(rolesOf(row.name));
}
