import {
  type BundleFiles,
  type Entry,
  type TrustFile,
  bundleNeeds,
  checkpointRef,
  digestOf,
  buildStatement,
  formatVkey,
  makeBundle,
  noteKey,
  parseEntry,
  parseStatement,
  signApproval,
  signRunRecord,
  trustedKey,
} from "@countersign/evidence";
import { type Draft, type Keys, Log, key } from "./builder.ts";

/*
 * Somebody with keys of his own takes a bundle and makes it anew from the beginning: same run, same people, same plan, every
 * signature, chain, proof and checkpoint in order. Nothing is wrong with the result but whose keys they are.
 */

/** A whole bundle like `files`, in a log of its own under other keys. */
export async function remade(files: BundleFiles, keys: Keys, build: string): Promise<BundleFiles> {
  const entries = placed(files);
  const log = new Log(keys);
  const statements = new Map<string, { statement: Uint8Array; envelope: Uint8Array }>();
  const drafts: Draft[] = [];
  for (const { entry } of entries) {
    const draft = await redrawn(entry, log, files, statements);
    drafts.push(draft);
    log.replay(draft);
  }
  const end = await log.sign();
  const of = (run: boolean) => log.entries.filter((_, i) => (drafts[i]?.run !== null) === run);
  const approvals = [...statements.values()];
  const needs = bundleNeeds(of(true).map((e) => e.bytes), approvals.map((a) => a.statement));
  return makeBundle({
    checkpoint: log.notes.get(end.size) as Uint8Array,
    tree: log.tree,
    entries: of(true),
    context: of(false),
    plan: files.get("plan.json") ?? null,
    policy: files.get("policy.yaml") ?? null,
    approvals,
    attachments: [...files].filter(([name]) => name.startsWith("attachments/")).map(([, bytes]) => bytes),
    anchors: [...log.notes].filter(([size]) => needs.anchors.has(size)).map(([, note]) => note),
    record: await signRunRecord({ entries: of(true), log: checkpointRef(end), build }, keys.run),
  });
}

/** Keys of a stranger who calls his log by the same name. */
export function strangerKeys(origin: string): Keys {
  return { log: key("stranger/log", origin), run: key("stranger/run"), session: key("stranger/session") };
}

/** The trust file that would believe the stranger. */
export function strangerTrust(file: TrustFile, keys: Keys): TrustFile {
  return {
    ...file,
    logKeys: [{ vkey: formatVkey(noteKey(keys.log.name, keys.log.publicKey)) }],
    runKeys: [trustedKey(keys.run.publicKey)],
    sessionKeys: [trustedKey(keys.session.publicKey)],
  };
}

/** All entries of a bundle in the order of their log. */
function placed(files: BundleFiles): { index: number; entry: Entry }[] {
  return [...files]
    .filter(([name]) => /^(entries|context)\/\d{4}\.json$/.test(name))
    .map(([name, bytes]) => {
      const proof = Buffer.from(files.get(name.replace(".json", ".tlog-proof")) ?? []).toString();
      return { index: Number(/^index (\d+)$/m.exec(proof)?.[1]), entry: parseEntry(bytes) };
    })
    .sort((a, b) => a.index - b.index);
}

/** The entry as it reads in the other log: what names statements or states of the log names the new ones. */
async function redrawn(
  entry: Entry,
  log: Log,
  files: BundleFiles,
  statements: Map<string, { statement: Uint8Array; envelope: Uint8Array }>,
): Promise<Draft> {
  const { at, run, type } = entry;
  let data: unknown = entry.data;
  if (entry.type === "approval.given") {
    const old = files.get(`approvals/${entry.data.statementDigest.slice("sha256:".length)}.statement.json`);
    const { _type, ...said } = parseStatement(old as Uint8Array);
    const statement = buildStatement({ ...said, checkpoint: checkpointRef(await log.sign()) });
    const envelope = await signApproval(statement, log.keys.session);
    statements.set(entry.data.statementDigest, { statement, envelope });
    data = { ...entry.data, statementDigest: digestOf(statement), evidenceDigest: digestOf(envelope) };
  } else if (entry.type === "run.authorised") {
    const renamed = entry.data.statements.map((digest) => digestOf(statements.get(digest)?.statement as Uint8Array));
    data = { ...entry.data, checkpoint: checkpointRef(await log.sign()), statements: renamed };
  }
  return { at, run, type, data } as Draft;
}
