import {
  CountersignError,
  isCode,
  type ReadContext,
  type ScanChanges,
  type ScannedCredential,
  type ScannedObject,
  type Scanner,
} from "@countersign/core";
import { limits } from "../kit/limits.ts";
import { parseMarker } from "../kit/markers.ts";
import type { SignInLog } from "../kit/seams.ts";
import { msOf } from "../kit/time.ts";
import { failedSignIns } from "./failed-sign-ins.ts";
import { grantedTo } from "./granted.ts";
import { graphCall, type Tenant } from "./graph.ts";
import { ownersOfEach, ownersPage } from "./owners.ts";
import { everyPolicy } from "./policy.ts";
import { Changed, type CredentialHolder, Holder, Page } from "./scan-shapes.ts";
import { callersOf, usesPage } from "./sign-in-log.ts";

const fields = "id,appId,displayName,createdDateTime,passwordCredentials,keyCredentials";
/** Both kinds of objects have credentials of their own (Graph, resources application and servicePrincipal). */
const collections = {
  applications: {
    kind: "application",
    select: `${fields},signInAudience,isDisabled,serviceManagementReference`,
  },
  servicePrincipals: { kind: "service-principal", select: `${fields},accountEnabled` },
} as const;
type Collection = keyof typeof collections;

const pageSize = 999;
/** Changed objects that are read at the same time. */
const readsInFlightMax = 8;

/**
 * Lists every credential of every application and service principal, page by page (Graph docs, list applications: at most
 * 999 a page; no filter on expiry exists). Changes come from the delta query, which names what has changed; each such object
 * is then read as it is now, since a change carries only some of its properties.
 */
export function entraScanner(tenant: Tenant, signIns: SignInLog): Scanner {
  const call = { method: "GET", retry: "safe", effect: false, as: "reader", priority: "low" } as const;

  async function readNow(ctx: ReadContext, collection: Collection, id: string): Promise<unknown> {
    const path = `/v1.0/${collection}/${encodeURIComponent(id)}`;
    const query = { $select: collections[collection].select };
    try {
      return (
        await graphCall(ctx, tenant, { ...call, name: `${collection}.get`, path, query, expect: [200], answer: Holder })
      ).body;
    } catch (error) {
      // Gone between the change and our look.
      if (isCode(error, "OUTSIDE_NOT_FOUND")) return null;
      throw error;
    }
  }

  return {
    tenant: tenant.settings.name,
    query: Object.entries(collections)
      .map(([name, { select }]) => `GET /v1.0/${name}?$select=${select}&$top=${pageSize}`)
      .join("\n"),
    collections: Object.keys(collections),
    ownAppIds: [tenant.settings.writer.clientId, ...tenant.settings.ownExecutorAppIds],

    async latest(ctx, name) {
      const collection = collectionOf(name);
      const query = { $select: collections[collection].select, $deltaToken: "latest" };
      try {
        const { body } = await graphCall(ctx, tenant, {
          ...call,
          name: `${collection}.delta`,
          path: `/v1.0/${collection}/delta`,
          query,
          expect: [200],
          answer: Changed,
        });
        return body["@odata.deltaLink"] ?? null;
      } catch (error) {
        if (isCode(error, "OUTSIDE_NOT_FOUND", "OUTSIDE_INVALID", "OUTSIDE_FORBIDDEN")) return null;
        throw error;
      }
    },

    async page(ctx, name, link) {
      const collection = collectionOf(name);
      const { kind, select } = collections[collection];
      const path = `/v1.0/${collection}`;
      const query = { $select: select, $top: String(pageSize) };
      const { body } = await graphCall(
        ctx,
        tenant,
        { ...call, name: `${collection}.list`, path, query, expect: [200], answer: Page },
        link === null ? undefined : tenant.graph.follow(link),
      );
      return { ...readAll(kind, body.value), next: body["@odata.nextLink"] ?? null };
    },

    owners: (ctx, name, link) => ownersPage(ctx, tenant, collectionOf(name), link),
    ownersOf: (ctx, objects) => ownersOfEach(ctx, tenant, objects),
    policies: (ctx) => everyPolicy(ctx, tenant),
    uses: (ctx, link) => usesPage(ctx, tenant, link),
    failures: (ctx, since) => failedSignIns(ctx, tenant, since),
    async callers(ctx, appId, since) {
      const log = await signIns(ctx, tenant.settings.name, appId, since);
      return log === null ? null : callersOf(log.lines);
    },

    granted: (ctx, clientId) => grantedTo(ctx, tenant, clientId),

    async changes(ctx, name, link) {
      const collection = collectionOf(name);
      const ids = new Set<string>();
      const removed = new Set<string>();
      let at: string | null = link;
      for (let pages = 0; ; pages += 1) {
        if (pages >= limits.pagesMax)
          throw new CountersignError("LIMIT_EXCEEDED", `expected at most ${limits.pagesMax} pages, got more`);
        const body: Changed | null = await changedPage(ctx, collection, at);
        if (body === null) return null;
        for (const { id, "@removed": gone } of body.value) {
          // The same object may come twice; what was said last counts.
          (gone == null ? ids : removed).add(id);
          (gone == null ? removed : ids).delete(id);
        }
        const next: string | null | undefined = body["@odata.nextLink"];
        if (next == null) {
          const deltaLink = body["@odata.deltaLink"];
          if (deltaLink == null) return null;
          return await looked(ctx, collection, [...ids], removed, deltaLink);
        }
        at = next;
      }
    },
  };

  async function changedPage(ctx: ReadContext, collection: Collection, link: string): Promise<Changed | null> {
    try {
      const asked = { ...call, name: `${collection}.delta`, path: "", expect: [200], answer: Changed };
      return (await graphCall(ctx, tenant, asked, tenant.graph.follow(link))).body;
    } catch (error) {
      // 410, or 400 syncStateNotFound / resyncRequired: the link is too old (Graph docs, delta query overview).
      if (isCode(error, "OUTSIDE_NOT_FOUND", "OUTSIDE_INVALID")) return null;
      throw error;
    }
  }

  async function looked(
    ctx: ReadContext,
    collection: Collection,
    ids: readonly string[],
    removed: Set<string>,
    link: string,
  ): Promise<ScanChanges> {
    const objects: ScannedObject[] = [];
    const unreadable: string[] = [];
    const left = [...ids];
    const lane = async () => {
      for (let id = left.pop(); id !== undefined; id = left.pop()) {
        const found = await readNow(ctx, collection, id);
        if (found === null) removed.add(id);
        else {
          const read = readAll(collections[collection].kind, [found]);
          objects.push(...read.objects);
          unreadable.push(...read.unreadable);
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(readsInFlightMax, ids.length) }, lane));
    return { objects, unreadable, removed: [...removed], link };
  }
}

