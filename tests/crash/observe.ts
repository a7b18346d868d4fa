import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type PlanFacts, parseEntry, parsePlan, parseTrust, readBundle, verifyBundle } from "@countersign/evidence";
import type pg from "pg";
import { z } from "zod";
import type { Driven } from "./drive.ts";
import { type Effect, effectsOf } from "./stage/effects.ts";
import type { Lane } from "./stage/lane.ts";
import { isEntra, isNamed, type Row, rolesOf, seated } from "./stage/names.ts";
import { readSecret, signInKey } from "./stage/vault-client.ts";

/** One row of the journal. */
export interface JournalStep {
  readonly step: string;
  readonly direction: string;
  readonly attempt: number;
  readonly nonce: string;
  readonly outcome: string | null;
}

export type LogEntry = ReturnType<typeof parseEntry>;

/** What the product's database says of one run. */
export interface Journal {
  readonly run: string;
  readonly state: string;
  /** Who holds it. */
  readonly worker: string | null;
  readonly steps: readonly JournalStep[];
  /** Entries of the run in the evidence log, in order. */
  readonly entries: readonly LogEntry[];
  readonly locks: number;
}

/** The newest run of each of these rows, by the row's name; a row has one, unless drift made a second. */
export async function runsOf(
  admin: pg.Pool,
  rows: readonly Pick<Row, "name">[],
): Promise<Map<string, { readonly id: string; readonly state: string }>> {
  const { rows: found } = await admin.query<{ target_key: string; id: string; state: string }>(
    "select distinct on (target_key) target_key, id, state from cs.run where target_key = any ($1) order by target_key, created_at desc, id desc",
    [rows.map(({ name }) => name)],
  );
  return new Map(found.map(({ target_key, id, state }) => [target_key, { id, state }]));
}

/** The newest run of one row. */
export async function runOf(admin: pg.Pool, row: string) {
  return (await runsOf(admin, [{ name: row }])).get(row) ?? null;
}

/** How often each of these runs was taken over from a worker that was lost. */
export async function recoveriesOf(admin: pg.Pool, runs: readonly string[]): Promise<Map<string, number>> {
  const { rows } = await admin.query<{ run_id: string; count: number }>(
    "select run_id, count(*)::int as count from journal.log_entry where run_id = any ($1) and type = 'recovery.started' group by run_id",
    [runs],
  );
  return new Map(rows.map(({ run_id, count }) => [run_id, count]));
}

/** Reads it in one transaction, so that log and journal are of the same instant. */
export async function readJournal(admin: pg.Pool, run: string): Promise<Journal> {
  const client = await admin.connect();
  let broken = true;
  try {
    await client.query("begin isolation level repeatable read read only");
    const head = await client.query<{ state: string; worker: string | null }>(
      "select state, worker from cs.run where id = $1",
      [run],
    );
    const steps = await client.query<JournalStep>(
      "select step, direction, attempt, nonce, outcome from cs.step where run_id = $1 order by seq",
      [run],
    );
    const entries = await client.query<{ entry: Buffer }>(
      "select entry from journal.log_entry where run_id = $1 order by run_seq",
      [run],
    );
    const locks = await client.query<{ count: string }>("select count(*) from cs.run_lock where run_id = $1", [run]);
    await client.query("commit");
    broken = false;
    return {
      run,
      state: head.rows[0]?.state ?? "",
      worker: head.rows[0]?.worker ?? null,
      steps: steps.rows,
      entries: entries.rows.map(({ entry }) => parseEntry(entry)),
      locks: Number(locks.rows[0]?.count ?? 0),
    };
  } finally {
    client.release(broken);
  }
}

export async function readPlan(admin: pg.Pool, run: string): Promise<PlanFacts | null> {
  const { rows } = await admin.query<{ body: Buffer }>(
    "select p.body from cs.plan p join cs.run r on r.plan_digest = p.digest where r.id = $1",
    [run],
  );
  return rows[0] === undefined ? null : parsePlan(rows[0].body);
}

/** What stood in the journal, and what had been done outside, when the product was killed. */
export interface AtCrash {
  readonly journal: Journal | null;
  readonly effects: readonly Effect[];
  /** The worker that held the run, and died. */
  readonly holder: string | null;
}

