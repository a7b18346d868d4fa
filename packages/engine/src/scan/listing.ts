import { CountersignError, isCode, type ReadContext, type Scanner as TenantScanner } from "@countersign/core";
import { z } from "zod";
import type { OpenScan, Store } from "../store/index.ts";

/** Where a listing stands: which collection, the link to its next page, how many pages are written, where changes begin. */
const Cursor = z.strictObject({
  collection: z.int(),
  link: z.string().nullable(),
  pages: z.int(),
  links: z.array(z.strictObject({ collection: z.string(), link: z.string() })),
});
type Cursor = z.infer<typeof Cursor>;
/** Where a later look at changes begins, by collection. */
export type Links = Cursor["links"];

/** Pages that are read ahead while one is written. */
const aheadMax = 3;

const kindOf = { applications: "application", servicePrincipals: "service-principal" } as const;
type Collection = keyof typeof kindOf;

/** What a scan works with. */
export interface ScanWork {
  readonly store: Pick<Store, "scanPage" | "scanRestart">;
  readonly tenant: TenantScanner;
  readonly worker: string;
  /** How late a replica of a directory may show a change: what is younger is not called gone for not being listed. */
  readonly lagMs: number;
  readonly ctx: ReadContext;
}

/**
 * Writes a whole listing from where it stands, page by page, while the next ones are under way. A link that the directory does
 * not know any more (they live for minutes) begins it anew, once. Returns where later looks at changes begin.
 */
export async function writeListing(work: ScanWork, open: OpenScan): Promise<Links> {
  const begun = Cursor.safeParse(open.cursor);
  try {
    return await listFrom(work, open.id, begun.success ? begun.data : null);
  } catch (error) {
    if (!begun.success || !isCode(error, "OUTSIDE_INVALID", "OUTSIDE_NOT_FOUND")) throw error;
    await work.store.scanRestart(open.id, work.worker);
    return listFrom(work, open.id, null);
  }
}

async function listFrom(work: ScanWork, id: string, from: Cursor | null): Promise<Links> {
  const { store, tenant, worker, lagMs, ctx } = work;
  const own = new Set(tenant.ownAppIds);
  let at: Cursor = from ?? { collection: 0, link: null, pages: 0, links: [] };
  for (; at.collection < tenant.collections.length; at = { ...at, collection: at.collection + 1, link: null }) {
    const name = collectionOf(tenant, at.collection);
    if (at.link === null) {
      // Asked for before the listing: what changes while it is read comes again, and twice is once.
      const link = await tenant.latest(ctx, name);
      if (link !== null) at = { ...at, links: [...at.links, { collection: name, link }] };
    }
    const kind = kindOf[name];
    for await (const page of ahead(pagesOf(work, name, at.link), aheadMax)) {
      const next =
        page.next === null
          ? { collection: at.collection + 1, link: null }
          : { collection: at.collection, link: page.next };
      await store.scanPage({
        id,
        worker,
        // A tenant has thousands of service principals of others; only ours, and those with credentials of their own, matter here.
        objects: page.objects.filter(
          ({ appId, credentials }) => kind === "application" || credentials.length > 0 || own.has(appId),
        ),
        unreadable: page.unreadable.map((objectId) => ({ objectId, kind })),
        removed: [],
        cursor: { ...at, ...next, pages: at.pages + 1 },
        lagMs,
        at: ctx.clock.now(),
      });
      at = { ...at, link: page.next, pages: at.pages + 1 };
    }
  }
  return at.links;
}

async function* pagesOf({ tenant, ctx }: ScanWork, name: Collection, from: string | null) {
  for (let link = from; ; ) {
    const page = await tenant.page(ctx, name, link);
    yield page;
    if (page.next === null) return;
    link = page.next;
  }
}

/** The same things in the same order, so many of them asked for before they are needed. */
async function* ahead<T>(things: AsyncGenerator<T, void>, countMax: number): AsyncGenerator<T, void> {
  const asked: Promise<IteratorResult<T, void>>[] = [];
  for (;;) {
    while (asked.length < countMax) {
      const next = things.next();
      // If writing fails nobody awaits what is under way; its failure is then nobody's matter.
      next.catch(() => undefined);
      asked.push(next);
    }
    const next = await asked.shift();
    if (next === undefined || next.done === true) return;
    yield next.value;
  }
}

/** Writes what has changed since the links, and says which objects that is. Null: one is too old, a whole listing is due. */
export async function writeChanges(
  work: ScanWork,
  id: string,
  links: Links,
): Promise<{ readonly links: Links; readonly objects: readonly string[] } | null> {
  const { store, tenant, worker, lagMs, ctx } = work;
  await store.scanRestart(id, worker);
  const next: Links = [];
  const changed: string[] = [];
  for (const { collection, link } of links) {
    const changes = await tenant.changes(ctx, collection, link);
    if (changes === null) return null;
    const kind = kindOf[collection as Collection];
    const named = (ids: readonly string[]) => ids.map((objectId) => ({ objectId, kind }));
    await store.scanPage({
      id,
      worker,
      objects: changes.objects,
      unreadable: named(changes.unreadable),
      removed: named(changes.removed),
      cursor: null,
      lagMs,
      at: ctx.clock.now(),
    });
    next.push({ collection, link: changes.link });
    changed.push(...changes.objects.map(({ objectId }) => objectId), ...changes.removed);
  }
  return { links: next, objects: changed };
}

function collectionOf(tenant: TenantScanner, index: number): Collection {
  const name = tenant.collections[index];
  if (name === "applications" || name === "servicePrincipals") return name;
  throw new CountersignError("INPUT_INVALID", `expected applications or servicePrincipals, got ${name}`);
}
