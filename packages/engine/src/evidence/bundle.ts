import {
  bundleNeeds,
  digestOf,
  type LoggedEntry,
  MerkleTree,
  makeBundle,
  parseEntry,
  type Signer,
  writeZip,
} from "@countersign/evidence";
import type { LogEntryRow, Store } from "../store/index.ts";

const pageRows = 10_000;
/** Entries of no run are few, and the ones a bundle needs stand early: genesis and policy activations. */
const contextRowsMax = 100_000;

/**
 * Makes the evidence bundle of a run as a deterministic zip: its entries with proofs, plan, policy, approvals and the
 * checkpoints they name. Null when there is no such run or no checkpoint covers it yet. An unfinished run is marked open.
 */
export async function bundleOf(
  store: Store,
  run: string,
  runSigner: Signer,
  build: string,
): Promise<Uint8Array | null> {
  const checkpoint = await store.checkpoint();
  if (checkpoint === null) return null;
  const rows = (await store.entriesOfRun(run)).filter((row) => row.idx < checkpoint.size);
  if (rows.length === 0) return null;

  const stored = [...(await store.approvals(run)), ...(await wordsOnUse(store, run))];
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

  const tree = new MerkleTree();
  for (const leaf of await leavesOf(store, checkpoint.size)) tree.append(leaf);
  const files = await makeBundle({
    checkpoint: Buffer.from(checkpoint.note),
    tree,
    entries: rows.map(logged),
    context: [...(await contextOf(store, checkpoint.size, needs.policy, erased)), ...reviews.map(logged)],
    plan: needs.plan === undefined ? null : await store.plan(needs.plan),
    policy: needs.policy === undefined ? null : await bytesOf(needs.policy),
    approvals: approvals.filter(({ statement }) => needs.statements.includes(digestOf(statement))),
    attachments: attachments.filter((bytes) => bytes !== null),
    anchors: anchors.filter((note) => note !== null).map((note) => Buffer.from(note)),
    runSigner,
    build,
  });
  return writeZip(files);
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

async function leavesOf(store: Store, size: number): Promise<Uint8Array[]> {
  const leaves: Uint8Array[] = [];
  while (leaves.length < size) {
    const page = await store.leafHashes(leaves.length, Math.min(pageRows, size - leaves.length));
    if (page.length === 0) break;
    leaves.push(...page);
  }
  return leaves;
}
