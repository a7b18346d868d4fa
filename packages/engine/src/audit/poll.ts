import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import {
  type AuditChange,
  type AuditLog,
  accountable,
  auditReasons,
  auditVerdicts,
  CountersignError,
  type InventoryRow,
  isCode,
  judgeAudit,
  ownersOfCredential,
} from "@countersign/core";
import type { EngineClock } from "../clock/clock.ts";
import { Lease, type Liveness, thisProcess } from "../execution/lease.ts";
import type { AuditChangeRow, AuditOpened, JudgedChange, Store } from "../store/index.ts";
import { type AuditProgress, type AuditRules, nextSpanAt, spanDue } from "./span.ts";

const pollMs = 1_000;
/** A log that failed or is refused is asked again after this (domain time). */
const againMs = 5 * 60_000;
const refusedAgainMs = 60 * 60_000;
/** Changes that could not be told are judged again for so long. */
const rejudgeMs = 30 * 86_400_000;
const rejudgedMax = 1_000;

/**
 * Reads each directory's own audit log and says of every change of a credential whose doing it was. It only reads and tells; a
 * span that was begun goes on where it stood, and a change that comes twice is one.
 */
export function createAuditPoll(options: {
  readonly store: Store;
  readonly clock: EngineClock;
  readonly audits: readonly AuditLog[];
  readonly rules: AuditRules;
  readonly rows: () => readonly InventoryRow[];
  /** Makes events of what was added out of band, for the rules to route. Returns how many requests came of it. */
  readonly propose: (tenant: string, now: number) => Promise<number>;
  /** Says of these objects what there is to say of them now. */
  readonly judge: (tenant: string, objects: readonly string[]) => Promise<unknown>;
  readonly liveness: Liveness;
  /** This worker's lease has run out: it reads no more. */
  readonly fenced: (because: string) => void;
  readonly log: (event: string, facts?: Readonly<Record<string, unknown>>) => void;
}): { start(): Promise<void>; stop(): Promise<void> } {
  const { store, clock, rules, liveness } = options;
  const worker = randomUUID();
  const lateMs = rules.lateSeconds * 1_000;
  const stopped = new AbortController();
  const notBefore = new Map<string, number>();
  const progress = new Map<string, AuditProgress>();
  let loop: Promise<void> = Promise.resolve();
  let beating: Promise<void> = Promise.resolve();
  let reading: Promise<void> | null = null;
  const lease = new Lease(
    liveness,
    () => store.beat(worker, liveness.leaseMs),
    (because) => {
      stopped.abort();
      options.fenced(because);
    },
  );

  /** One look at a time; it may wait for the service's budget, and nobody waits for it meanwhile. */
  function readDue(): Promise<void> {
    if (reading !== null) return Promise.resolve();
    reading = clock.work(readAll).finally(() => {
      reading = null;
    });
    return reading;
  }

  async function readAll(): Promise<void> {
    for (const audit of options.audits) while (!stopped.signal.aborted && (await readSpan(audit)));
  }

  /** Reads what is due of one log; true: there may be more. */
  async function readSpan(audit: AuditLog): Promise<boolean> {
    const { tenant } = audit;
    const now = clock.now();
    if ((notBefore.get(tenant) ?? 0) > now) return false;
    const known = await progressOf(tenant);
    progress.set(tenant, known);
    const span = spanDue(now, known, rules);
    if (span === null) return false;
    const { from, to } = span;
    const opened = await store.auditOpen({ tenant, from, to, worker, leaseMs: liveness.leaseMs, at: now });
    if (opened === null) return later(tenant, againMs);
    // What another worker has left is read as that one began it.
    const deep = span.deep && opened.from === from && opened.to === to;
    try {
      const counted = await readPages(audit, opened);
      if (counted === null) {
        await store.auditEnd({ tenant, worker, read: false, deep, lateMs, entry: null, at: clock.now() });
        options.log("audit.refused", { tenant });
        return later(tenant, refusedAgainMs);
      }
      const verdicts = await store.auditUncounted(tenant);
      const fresh = auditVerdicts.reduce((sum, verdict) => sum + verdicts[verdict], 0);
      const entry = {
        breakGlass: verdicts["break-glass"],
        entries: counted.entries,
        from: new Date(opened.from).toISOString(),
        new: fresh,
        ours: verdicts.ours,
        outOfBand: verdicts["out-of-band"],
        query: audit.query,
        tenant,
        to: new Date(opened.to).toISOString(),
        unknown: verdicts.unknown,
        unreadable: counted.unreadable,
      };
      // A look that finds nothing is written down once a day, and where it catches up; else the log would hold little else.
      const said = deep || opened.to < now || fresh > 0 || counted.unreadable > 0;
      await store.auditEnd({ tenant, worker, read: true, deep, lateMs, entry: said ? entry : null, at: clock.now() });
      await judgeAgain(audit);
      const proposed = await options.propose(tenant, clock.now());
      if (proposed > 0) options.log("audit.proposed", { tenant, requests: proposed });
      if (said) options.log("audit.read", entry);
      progress.set(tenant, await progressOf(tenant));
      return true;
    } catch (error) {
      if (stopped.signal.aborted) return false;
      options.log("audit.failed", { tenant, error: error instanceof CountersignError ? error.code : "unknown" });
      return later(tenant, againMs);
    }
  }

  function later(tenant: string, ms: number): false {
    notBefore.set(tenant, clock.now() + ms);
    return false;
  }

  async function progressOf(tenant: string): Promise<AuditProgress> {
    const source = (await store.auditSources()).find((one) => one.tenant === tenant);
    const ends = (await store.auditSpans(tenant)).flatMap(({ settled, toAt }) => (settled ? [] : [toAt]));
    return {
      readTo: ends.length === 0 ? null : Math.max(...ends),
      readAt: source?.readAt ?? null,
      deepAt: source?.deepAt ?? null,
    };
  }

  /** All pages of a span, from where it stands. Null: the directory does not give us its log. */
  async function readPages(audit: AuditLog, opened: AuditOpened) {
    const { tenant } = audit;
    const counted = { entries: opened.entries, unreadable: opened.unreadable };
    const ctx = { clock, signal: stopped.signal };
    let link = opened.link;
    let restarted = false;
    for (;;) {
      const page = await audit.page(ctx, opened, link).catch(async (error: unknown) => {
        // Links live for minutes; one that is not known any more begins the span anew, once.
        if (link === null || restarted || !isCode(error, "OUTSIDE_INVALID", "OUTSIDE_NOT_FOUND")) throw error;
        restarted = true;
        await store.auditRestart(tenant, worker, clock.now());
        return "anew" as const;
      });
      if (page === "anew") {
        link = null;
        continue;
      }
      if (page === null) return null;
      const changes = await judged(audit, page.changes);
      const seen = { seen: page.seen, unreadable: page.unreadable };
      await store.auditPage({ tenant, worker, changes, ...seen, link: page.next, at: clock.now() });
      counted.entries += page.seen;
      counted.unreadable += page.unreadable;
      await sayOf(tenant, changes);
      link = page.next;
      if (link === null) return counted;
    }
  }

  async function judged(audit: AuditLog, changes: readonly AuditChange[]): Promise<JudgedChange[]> {
    if (changes.length === 0) return [];
    const facts = await store.auditFacts(changes);
    const rows = options.rows();
    return changes.map((change, i) => {
      const judgement = judgeAudit(change, facts[i] ?? { made: null, removals: [] }, audit.ownAppIds);
      return { change, ...judgement, notice: noticeOf(audit.tenant, change, judgement, rows) };
    });
  }

  async function judgeAgain(audit: AuditLog): Promise<void> {
    const rows = await store.auditUnknown(audit.tenant, clock.now() - rejudgeMs, rejudgedMax);
    const told = (await judged(audit, rows.map(changeOf))).filter(({ verdict }) => verdict !== "unknown");
    if (told.length === 0) return;
    await store.auditRejudge(audit.tenant, told, clock.now());
    await sayOf(audit.tenant, told);
  }

  /** A change that no run had done is a finding at once; a look that is lost here is made up for by the next scan's. */
  async function sayOf(tenant: string, changes: readonly JudgedChange[]): Promise<void> {
    const about = changes.flatMap(({ verdict, change }) => (verdict === "out-of-band" ? [change.objectId] : []));
    if (about.length > 0) await options.judge(tenant, [...new Set(about)]);
  }

  function failed(error: unknown): void {
    options.log("audit.failed", { error: error instanceof Error ? error.name : "unknown" });
  }

  async function run(): Promise<void> {
    while (!stopped.signal.aborted) {
      await readDue().catch(failed);
      await delay(pollMs, undefined, { signal: stopped.signal }).catch(() => {});
    }
  }

  function nextAt(): number | null {
    const times = options.audits.flatMap(({ tenant }) => {
      const at = nextSpanAt(progress.get(tenant) ?? { readTo: null, readAt: null, deepAt: null }, rules);
      return at === null ? [] : [Math.max(at, notBefore.get(tenant) ?? 0)];
    });
    return times.length === 0 ? null : Math.min(...times);
  }

  return {
    async start() {
      if (rules.everySeconds === 0) return;
      await store.workerStart({ id: worker, role: "scanner", ...thisProcess() });
      beating = lease.run();
      clock.onTick(() => {
        void readDue().catch(failed);
        return Promise.resolve();
      });
      // What is being read is work, not something that comes due.
      clock.nextDue(() => Promise.resolve(reading === null ? nextAt() : null));
      loop = run();
    },
    async stop() {
      stopped.abort();
      lease.stop();
      await Promise.all([loop, beating, reading?.catch(() => {})]);
      if (rules.everySeconds !== 0) await store.workerStop(worker).catch(() => {});
    },
  };
}

