import { RunId } from "@countersign/contract";
import { CountersignError } from "@countersign/core";
import { newRunId } from "@countersign/engine";
import type { ApiDependencies } from "../dependencies.ts";
import type { Handler } from "../handler.ts";
import type { RunFilter, RunRecord } from "../ports.ts";
import { decodeCursor, encodeCursor, facetOf } from "../views/page.ts";
import { newReason } from "../views/reason.ts";
import { detailOf, summaryOf, waitsFor } from "../views/run.ts";
import { iso } from "../views/time.ts";

const openRunsMax = 50;

/** The run, or NOT_FOUND. */
export async function runOf(api: ApiDependencies, id: string): Promise<RunRecord> {
  const run = await api.store.run(id);
  if (run === null) throw new CountersignError("NOT_FOUND", `expected a run of this installation, got ${id}`);
  return run;
}

export const requestRun: Handler<"requestRun"> = async ({ api, body, person }) => {
  const row = api.inventory().rows.find((candidate) => candidate.name === body.row);
  if (row === undefined) throw new CountersignError("NOT_FOUND", `expected a row of the inventory, got ${body.row}`);
  const open = (await api.store.runs({ row: row.name, open: true, limit: openRunsMax })).find(
    // An emergency takes over an open rotation, but no other emergency.
    ({ trigger }) => body.trigger !== "compromise" || trigger === "compromise",
  );
  if (open !== undefined)
    throw new CountersignError("STATE_CONFLICT", `expected no open run of ${row.name}, ${open.id} is ${open.state}`);
  const at = api.now();
  const id = newRunId(at);
  const reason = newReason(body.reason);
  const { credential } = body;
  const reportedAt = body.reportedAt ?? iso(at);
  if (reportedAt > iso(at))
    throw new CountersignError("INPUT_INVALID", `expected a report at ${iso(at)} or before, got ${reportedAt}`);
  const compromised = credential === undefined ? null : { credential, reportedAt };
  const named = body.replace ?? null;
  if (named !== null && row.procedure !== "entra-client-secret")
    throw new CountersignError("INPUT_INVALID", `expected the row of a client secret beside replace, got ${row.name}`);
  await api.store.request({ id, row, person: person.person, reason, at, compromised, named });
  return { run: id };
};

function readCursor(cursor: string): NonNullable<RunFilter["before"]> {
  const [at, id] = decodeCursor(cursor).split(" ");
  const requestedAt = Number(at);
  if (!Number.isSafeInteger(requestedAt) || !RunId.safeParse(id).success || id === undefined) {
    throw new CountersignError("INPUT_INVALID", "expected a cursor from an earlier answer, got something else");
  }
  return { requestedAt, id };
}

export const listRuns: Handler<"listRuns"> = async ({ api, query, person }) => {
  const filter: Omit<RunFilter, "limit" | "before"> = {
    ...(query.state === undefined ? {} : { state: query.state }),
    ...(query.waiting === "me" ? { state: "awaiting_approval" as const } : {}),
    ...(query.open === undefined ? {} : { open: query.open === "true" }),
    ...(query.row === undefined ? {} : { row: query.row }),
  };
  const before = query.cursor === undefined ? {} : { before: readCursor(query.cursor) };
  const now = api.now();
  const found = await api.store.runs({ ...filter, ...before, limit: query.limit + 1 });
  const items = await Promise.all(
    found.slice(0, query.limit).map(async (run) => summaryOf(run, await waitsFor(api.store, run, person, now))),
  );
  const last = items.at(-1);
  return {
    items: query.waiting === "me" ? items.filter((run) => run.waitsForYou) : items,
    nextCursor:
      found.length > query.limit && last !== undefined
        ? encodeCursor(`${Date.parse(last.requestedAt)} ${last.id}`)
        : null,
    total: await api.store.countRuns(filter),
    facets: { state: facetOf(found.map((run) => run.state)) },
  };
};

export const getRun: Handler<"getRun"> = async ({ api, params, person, reply }) => {
  const run = await runOf(api, params.id);
  if (run.planDigest !== null) reply.header("etag", `"${run.planDigest}"`);
  return detailOf(api.store, run, person, api.now());
};

export const getRunEntries: Handler<"getRunEntries"> = async ({ api, params, query }) => {
  await runOf(api, params.id);
  const entries = await api.store.runEntries(params.id, query.from, query.limit);
  const size = await api.store.logSize();
  const next = entries.length === query.limit ? query.from + entries.length : null;
  return { entries: entries.map(({ index, text }) => ({ index, text })), next, size };
};

export const getBundle: Handler<"getBundle"> = async ({ api, params, reply }) => {
  await runOf(api, params.id);
  const bytes = await api.bundle(params.id);
  reply
    .header("content-type", "application/zip")
    .header("content-disposition", `attachment; filename="${params.id}.zip"`);
  await reply.send(Buffer.from(bytes));
  return null;
};
