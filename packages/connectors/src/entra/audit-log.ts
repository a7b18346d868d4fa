import { type AuditActor, type AuditChange, type AuditLog, isCode } from "@countersign/core";
import { z } from "zod";
import { parseMarker } from "../kit/markers.ts";
import { isoOf, msOf, vendorTime } from "../kit/time.ts";
import { graphCall, type Tenant } from "./graph.ts";

/** Entries of one page; the most that the service gives (Graph docs, list directoryAudits). */
const pageSize = 1_000;
/** A manifest has at most 1,200 entries over all collections. */
const keysMax = 1_200;

const text = (max: number) => z.string().max(max).nullish();
/** Not always in the same case; compared in lower case (`printedId`). */
const anId = z.string().max(64).toLowerCase().nullish();

const Property = z.object({ displayName: text(256), oldValue: z.string().nullish(), newValue: z.string().nullish() });
const Target = z.object({
  id: anId,
  type: text(64),
  modifiedProperties: z.array(Property).max(1_000).nullish(),
});

/** An entry as the poll reads it (Graph v1.0, directoryAudit); names of people and programs are not looked at. */
const Entry = z.object({
  id: z.string().regex(/^[\x21-\x7e]{1,200}$/),
  activityDateTime: vendorTime,
  activityDisplayName: z.string().max(500).nullish(),
  correlationId: text(64),
  result: text(32),
  initiatedBy: z
    .object({
      user: z.object({ id: anId }).nullish(),
      app: z.object({ appId: anId, servicePrincipalId: text(64) }).nullish(),
    })
    .nullish(),
  targetResources: z.array(Target).max(100).nullish(),
});
type Entry = z.infer<typeof Entry>;
type Target = z.infer<typeof Target>;

const Page = z.object({ value: z.array(z.unknown()).max(5_000), "@odata.nextLink": z.string().max(8_192).nullish() });

/** What the directory calls a change of credentials; live logs have an en dash and a blank at the end, the docs a hyphen. */
const activities = new Set([
  "update application - certificates and secrets management",
  "add service principal credentials",
  "remove service principal credentials",
]);

const query = `$filter=activityDateTime ge {from} and activityDateTime le {to} and loggedByService eq 'Core Directory'&$top=${pageSize}`;

/**
 * Reads the directory's own audit log. The filter names a span of time and the service that logs, and no activity: their names
 * have been spelled differently over time, and what a filter leaves out nobody misses. Needs `AuditLog.Read.All`.
 */
export function entraAuditLog(tenant: Tenant): AuditLog {
  const { settings } = tenant;
  const call = {
    name: "directoryAudits.list",
    method: "GET",
    path: "/v1.0/auditLogs/directoryAudits",
    retry: "safe",
    effect: false,
    expect: [200],
    answer: Page,
    as: "reader",
    report: true,
    priority: "low",
  } as const;
  return {
    tenant: settings.name,
    query: `GET ${call.path}?${query}`,
    ownAppIds: [settings.writer.clientId, ...settings.ownExecutorAppIds],
    async page(ctx, span, link) {
      const filter = `activityDateTime ge ${isoOf(span.from)} and activityDateTime le ${isoOf(span.to)} and loggedByService eq 'Core Directory'`;
      try {
        const asked = { ...call, query: { $filter: filter, $top: String(pageSize) } };
        const { body } = await graphCall(ctx, tenant, asked, link === null ? undefined : tenant.graph.follow(link));
        return { ...readAll(body.value), seen: body.value.length, next: body["@odata.nextLink"] ?? null };
      } catch (error) {
        // A missing permission or licence; a link that has expired is OUTSIDE_INVALID and the caller's matter.
        if (isCode(error, "OUTSIDE_FORBIDDEN") || (link === null && isCode(error, "OUTSIDE_NOT_FOUND"))) return null;
        throw error;
      }
    },
  };
}

function readAll(values: readonly unknown[]): { changes: AuditChange[]; unreadable: number } {
  const changes: AuditChange[] = [];
  let unreadable = 0;
  for (const value of values) {
    const parsed = Entry.safeParse(value);
    if (parsed.success) changes.push(...changesOf(parsed.data));
    else unreadable += 1;
  }
  return { changes, unreadable };
}

