import type { BuiltConnectors } from "@countersign/connectors";
import { CountersignError, closedStates, type ReadContext, runStates, thawPlan } from "@countersign/core";
import {
  type EngineClock,
  hashLog,
  lowerHighWaterMark,
  openStore,
  type RunRow,
  readHighWaterMark,
  type Store,
  systemClock,
} from "@countersign/engine";
import { canonicalBytes, checkpointRef, digestOf, type Signer } from "@countersign/evidence";
import { openClock } from "./clock.ts";
import { openConnectors } from "./connectors.ts";
import type { Database } from "./database.ts";
import type { Installation } from "./load.ts";
import { type Marked, markedOutside, recordsOf } from "./restored-outside.ts";
import { loadKey, readTrust } from "./state.ts";

/** A credential outside that carries our marker, of which the restored database has no journal line. */
export interface UnknownCredential extends Omit<Marked, "nonce"> {
  /** Whether the system of record holds it now, as its own tag says; null: that was not read. */
  readonly inRecord: boolean | null;
  /** The version of the record that holds it; null: it does not, or that was not read. */
  readonly version: string | null;
}

/** What an open run of the restored database would come to. */
export interface RestoredRun {
  readonly run: string;
  readonly application: string;
  readonly state: string;
  /** The credential that it was to replace, and whether that is still listed outside; null: there is no plan, or that was not read. */
  readonly old: { readonly id: string; readonly listed: boolean | null } | null;
  readonly becomes: "withdrawn" | "held";
}

/** Where a restored database stands against this host and the outside. The same text each time while nothing changes. */
export interface RestoredReport {
  /** Whether the database lacks what this host has seen of the log. */
  readonly behind: boolean;
  /** How far this host has seen the log; null: it has seen none. */
  readonly seen: { readonly size: number; readonly root: string } | null;
  /** The size of the last checkpoint in the database that this log's key has signed. */
  readonly signedSize: number;
  readonly unknown: readonly UnknownCredential[];
  readonly runs: readonly RestoredRun[];
  /** What could not be read outside, and why. */
  readonly unread: readonly { readonly what: string; readonly code: string }[];
}

/** A person's word that lets work go on. */
export interface RestoredAccepted {
  /** Digest of the report that was read. */
  readonly report: string;
  readonly person: string;
  readonly reason: string;
}

const statementTimeoutMs = 10 * 60_000;
const openStates = runStates.filter((state) => !closedStates.has(state));
const untouched: ReadonlySet<string> = new Set(["requested", "planned", "awaiting_approval", "approved", "scheduled"]);
const pageRuns = 1_000;
const runsMax = 100_000;
const unknownMax = 10_000;
const noncesMax = 1_000;
const reasonMax = 2_000;

/**
 * Reads how a restored database stands against the mark of this host, what the outside holds of ours that it does not know,
 * and what its open runs would come to. It changes nothing. With `accepted` work may go on afterwards: every open run is put
 * to rest, `log.restored` says what was lost, and the mark follows. Errors: LOG_INVALID (no older state of this log),
 * CONFLICT (another report than the one that was read), INPUT_INVALID (nobody, or no reason), FORBIDDEN without the
 * executor's login.
 */
export async function judgeRestored(
  installation: Installation,
  database: Database,
  accepted: RestoredAccepted | null,
): Promise<{ report: RestoredReport; digest: string; accepted: { held: number; withdrawn: number } | null }> {
  const { state } = installation;
  const trust = readTrust(state);
  const signer = loadKey(state, "log", trust.origin);
  const clock = await openClock(installation, () => {});
  const connection = database.connection("cs_executor");
  const store = openStore({ role: "cs_executor", connection, connectionsMax: 2, statementTimeoutMs });
  // A command waits in real time: nobody need advance a virtual clock for it.
  const pace: EngineClock = { ...systemClock(), now: () => clock.now() };
  const connectors = openConnectors(installation, pace, () => {});
  try {
    const ctx = { clock: pace, signal: new AbortController().signal };
    const { report, log } = await readReport(installation, store, signer, connectors, ctx);
    const bytes = canonicalBytes(JSON.parse(JSON.stringify(report)));
    const digest = digestOf(bytes);
    if (accepted === null) return { report, digest, accepted: null };
    assertAccepted(accepted, digest, (person) => trust.people.some((known) => known.person === person));
    const mark = await readHighWaterMark(state);
    const rested = await store.logRestored({
      person: accepted.person,
      reason: Buffer.from(accepted.reason),
      report: bytes,
      seen: mark === null ? log.signed : checkpointRef({ origin: trust.origin, size: mark.size, root: mark.root }),
      signed: log.signed,
      unknown: report.unknown.length,
      at: clock.now(),
    });
    // The entry is there before the mark follows: cut off in between, everything stands still and the command is given again.
    await lowerHighWaterMark(state, (await hashLog(store, signer)).mark);
    return { report, digest, accepted: rested };
  } finally {
    await connectors.close();
    await store.close();
    await clock.close();
  }
}