function collectionOf(name: string): Collection {
  if (name in collections) return name as Collection;
  throw new CountersignError("INPUT_INVALID", `expected one of ${Object.keys(collections).join(", ")}, got ${name}`);
}

/** Reads what is in the documented form; of anything else only the id is kept, and one without an id is counted. */
function readAll(kind: ScannedObject["kind"], values: readonly unknown[]) {
  const objects: ScannedObject[] = [];
  const unreadable: string[] = [];
  for (const value of values) {
    const parsed = Holder.safeParse(value);
    if (parsed.success) objects.push(objectOf(kind, parsed.data));
    else unreadable.push(idOf(value));
  }
  return { objects, unreadable };
}

function idOf(value: unknown): string {
  const id = typeof value === "object" && value !== null && "id" in value ? value.id : null;
  return typeof id === "string" && /^[\x21-\x7e]{1,64}$/.test(id) ? id : "";
}

function objectOf(kind: ScannedObject["kind"], holder: CredentialHolder): ScannedObject {
  return {
    kind,
    objectId: holder.id,
    appId: holder.appId,
    name: nameOf(holder),
    createdAt: holder.createdDateTime == null ? null : msOf(holder.createdDateTime),
    audience: holder.signInAudience ?? null,
    disabled: holder.isDisabled === true || holder.accountEnabled === false,
    serviceRef: holder.serviceManagementReference ?? null,
    credentials: [
      ...holder.passwordCredentials.map((credential) => lineOf(credential, "client-secret")),
      ...(holder.keyCredentials ?? []).map((credential) => lineOf(credential, "certificate")),
    ],
  };
}

/** Names may be null, and may hold what PostgreSQL cannot keep (U+0000). */
function nameOf({ displayName, appId }: CredentialHolder): string {
  const name = (displayName ?? "").replaceAll("\u0000", "").slice(0, 256);
  return name === "" ? appId : name;
}

function lineOf(
  credential: CredentialHolder["passwordCredentials"][number],
  kind: ScannedCredential["kind"],
): ScannedCredential {
  return {
    id: credential.keyId,
    kind,
    startsAt: credential.startDateTime == null ? null : msOf(credential.startDateTime),
    expiresAt: credential.endDateTime == null ? null : msOf(credential.endDateTime),
    marker: parseMarker(credential.displayName),
  };
}
