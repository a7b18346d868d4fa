import { randomUUID } from "node:crypto";
import { codeOf, type InventoryRow, isCode, type Scanner as TenantScanner } from "@countersign/core";
import { digestOf } from "@countersign/evidence";
import type { EngineClock } from "../clock/clock.ts";
import type { PassDue, Store } from "../store/index.ts";
import { readDetails } from "./details.ts";
import { type DueSeconds, proposeDue } from "./due.ts";
import { judgeFleet, type TermsOf, type Which } from "./findings.ts";
import { writeChanges, writeListing } from "./listing.ts";
import type { Tried } from "./schedule.ts";

const lagMs = 15 * 60_000;

/** What to look for. */
export interface LookRules {
  /** Rows of the accepted inventory. */
  readonly rows: () => readonly InventoryRow[];
  readonly dueSeconds: DueSeconds;
  readonly termsOf: TermsOf;
}

/** What scans of one tenant work with. */
export interface TenantWork {
  readonly store: Store;
  readonly clock: EngineClock;
  readonly tenant: TenantScanner;
  readonly rules: LookRules;
  readonly worker: string;
  readonly leaseMs: number;
  readonly signal: AbortSignal;
  readonly log: (event: string, facts?: Readonly<Record<string, unknown>>) => void;
}

/** What came of a scan; `objects`: those that have changed, after a look at changes that came through. */
export interface Scanned {
  readonly tried: Tried;
  readonly objects: readonly string[] | null;
}

/** One whole listing, or one look at changes, unless another worker scans the tenant. */
export async function scanOnce(work: TenantWork, kind: "full" | "delta", dueAt: number): Promise<Scanned> {
  const { store, clock, tenant, rules, worker, leaseMs, log } = work;
  const of = { tenant: tenant.tenant, kind };
  const links = kind === "full" ? [] : await store.scanLinks(tenant.tenant);
  if (kind === "delta" && links.length === 0) return { tried: "nothing", objects: null };
  const open = await store.scanOpen({ id: `scan_${randomUUID()}`, ...of, dueAt, worker, leaseMs, at: clock.now() });
  if (open === null) return { tried: "elsewhere", objects: null };
  const { id } = open;
  const failed = { id, worker, result: null, summary: null, findings: [], links: [] };
  try {
    const writing = { store, tenant, worker, lagMs, ctx: { clock, signal: work.signal } };
    const next =
      kind === "full"
        ? { links: await writeListing(writing, open), objects: null }
        : await writeChanges(writing, id, links);
    if (next === null) {
      await store.scanEnd({ ...failed, error: "OUTSIDE_NOT_FOUND", at: clock.now() });
      log("scan.links-too-old", of);
      return { tried: "too-old", objects: null };
    }
    const summary = await store.scanConclude(id, worker, lagMs, clock.now());
    const findings = await proposeDue(store, tenant.tenant, rules.rows(), rules.dueSeconds, clock.now());
    await store.scanEnd({
      id,
      worker,
      result: {
        applications: summary.objects,
        findings: findings.length,
        kind: kind === "full" ? "listing" : "changes",
        query: tenant.collections.join(","),
        queryDigest: digestOf(Buffer.from(tenant.query)),
        tenant: tenant.tenant,
      },
      summary,
      findings,
      links: next.links,
      at: clock.now(),
    });
    log("scan.completed", { ...of, ...summary, findings: findings.length });
    return { tried: "done", objects: next.objects };
  } catch (error) {
    // What was shown is known no more (a crash of the server empties it), or another worker has taken it over.
    if (isCode(error, "STATE_CONFLICT")) await store.scanRestart(id, worker).catch(() => {});
    log("scan.failed", { ...of, error: codeOf(error) });
    await store.scanEnd({ ...failed, error: codeOf(error), at: clock.now() }).catch(() => {});
    return { tried: "failed", objects: null };
  }
}

/**
 * The second pass that scans have asked for: reads what a listing does not carry, then says what there is to say. One that was
 * left in the middle goes on where it stood. `which`: of whom there may be something else to say, beside those of whom the pass reads.
 */
export async function passOnce(work: TenantWork, due: PassDue, which: Which): Promise<Tried> {
  const { store, clock, tenant, rules, worker, leaseMs, log } = work;
  const name = tenant.tenant;
  const of = { tenant: name, kind: "details" as const };
  const after = due.whole ? "full" : "delta";
  const [id, dueAt] = [`scan_${randomUUID()}`, due.since];
  const open = await store.scanOpen({ id, ...of, dueAt, worker, leaseMs, at: clock.now() });
  if (open === null) return "elsewhere";
  const pass = { id: open.id, worker };
  try {
    const ctx = { clock, signal: work.signal };
    const { failingSeconds } = rules.termsOf(null);
    const appIds = rules
      .rows()
      .flatMap((row) => (row.procedure === "entra-client-secret" && row.tenant === name ? [row.appId] : []));
    const { objects, ...read } = await readDetails({ store, tenant, pass, ctx, failingSeconds, appIds, log }, after);
    const judged = typeof which === "string" ? which : { only: [...new Set([...which.only, ...objects])] };
    const found = await judgeFleet(store, name, { rows: rules.rows(), termsOf: rules.termsOf }, clock.now(), judged);
    const summary = { ...read, ...found };
    await store.detailEnd({ ...pass, error: null, summary, at: clock.now() });
    log("details.completed", { tenant: name, after, ...summary });
    return "done";
  } catch (error) {
    log("details.failed", { tenant: name, error: codeOf(error) });
    await store.detailEnd({ ...pass, error: codeOf(error), summary: null, at: clock.now() }).catch(() => {});
    return "failed";
  }
}
