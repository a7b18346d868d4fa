import type { BuiltConnectors } from "@countersign/connectors";
import { CountersignError, type ReadContext, type WorldCredential } from "@countersign/core";
import { type Installation, readInventory } from "./load.ts";

/** A credential outside that carries our marker. */
export interface Marked {
  readonly tenant: string;
  readonly application: string;
  readonly objectId: string;
  readonly id: string;
  /** What its marker names: the run, the attempt, and the nonce of a committed intent. */
  readonly run: string;
  readonly attempt: number;
  readonly nonce: string;
  readonly expiresAt: string | null;
}

/** What could not be read outside, and why. */
export type Unread = { readonly what: string; readonly code: string }[];

/** What was seen outside. */
export interface Seen {
  readonly marked: readonly Marked[];
  /** Which of the credentials asked about are listed; those of a tenant that was not read as a whole are in neither. */
  readonly listed: ReadonlySet<string>;
  readonly tenantsRead: ReadonlySet<string>;
}

/**
 * Every credential outside that carries our marker: of each tenant's listing, and of rows that no listing shows. `asked`:
 * ids that are looked for beside them.
 */
export async function markedOutside(
  installation: Installation,
  { scanners, worlds }: BuiltConnectors,
  ctx: ReadContext,
  asked: ReadonlySet<string>,
  unread: Unread,
): Promise<Seen> {
  const marked: Marked[] = [];
  const listed = new Set<string>();
  const tenantsRead = new Set<string>();
  const keep = (
    at: Pick<Marked, "tenant" | "application" | "objectId">,
    { id, expiresAt, marker }: Pick<WorldCredential, "id" | "expiresAt" | "marker">,
  ) => {
    if (asked.has(id)) listed.add(id);
    if (marker === null) return;
    const { run, attempt, nonce } = marker;
    const ends = expiresAt === null ? null : new Date(expiresAt).toISOString();
    marked.push({ ...at, id, run, attempt, nonce, expiresAt: ends });
  };
  for (const scanner of scanners)
    await reading(unread, `tenant ${scanner.tenant}`, async () => {
      for (const collection of scanner.collections)
        for (let link: string | null = null, first = true; first || link !== null; first = false) {
          const page = await scanner.page(ctx, collection, link);
          for (const { objectId, name, credentials } of page.objects)
            for (const one of credentials) keep({ tenant: scanner.tenant, application: name, objectId }, one);
          for (const id of page.unreadable) unread.push({ what: id, code: "OUTSIDE_MALFORMED" });
          link = page.next;
        }
      tenantsRead.add(scanner.tenant);
    });
  for (const row of readInventory(installation).rows) {
    const reader = worlds.get(row.procedure);
    if ("objectId" in row || reader === undefined) continue;
    await reading(unread, row.name, async () => {
      const world = await reader.read(ctx, row, () => true);
      const objectId = String(world.target.systemIdentifier ?? "");
      for (const one of world.credentials) keep({ tenant: row.tenant, application: row.name, objectId }, one);
    });
  }
  return { marked, listed, tenantsRead };
}

/**
 * For each application that one of these credentials is on and that the inventory names: which credential the record's
 * newest version is, as its own tag says, and which version that is.
 */
export async function recordsOf(
  installation: Installation,
  { worlds }: BuiltConnectors,
  ctx: ReadContext,
  credentials: readonly Marked[],
  unread: Unread,
): Promise<ReadonlyMap<string, { readonly credential: string | null; readonly version: string | null }>> {
  const objects = new Set(credentials.map(({ objectId }) => objectId));
  const records = new Map<string, { credential: string | null; version: string | null }>();
  for (const row of readInventory(installation).rows) {
    const reader = worlds.get(row.procedure);
    if (!("objectId" in row) || reader === undefined || !objects.has(row.objectId)) continue;
    await reading(unread, row.name, async () => {
      const { binding, record } = await reader.read(ctx, row, () => true);
      records.set(row.objectId, { credential: binding.id, version: record.version });
    });
  }
  return records;
}

/** What cannot be read is said, and hides nothing else. */
async function reading(unread: Unread, what: string, read: () => Promise<void>): Promise<void> {
  try {
    await read();
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error;
    unread.push({ what, code: error.code });
  }
}
