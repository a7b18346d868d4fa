import { isCode, type ReadContext, type Scanner as TenantScanner } from "@countersign/core";
import { z } from "zod";
import type { DetailRow, Pass, Store } from "../store/index.ts";

/** Pages and single reads of one pass; what is left over is the next one's. */
const readsMax = 2_000;
/** Owners that are asked for one by one at a time. */
const batchMax = 40;
/** All owners are read anew after this: somebody's account may be disabled without a change of what he owns (domain time). */
const ownersEveryMs = 7 * 86_400_000;
/** With more than this many to be read one by one, or a twentieth of all, a listing is cheaper. */
const dueMax = 200;

/** Applications whose sign-ins are asked for in one pass, one question each: so many that each of 20,000 has its turn in a month. */
const callersMax = 700;
/** A directory keeps its log of sign-ins no longer, and who was not seen for so long is no caller any more (domain time). */
const callersKeptMs = 30 * 86_400_000;
/** Who signs in is not asked again before (domain time). */
const callersEveryMs = 12 * 3_600_000;

/** What a pass works with. */
export interface DetailWork {
  readonly store: Store;
  readonly tenant: TenantScanner;
  readonly pass: Pass;
  readonly ctx: ReadContext;
  /** Refused sign-ins are looked for so far back. */
  readonly failingSeconds: number;
  /** Applications of the inventory: who signs in with them is read. */
  readonly appIds: readonly string[];
  readonly log: (event: string, facts?: Readonly<Record<string, unknown>>) => void;
}

/** How much of each part was read in one pass. */
export interface DetailSummary {
  /** Single reads and pages. */
  readonly reads: number;
  readonly ownersChanged: number;
  readonly usesChanged: number;
  /** Parts of which something is left over, or that failed. */
  readonly unfinished: readonly DetailRow["part"][];
}

const Cursor = z.strictObject({ collection: z.int(), link: z.string().nullable() });
type Cursor = z.infer<typeof Cursor>;

/**
 * Reads what a listing does not carry: owners, the directory's own policies, last use, refused sign-ins, who signs in with what
 * the inventory lists. After a whole listing all of it (owners once a week, and those of what has changed), after a look at
 * changes refused sign-ins, and the owners of what has changed. A pass ends with its budget and goes on where it stood, also
 * under another worker.
 */