function assertAccepted(
  { report, person, reason }: RestoredAccepted,
  digest: string,
  known: (person: string) => boolean,
): void {
  if (report !== digest)
    throw new CountersignError("CONFLICT", `expected the digest of what stands now, ${digest}, got ${report}`);
  if (!known(person))
    throw new CountersignError("INPUT_INVALID", `expected the id of a person of the trust file, got ${person}`);
  if (reason.trim() === "" || reason.length > reasonMax)
    throw new CountersignError("INPUT_INVALID", `expected a reason of 1 to ${reasonMax} characters`);
}

async function readReport(
  installation: Installation,
  store: Store,
  signer: Signer,
  connectors: BuiltConnectors,
  ctx: ReadContext,
) {
  const log = await hashLog(store, signer);
  const mark = await readHighWaterMark(installation.state);
  const { leaf } = await store.logHolds(mark === null ? 0 : mark.size - 1);
  const behind = mark !== null && (leaf === null || Buffer.compare(leaf, mark.leaf) !== 0);
  const open = await openRuns(store);
  const unread: { what: string; code: string }[] = [];
  const asked = new Set(open.flatMap(({ old }) => (old === null ? [] : [old])));
  const seen = await markedOutside(installation, connectors, ctx, asked, unread);
  const found = await unknownOf(store, seen.marked);
  const records = await recordsOf(installation, connectors, ctx, found, unread);
  const report: RestoredReport = {
    behind,
    seen: mark === null ? null : { size: mark.size, root: Buffer.from(mark.root).toString("base64") },
    signedSize: log.signed.size,
    unknown: found.map(({ nonce: _, ...one }) => {
      const record = records.get(one.objectId);
      const inRecord = record === undefined ? null : record.credential === one.id;
      return { ...one, inRecord, version: inRecord === true ? (record?.version ?? null) : null };
    }),
    runs: open.map(({ row: { id, tenant, targetKey, state }, old }) => {
      const listed = old !== null && seen.tenantsRead.has(tenant) ? seen.listed.has(old) : null;
      const becomes = untouched.has(state) ? ("withdrawn" as const) : ("held" as const);
      return { run: id, application: targetKey, state, old: old === null ? null : { id: old, listed }, becomes };
    }),
    unread,
  };
  return { report, log };
}

/** Every open run in one order, with the credential that its plan replaces. */
async function openRuns(store: Store): Promise<{ readonly row: RunRow; readonly old: string | null }[]> {
  const runs: RunRow[] = [];
  for (let after: RunRow | undefined, more = true; more; after = runs.at(-1)) {
    const page = await store.runs({ states: openStates, limit: pageRuns, ...(after === undefined ? {} : { after }) });
    runs.push(...page);
    more = page.length === pageRuns;
    if (runs.length > runsMax)
      throw new CountersignError("LIMIT_EXCEEDED", `expected at most ${runsMax} open runs, got more`);
  }
  const open = [];
  for (const row of runs.sort((a, b) => (a.id < b.id ? -1 : 1))) {
    const bytes = row.planDigest === null ? null : await store.plan(row.planDigest);
    const plan = bytes === null || row.planDigest === null ? null : thawPlan(bytes, row.planDigest).plan;
    open.push({ row, old: plan === null ? null : plan.old.id });
  }
  return open;
}

/** Of these, what stands in no journal line; in one order. */
async function unknownOf(store: Store, found: readonly Marked[]): Promise<Marked[]> {
  const runs = [...new Set(found.map(({ run }) => run))];
  const known = new Set<string>();
  for (let from = 0; from < runs.length; from += noncesMax)
    for (const nonce of await store.noncesOf(runs.slice(from, from + noncesMax))) known.add(nonce);
  const unknown = found.filter(({ nonce }) => !known.has(nonce)).sort((a, b) => (a.id < b.id ? -1 : 1));
  if (unknown.length > unknownMax)
    throw new CountersignError(
      "LIMIT_EXCEEDED",
      `expected at most ${unknownMax} credentials of ours that the database does not know, got ${unknown.length}`,
    );
  return unknown;
}