/** Everything that the checks look at; nothing in it was computed by the product itself but log, journal and bundle. */
export interface Observation {
  readonly point: string;
  readonly row: Row;
  readonly reached: boolean;
  readonly stuck: string | null;
  readonly recoveryMs: number | null;
  readonly recoveryMsMax: number;
  readonly atCrash: AtCrash | null;
  /** The product stood still for a while, and another process took over meanwhile. */
  readonly hasStalled: boolean;
  readonly unfenced: string | null;
  readonly deadValues: readonly string[];
  readonly journal: Journal | null;
  readonly plan: PlanFacts | null;
  readonly effects: readonly Effect[];
  /** Ids of what signs in now: live secrets of the application, or roles that may log in. */
  readonly live: readonly string[];
  /** What the record held before and no run of the row ends; null: what is replaced is what it held. */
  readonly stays: string | null;
  /** Which of them the record's newest version holds. */
  readonly inRecord: string | null;
  readonly orphans: number;
  /** Seconds that the plan keeps both valid. */
  readonly overlapSeconds: number;
  /** What `verifyBundle` says of the run's bundle under the trust file, with the sentence of a failed check. */
  readonly bundle: string;
}

/** A row whose run came to its end, and what the trial is called. */
export interface Ended {
  readonly point: string;
  readonly row: Row;
  readonly driven: Driven;
}

/** So many bundles are asked for at the same time. */
const bundlesMax = 10;

/** Reads everything about these rows' runs; `after` is where the effect log stood before they began. */
export async function observe(lane: Lane, ended: readonly Ended[], after: number): Promise<Observation[]> {
  const { server, simulator } = lane;
  const effects = await simulator.effects(after);
  const figures = await simulator.figures();
  const { applications } = await simulator.directory();
  const seen: Observation[] = [];
  const bundles: string[] = [];
  const bundleOf = async ({ driven: { run } }: Ended) => (run === null ? "none" : provenBundle(lane, run));
  for (let at = 0; at < ended.length; at += bundlesMax)
    bundles.push(...(await Promise.all(ended.slice(at, at + bundlesMax).map(bundleOf))));
  for (const [index, { point, row, driven }] of ended.entries()) {
    const { run, announced: _, ...struck } = driven;
    const keys = applications.find(({ name }) => name === row.name)?.credentials ?? [];
    const orphans = isEntra(row)
      ? (figures.applications.find(({ name }) => name === row.name)?.orphans ?? [])
      : (figures.postgres[0]?.orphans ?? []).filter((orphan) => JSON.stringify(orphan).includes(row.name));
    const plan = run === null ? null : await readPlan(server.admin, run);
    seen.push({
      ...struck,
      point,
      row,
      effects: effectsOf(effects, row, lane.directory),
      journal: run === null ? null : await readJournal(server.admin, run),
      plan,
      live: isEntra(row) ? keys.map(({ keyId }) => keyId) : await server.logins(rolesOf(row.name)),
      stays: staysOf(lane, row),
      inRecord: await inRecord(lane, row),
      orphans: orphans.length,
      overlapSeconds: plan?.timing.overlapSeconds ?? 0,
      bundle: bundles[index] ?? "none",
    });
  }
  return seen;
}

/** Where the request names a secret that somebody else has made, the one that the record held is nobody's to end. */
export function staysOf({ directory }: Lane, row: Row): string | null {
  if (!isNamed(row)) return null;
  return directory.applications.find(({ name }) => name === row.name)?.credentials[0]?.keyId ?? null;
}

const Account = z.looseObject({ user: z.string(), password: z.string() });

/** The credential whose value the newest version of the record is: by its value, not by what its tags claim; null when it does not sign in. */
export async function inRecord(lane: Lane, row: Row): Promise<string | null> {
  const value = await readSecret(lane, seated("main", row.seat), row.name);
  if (!isEntra(row)) {
    const { user, password } = Account.parse(JSON.parse(value));
    return (await lane.server.signsIn(user, password)) ? user : null;
  }
  const app = lane.directory.applications.find(({ name }) => name === row.name);
  return app === undefined ? null : signInKey(lane, app.appId, value);
}

/** What the offline verifier says of the run's bundle, with the sentence of a failed check. */
export async function provenBundle(lane: Lane, run: string): Promise<string> {
  try {
    const bytes = await lane.people.bundle(run);
    mkdirSync(join(lane.folder, "bundles"), { recursive: true });
    const file = join(lane.folder, "bundles", `${run}.zip`);
    writeFileSync(file, bytes);
    const report = verifyBundle(readBundle(file), parseTrust(readFileSync(join(lane.folder, "state/trust.json"))));
    const failed = report.checks.find((check) => check.result === "fail");
    return failed === undefined ? report.verdict : `${report.verdict}: ${failed.code}: ${failed.sentence}`;
  } catch (error) {
    return `none: ${error instanceof Error ? error.message : String(error)}`;
  }
}