export async function readDetails(
  work: DetailWork,
  after: "full" | "delta",
): Promise<DetailSummary & { readonly objects: readonly string[] }> {
  const { store, tenant, pass, ctx } = work;
  const name = tenant.tenant;
  const known = new Map((await store.details(name)).map((reading) => [reading.part, reading]));
  const objects: string[] = [];
  const unfinished: DetailRow["part"][] = [];
  let reads = 0;
  let [ownersChanged, usesChanged] = [0, 0];
  const mayRead = () => reads < readsMax && !ctx.signal.aborted;

  /** Page by page from where it stands; a link that the directory does not know any more begins it anew, once. */
  async function whole(part: DetailRow["part"], page: (at: Cursor) => Promise<Cursor | null>): Promise<boolean> {
    const begun = Cursor.safeParse(await store.detailBegin(pass, part, ctx.clock.now()));
    let resumed = begun.success;
    let at: Cursor | null = begun.success ? begun.data : { collection: 0, link: null };
    while (at !== null) {
      if (!mayRead()) return false;
      reads += 1;
      let next: Cursor | null;
      try {
        next = await page(at);
      } catch (error) {
        if (!resumed || !isCode(error, "OUTSIDE_INVALID", "OUTSIDE_NOT_FOUND")) throw error;
        await store.detailAt(pass, part, null);
        await store.detailBegin(pass, part, ctx.clock.now());
        next = { collection: 0, link: null };
      }
      resumed = false;
      at = next;
      if (at !== null) await store.detailAt(pass, part, at);
    }
    return true;
  }

  async function ownersAll(): Promise<boolean> {
    const done = await whole("owners", async ({ collection, link }) => {
      const of = tenant.collections[collection];
      if (of === undefined) return null;
      const at = ctx.clock.now();
      const { found, next } = await tenant.owners(ctx, of, link);
      ownersChanged += await store.ownersPut(pass, found, null, at);
      if (next !== null) return { collection, link: next };
      return collection + 1 < tenant.collections.length ? { collection: collection + 1, link: null } : null;
    });
    if (done) await store.detailRead(pass, "owners", true);
    return done;
  }

  async function ownersOne(): Promise<boolean> {
    for (;;) {
      const due = await store.ownersDue(name, batchMax);
      if (due.length === 0) return true;
      if (!mayRead()) return false;
      const at = ctx.clock.now();
      reads += due.length;
      const found = await tenant.ownersOf(ctx, due);
      const ids = due.map(({ objectId }) => objectId);
      ownersChanged += await store.ownersPut(pass, found, ids, at);
      objects.push(...ids);
    }
  }

  async function owners(): Promise<boolean> {
    const reading = known.get("owners");
    if (reading?.cursor != null) return ownersAll();
    if (after === "full") {
      const [first] = await store.ownersDue(name, 1);
      const isOld = reading?.readAt == null || ctx.clock.now() - reading.readAt >= ownersEveryMs;
      if (isOld || (first !== undefined && first.waiting > Math.max(dueMax, first.of / 20))) return ownersAll();
    }
    return ownersOne();
  }

  async function policies(): Promise<boolean> {
    await store.detailBegin(pass, "policies", ctx.clock.now());
    reads += 1;
    const found = await tenant.policies(ctx);
    await store.policiesPut(pass, found ?? []);
    await store.detailRead(pass, "policies", found !== null);
    return true;
  }

  async function uses(): Promise<boolean> {
    let available = true;
    const done = await whole("uses", async ({ collection, link }) => {
      const page = await tenant.uses(ctx, link);
      available = page !== null;
      if (page === null) return null;
      usesChanged += await store.usesPut(pass, page.found);
      return page.next === null ? null : { collection, link: page.next };
    });
    if (done) await store.detailRead(pass, "uses", available);
    return done;
  }

  async function failures(): Promise<boolean> {
    const since = ctx.clock.now() - work.failingSeconds * 1_000;
    await store.detailBegin(pass, "failures", ctx.clock.now());
    const read = await tenant.failures(ctx, since);
    reads += read?.pages ?? 1;
    // What was said rests on what was seen: without a log nothing is known any more.
    const { found, cut } = read ?? { found: [], cut: false };
    objects.push(...(await store.failuresPut(pass, found, since, !cut)));
    if (cut) return false;
    await store.detailRead(pass, "failures", read !== null);
    return true;
  }

  /** Each is asked for what came since the last time; whoever waits longest has his turn first. */
  async function callers(): Promise<boolean> {
    const now = ctx.clock.now();
    const due = await store.callersDue(name, work.appIds, now - callersEveryMs, callersMax);
    if (due.length === 0) return true;
    await store.detailBegin(pass, "callers", now);
    for (const { appId, readAt } of due) {
      if (ctx.signal.aborted) return false;
      const at = ctx.clock.now();
      const since = at - callersKeptMs;
      const found = await tenant.callers(ctx, appId, Math.max(since, readAt ?? 0));
      reads += 1;
      if (found === null) {
        await store.detailRead(pass, "callers", false);
        return true;
      }
      await store.callersPut(pass, appId, found, since, at);
    }
    // Nobody waits for longer than the log is kept: nothing was missed.
    const [missed] = await store.callersDue(name, work.appIds, now - callersKeptMs, 1);
    if (missed !== undefined) return false;
    await store.detailRead(pass, "callers", true);
    return true;
  }

  /** One part that cannot be read is no reason to do without the others; what this pass has read before it was left is read. */
  async function part(of: DetailRow["part"], read: () => Promise<boolean>): Promise<void> {
    if (known.get(of)?.pass === pass.id) return;
    try {
      if (!(await read())) unfinished.push(of);
    } catch (error) {
      if (isCode(error, "STATE_CONFLICT", "DATABASE_UNAVAILABLE") || ctx.signal.aborted) throw error;
      if (isCode(error, "OUTSIDE_FORBIDDEN")) await store.detailRead(pass, of, false);
      unfinished.push(of);
      work.log("details.failed", { tenant: name, part: of, error: error instanceof Error ? error.message : "unknown" });
    }
  }

  if (after === "full") {
    await part("policies", policies);
    await part("uses", uses);
  }
  await part("failures", failures);
  await part("owners", owners);
  // The last: of all parts it may take longest, and nothing is judged by it.
  if (after === "full") await part("callers", callers);
  return { reads, ownersChanged, usesChanged, unfinished, objects };
}
