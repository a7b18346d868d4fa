import { CountersignError, isCode, type ReadContext, type Scanner as TenantScanner } from "@countersign/core";
import { z } from "zod";
import type { OpenScan, Store } from "../store/index.ts";

/** Where a listing stands: which collection, the link to its next page, how many pages are staged, where changes begin. */
const Cursor = z.strictObject({
  collection: z.int(),
  link: z.string().nullable(),
  pages: z.int(),
  links: z.array(z.strictObject({ collection: z.string(), link: z.string() })),
});
type Cursor = z.infer<typeof Cursor>;
/** Where a later look at changes begins, by collection. */
export type Links = Cursor["links"];

const kindOf = { applications: "application", servicePrincipals: "service-principal" } as const;
type Collection = keyof typeof kindOf;

/** What a scan works with. */
export interface ScanWork {
  readonly store: Pick<Store, "scanPage" | "scanRestart">;
  readonly tenant: TenantScanner;
  readonly worker: string;
  readonly ctx: ReadContext;
}

/**
 * Stages a whole listing from where it stands, while the next page is under way. A link that the directory does not know any
 * more (they live for minutes) begins it anew, once. Returns where later looks at changes begin.
 */
export async function stageListing(work: ScanWork, open: OpenScan): Promise<Links> {
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
  const { store, tenant, worker, ctx } = work;
  let at: Cursor = from ?? { collection: 0, link: null, pages: 0, links: [] };
  for (; at.collection < tenant.collections.length; at = { ...at, collection: at.collection + 1, link: null }) {
    const name = collectionOf(tenant, at.collection);
    if (at.link === null) {
      // Asked for before the listing: what changes while it is read comes again, and twice is once.
      const link = await tenant.latest(ctx, name);
      if (link !== null) at = { ...at, links: [...at.links, { collection: name, link }] };
    }
    let asked = tenant.page(ctx, name, at.link);
    for (;;) {
      const page = await asked;
      if (page.next !== null) {
        asked = tenant.page(ctx, name, page.next);
        // If staging fails nobody awaits the page under way; its failure is then nobody's matter.
        asked.catch(() => undefined);
      }
      const next =
        page.next === null
          ? { collection: at.collection + 1, link: null }
          : { collection: at.collection, link: page.next };
      const kind = kindOf[name];
      await store.scanPage({
        id,
        worker,
        page: at.pages,
        // A tenant has thousands of service principals of others; only those with credentials of their own matter here.
        objects: page.objects.filter((object) => kind === "application" || object.credentials.length > 0),
        unreadable: page.unreadable.map((objectId) => ({ objectId, kind })),
        removed: [],
        cursor: { ...at, ...next, pages: at.pages + 1 },
      });
      at = { ...at, link: page.next, pages: at.pages + 1 };
      if (page.next === null) break;
    }
  }
  return at.links;
}

/** Stages what has changed since the links, and says which objects that is. Null: one is too old, a whole listing is due. */
export async function stageChanges(
  work: ScanWork,
  id: string,
  links: Links,
): Promise<{ readonly links: Links; readonly objects: readonly string[] } | null> {
  const { store, tenant, worker, ctx } = work;
  await store.scanRestart(id, worker);
  const next: Links = [];
  const changed: string[] = [];
  for (const [page, { collection, link }] of links.entries()) {
    const changes = await tenant.changes(ctx, collection, link);
    if (changes === null) return null;
    const kind = kindOf[collection as Collection];
    const named = (ids: readonly string[]) => ids.map((objectId) => ({ objectId, kind }));
    await store.scanPage({
      id,
      worker,
      page,
      objects: changes.objects,
      unreadable: named(changes.unreadable),
      removed: named(changes.removed),
      cursor: null,
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