const keyOf = ({ entry, credential, act }: AuditChange) => `${entry} ${credential ?? ""} ${act}`;

/** A change as it was read, from its row. */
function changeOf(row: AuditChangeRow): AuditChange {
  return {
    entry: row.entry,
    at: row.at,
    activity: row.activity,
    correlation: row.correlation,
    actor: { kind: row.actorKind, id: row.actor },
    objectId: row.objectId,
    holder: row.holder,
    act: row.act,
    credential: row.credential === "" ? null : row.credential,
    kind: row.kind,
    marker: row.marker,
  };
}

/** The application's owners, security and whoever answers for the product hear of what no run has done. */
function noticeOf(
  tenant: string,
  change: AuditChange,
  { verdict, because }: Pick<JudgedChange, "verdict" | "because">,
  rows: readonly InventoryRow[],
): JudgedChange["notice"] {
  if (verdict !== "out-of-band") return null;
  const row = rows.find(
    (one) => one.procedure === "entra-client-secret" && one.objectId.toLowerCase() === change.objectId.toLowerCase(),
  );
  const what = change.act === "removed" ? "removed from" : "added to";
  return {
    kind: "audit.out-of-band",
    channel: "operators",
    key: `audit:${tenant}:${keyOf(change)}`,
    payload: {
      application: row?.name ?? change.objectId,
      tenant,
      ...(row === undefined
        ? {}
        : {
            owners: [...accountable(row), ...ownersOfCredential(row, change.credential)],
            environment: row.environment,
          }),
      sentence: `${change.kind} ${change.credential ?? ""} was ${what} it at ${new Date(change.at).toISOString()}: ${auditReasons[because]}`,
    },
  };
}
