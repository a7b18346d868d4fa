import { setTimeout as delay } from "node:timers/promises";
import { CountersignError } from "@countersign/core";
import {
  bundleNeeds,
  digestOf,
  type LoggedEntry,
  makeBundle,
  parseEntry,
  readCheckpointUnverified,
  writeZip,
} from "@countersign/evidence";
import type { LogEntryRow, RunRecordRow, Store } from "../store/index.ts";
import { treeOf } from "./log-tree.ts";

/** Entries of no run are few, and the ones a bundle needs stand early: genesis and policy activations. */
const contextRowsMax = 100_000;

/** The executor answers in milliseconds; one that does not run is not waited for longer (real time). */
const recordMsMax = 10_000;
const recordPollMs = 50;

/**
 * Makes the evidence bundle of a run as a deterministic zip: its entries with proofs, plan, policy, approvals and the
 * checkpoints they name, as of the summary that the executor has signed; an older one is renewed first. An unfinished
 * run is marked open. Errors: NOT_FOUND, RECORD_UNSIGNED.
 */
export async function bundleOf(store: Store, run: string): Promise<Uint8Array> {
  const record = await recordOf(store, run);
  const checkpoint = await store.checkpoint(record.size);
  if (checkpoint?.size !== record.size) throw unsigned(run);
  const rows = (await store.entriesOfRun(run)).filter((row) => row.idx < checkpoint.size);

  const stored = [...(await store.approvals(run)), ...(await wordsOnUse(store, run)), ...(await store.closeWords(run))];
  const approvals = stored.flatMap(({ statement, envelope }) =>
    statement === null || envelope === null ? [] : [{ statement, envelope }],
  );
  const reviews = (await store.entriesOfNoRun(["breakglass.reviewed"], contextRowsMax)).filter(
    (row) => row.idx < checkpoint.size && isReviewOf(row, run),
  );
  const needs = bundleNeeds(
    rows.map((row) => row.entry),
    approvals.map((approval) => approval.statement),
    reviews.map((row) => row.entry),
  );
  const bytesOf = async (digest: string) => (await store.attachment(digest))?.bytes ?? null;
  const noteOf = async (size: number) => (await store.checkpoint(size))?.note ?? null;
  const attachments = await Promise.all([...needs.attachments].map(bytesOf));
  const anchors = await Promise.all([...needs.anchors].map(noteOf));
  const erased = new Set([...needs.attachments].filter((_, index) => attachments[index] === null));

  const tree = await treeOf(store, readCheckpointUnverified(Buffer.from(checkpoint.note)));
  const files = makeBundle({
    checkpoint: Buffer.from(checkpoint.note),
    tree,
    entries: rows.map(logged),
    context: [...(await contextOf(store, checkpoint.size, needs.policy, erased)), ...reviews.map(logged)],
    plan: needs.plan === undefined ? null : await store.plan(needs.plan),
    policy: needs.policy === undefined ? null : await bytesOf(needs.policy),
    approvals: approvals.filter(({ statement }) => needs.statements.includes(digestOf(statement))),
    attachments: attachments.filter((bytes) => bytes !== null),
    anchors: anchors.filter((note) => note !== null).map((note) => Buffer.from(note)),
    record: record.envelope,
  });
  return writeZip(files);
}

/** The summary that covers all there is to say about the run now. */
async function recordOf(store: Store, run: string): Promise<RunRecordRow> {
  const known = await store.runRecord(run);
  if (known !== null && (await saysAll(store, run, known.size))) return known;
  const size = await store.recordAsk(run);
  const until = performance.now() + recordMsMax;
  while (performance.now() < until) {
    const fresh = await store.runRecord(run);
    if (fresh !== null && fresh.size >= size) return fresh;
    await delay(recordPollMs);
  }
  throw unsigned(run);
}

/** Whether nothing has come since: entries of the run itself, reviews and erasures. */
async function saysAll(store: Store, run: string, size: number): Promise<boolean> {
  const last = (await store.entriesOfRun(run)).at(-1);
  if (last === undefined || last.idx >= size) return false;
  const later = await store.entriesOfNoRun(["breakglass.reviewed", "attachment.erased"], contextRowsMax);
  return later.every((row) => row.idx < size);
}

function unsigned(run: string): CountersignError {
  return new CountersignError("RECORD_UNSIGNED", `expected the executor to sign the summary of ${run}, got none`);
}

/** What people signed about a break-glass use: the grant, the confirmation, reviews. */
async function wordsOnUse(store: Store, run: string) {
  const use = await store.breakGlass(run);
  if (use === null) return [];
  const confirmed = { statement: use.confirmedStatementBytes, envelope: use.confirmedEnvelopeBytes };
  return [use, confirmed, ...(await store.breakGlassReviews(run))];
}

function isReviewOf(row: LogEntryRow, run: string): boolean {
  const entry = parseEntry(row.entry);
  return entry.type === "breakglass.reviewed" && entry.data.of === run;
}

/** Entries of no run that a verifier needs: the genesis entry, the activation of the run's policy, erasures. */
async function contextOf(
  store: Store,
  size: number,
  policy: string | undefined,
  erased: ReadonlySet<string>,
): Promise<LoggedEntry[]> {
  const found = new Map<string, LoggedEntry>();
  for (const row of await store.entriesOfNoRun(
    ["log.genesis", "policy.activated", "attachment.erased"],
    contextRowsMax,
  )) {
    if (row.idx >= size) continue;
    const { type, data } = parseEntry(row.entry);
    if (type === "log.genesis") found.set("genesis", logged(row));
    else if (type === "policy.activated" && data.policyDigest === policy && !found.has("policy"))
      found.set("policy", logged(row));
    else if (type === "attachment.erased" && erased.has(data.attachment)) found.set(data.attachment, logged(row));
  }
  return [...found.values()];
}

function logged(row: LogEntryRow): LoggedEntry {
  return { index: row.idx, bytes: row.entry };
}
