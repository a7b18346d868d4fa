import type { AuditChange } from "@countersign/contract";
import { auditReasons, CountersignError, type InventoryRow } from "@countersign/core";
import type { ListedChangeRow } from "@countersign/engine";
import type { ApiDependencies } from "../dependencies.ts";
import type { Handler } from "../handler.ts";
import { decodeCursor, encodeCursor, facetsOf } from "../views/page.ts";
import { newReason, reasonText } from "../views/reason.ts";
import { iso } from "../views/time.ts";

export const listChanges: Handler<"listChanges"> = async ({ api, query }) => {
  const { tenant, verdict } = query;
  const { rows } = api.inventory();
  const row = rows.find(({ name }) => name === query.application);
  const of = row?.procedure === "entra-client-secret" ? row.objectId : "";
  const wanted = { tenant, verdict, standing: query.standing === undefined ? undefined : query.standing === "true" };
  const found = await api.store.auditChanges({
    filter: {
      ...wanted,
      id: query.q,
      ...(query.application === undefined ? {} : { objectId: of }),
      ...(query.since === undefined ? {} : { since: Date.parse(query.since) }),
    },
    after: query.cursor === undefined ? null : decodeCursor(query.cursor),
    limit: query.limit,
  });
  return {
    items: await Promise.all(found.items.map((change) => viewOf(api, change, rows))),
    nextCursor: found.next === null ? null : encodeCursor(found.next),
    ...facetsOf(found.counts, wanted),
  };
};

export const explainChange: Handler<"explainChange"> = async ({ api, body, person }) => {
  const { reason, ...place } = body;
  const change = await api.store.auditChange({ ...place, credential: place.credential ?? "" });
  if (change === null)
    throw new CountersignError("NOT_FOUND", "expected a change that was read, got none of this name");
  const row = rowOf(change, api.inventory().rows);
  const isOwner = row?.owners.includes(person.person) === true;
  if (!isOwner && !person.roles.some((role) => role === "platform" || role === "security"))
    throw new CountersignError("FORBIDDEN", "expected an owner of the application, platform or security, got another");
  const at = api.now();
  await api.store.explainChange({
    ...place,
    credential: place.credential ?? "",
    person: person.person,
    reason: newReason(reason),
    at,
  });
  return { ...place, by: person.person, at: iso(at) };
};

function rowOf({ tenant, objectId }: Pick<ListedChangeRow, "tenant" | "objectId">, rows: readonly InventoryRow[]) {
  return rows.find(
    (row) => row.procedure === "entra-client-secret" && row.tenant === tenant && row.objectId === objectId,
  );
}

async function viewOf(
  api: ApiDependencies,
  change: ListedChangeRow,
  rows: readonly InventoryRow[],
): Promise<AuditChange> {
  const { tenant, entry, act, objectId, holder, kind, activity, actorKind, actor, verdict, because, step } = change;
  const { explainedBy: by, explainedAt, explanation, name } = change;
  return {
    tenant,
    entry,
    credential: change.credential === "" ? null : change.credential,
    act,
    at: iso(change.at),
    readAt: iso(change.readAt),
    application: rowOf(change, rows)?.name ?? null,
    name,
    objectId,
    holder,
    kind,
    activity,
    actorKind,
    actor,
    verdict,
    because,
    sentence: auditReasons[because],
    run: change.runId,
    step,
    standing: change.stands,
    explained:
      by === null || explainedAt === null
        ? null
        : { by, at: iso(explainedAt), reason: await reasonText(api.store, explanation) },
  };
}