/** The credential changes that an entry tells of; none for most. */
function changesOf(entry: Entry): AuditChange[] {
  if (entry.result === "failure") return [];
  const activity = plainName(entry.activityDisplayName ?? "");
  return (entry.targetResources ?? []).flatMap((target): AuditChange[] => {
    const keys = target.modifiedProperties?.find(({ displayName }) => displayName === "KeyDescription");
    if (keys === undefined && !activities.has(activity)) return [];
    const [before, after] = [keysOf(keys?.oldValue), keysOf(keys?.newValue)];
    const about = aboutOf(entry, target, activity);
    if (keys === undefined || before === null || after === null || target.id == null)
      return [{ ...about, act: "unreadable", credential: null, kind: "other", marker: null }];
    const line = (act: "added" | "removed", key: Key): AuditChange => ({
      ...about,
      act,
      credential: key.id,
      kind: key.kind,
      marker: parseMarker(key.name),
    });
    return [
      ...without(after, before).map((key) => line("added", key)),
      ...without(before, after).map((key) => line("removed", key)),
    ];
  });
}

type About = Omit<AuditChange, "act" | "credential" | "kind" | "marker">;

function aboutOf(entry: Entry, target: Target, activity: string): About {
  return {
    entry: entry.id,
    at: msOf(entry.activityDateTime),
    activity: activity.slice(0, 120),
    correlation: entry.correlationId ?? null,
    actor: actorOf(entry),
    objectId: target.id ?? "",
    holder: target.type === "ServicePrincipal" ? "service-principal" : "application",
  };
}

function actorOf({ initiatedBy }: Entry): AuditActor {
  const appId = initiatedBy?.app?.appId ?? null;
  const person = initiatedBy?.user?.id ?? null;
  if (person !== null) return { kind: "person", id: person };
  return appId === null ? { kind: "unnamed", id: null } : { kind: "application", id: appId };
}

/** One spelling: any dash is a hyphen, blanks are single, no stop at the end, lower case. */
function plainName(name: string): string {
  return name
    .replaceAll(/[\u2010-\u2015]/g, "-")
    .replaceAll(/\s+/g, " ")
    .replace(/[. ]+$/, "")
    .trim()
    .toLowerCase();
}

interface Key {
  readonly id: string;
  readonly kind: AuditChange["kind"];
  readonly name: string;
}

const keyForm =
  /^\[KeyIdentifier=([0-9a-fA-F-]{1,64}),\s?KeyType=([A-Za-z0-9]{1,64}),\s?KeyUsage=([A-Za-z]{0,64}),\s?DisplayName=([\s\S]*)\]$/;

/**
 * `KeyDescription`: a JSON text that holds a list of `[KeyIdentifier=…,KeyType=…,KeyUsage=…,DisplayName=…]`. A display name may
 * hold commas and brackets, so it goes to the last one. Null: in another form.
 */
function keysOf(value: string | null | undefined): readonly Key[] | null {
  if (value == null || value === "") return [];
  const list = z.array(z.string().max(2_000)).max(keysMax).safeParse(jsonOf(value));
  if (!list.success) return null;
  const keys: Key[] = [];
  for (const item of list.data) {
    const match = keyForm.exec(item);
    if (match === null) return null;
    const [, id = "", type = "", , name = ""] = match;
    const kind = type === "Password" ? "client-secret" : type === "AsymmetricX509Cert" ? "certificate" : "other";
    keys.push({ id: id.toLowerCase(), kind, name });
  }
  return keys;
}

function jsonOf(value: string): unknown {
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return null;
  }
}

function without(keys: readonly Key[], others: readonly Key[]): Key[] {
  const known = new Set(others.map(({ id }) => id));
  // A certificate is listed once per usage.
  const seen = new Set<string>();
  return keys.filter(({ id }) => {
    if (known.has(id) || seen.has(id)) return false;
    seen.add(id);
    return true;
  });
}
