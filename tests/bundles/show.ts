import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import {
  type BundleFiles,
  type TrustFile,
  parseTrust,
  readZip,
  verifyBundle,
  writeTrust,
  writeZip,
} from "@countersign/evidence";
import { editsOf, random } from "./edits.ts";
import { type Compared, compare, hasPython } from "./second.ts";
import { remade, strangerKeys, strangerTrust } from "./stranger.ts";

/*
 * The demo's own bundles, put through what a doubter would try: each proven; edited by somebody without keys, with checksums
 * made anew; made anew as a whole by somebody with other keys. Each by our verifier and by the second one.
 */

/** What was found about one bundle. */
export interface ShownBundle {
  readonly run: string;
  readonly state: string | null;
  readonly entries: number;
  readonly verdict: string;
  readonly edits: number;
  readonly editsRefused: number;
  /** How often each check refused an edit. */
  readonly refusedBy: Readonly<Record<string, number>>;
  /** The whole bundle under other keys: what the real trust file says, and the one that believes those keys. */
  readonly stranger: { readonly verdict: string; readonly check: string | null; readonly underItsOwnTrust: string };
  /** Bundles on which the second verifier was asked, and on how many it said otherwise. */
  readonly second: { readonly asked: number; readonly differences: readonly string[] };
}

export interface ShowOptions {
  /** A folder that `countersign demo` left: `bundles/*.zip`, `state/trust.json`. */
  readonly folder: string;
  readonly edits: number;
  readonly seed: number;
  readonly say: (line: string) => void;
}

/** Verifier processes at once. */
const processesMax = 2;

export async function showBundles(options: ShowOptions): Promise<readonly ShownBundle[]> {
  if (!hasPython) throw new Error("expected python3 for the second verifier, got none");
  const folder = join(options.folder, "bundles");
  const names = readdirSync(folder).filter((name) => name.endsWith(".zip")).sort();
  const shown: ShownBundle[] = [];
  for (const name of names) {
    options.say(`${name}: ${options.edits} edits, a stranger's, and the second verifier on each`);
    shown.push(await showBundle(join(folder, name), join(options.folder, "state/trust.json"), options));
  }
  return shown;
}

async function showBundle(zip: string, trustPath: string, options: ShowOptions): Promise<ShownBundle> {
  const scratch = mkdtempSync(join(tmpdir(), "evidence-"));
  try {
    const files = readZip(readFileSync(zip));
    const trustBytes = readFileSync(trustPath);
    const trust = parseTrust(trustBytes);
    const report = verifyBundle(files, trust);
    const compared = new Map<string, Compared>();
    const ask = async (what: string, path: string) => void compared.set(what, await compare(path, trustPath));

    await ask("the bundle", zip);
    const edits = drawn(editsOf(files, options.seed), options.edits, options.seed);
    const refusedBy: Record<string, number> = {};
    let editsRefused = 0;
    await each(edits, async (edit, n) => {
      const last = verifyBundle(edit.files, trust);
      if (last.verdict === "refused") {
        editsRefused += 1;
        const check = last.checks.at(-1)?.code ?? "unread";
        refusedBy[check] = (refusedBy[check] ?? 0) + 1;
      }
      const place = join(scratch, String(n));
      writeFolder(place, edit.files);
      await ask(edit.name, place);
      rmSync(place, { recursive: true });
    });

    const keys = strangerKeys(trust.origin);
    const strange = await remade(files, keys, "0.1.0");
    const path = join(scratch, "stranger.zip");
    writeFileSync(path, writeZip(strange));
    await ask("the stranger's", path);
    const theirs = parseTrust(writeTrust(strangerTrust(JSON.parse(trustBytes.toString()) as TrustFile, keys)));
    const verdict = verifyBundle(strange, trust);
    return {
      run: report.run ?? "",
      state: report.state,
      entries: [...files.keys()].filter((name) => /^entries\/\d{4}\.json$/.test(name)).length,
      verdict: report.verdict,
      edits: edits.length,
      editsRefused,
      refusedBy,
      stranger: {
        verdict: verdict.verdict,
        check: verdict.checks.at(-1)?.code ?? null,
        underItsOwnTrust: verifyBundle(strange, theirs).verdict,
      },
      second: {
        asked: compared.size,
        differences: [...compared].flatMap(([what, { differences }]) => differences.map((line) => `${what}: ${line}`)),
      },
    };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** What must hold and does not; empty: everything did. */
export function problemsOf(bundles: readonly ShownBundle[], editsWanted: number): string[] {
  if (bundles.length === 0) return ["expected bundles, got none"];
  return bundles.flatMap(({ run, verdict, edits, editsRefused, stranger, second }) => {
    const rules: readonly (readonly [boolean, string])[] = [
      [verdict === "proven", `expected it proven, got ${verdict}`],
      [edits === editsWanted, `expected ${editsWanted} different edits, got ${edits}`],
      [editsRefused === edits, `expected all ${edits} edits refused, got ${editsRefused}`],
      [stranger.verdict === "refused", `expected a stranger's bundle refused, got ${stranger.verdict}`],
      [stranger.underItsOwnTrust === "proven", `expected a stranger's bundle whole in itself, got ${stranger.underItsOwnTrust}`],
      [second.asked === edits + 2, `expected the second verifier asked ${edits + 2} times, got ${second.asked}`],
      [second.differences.length === 0, `expected both verifiers to agree: ${second.differences.join("; ")}`],
    ];
    return rules.flatMap(([holds, sentence]) => (holds ? [] : [`${run}: ${sentence}`]));
  });
}

/** So many of them, in an order that the seed gives. */
function drawn<T>(items: readonly T[], count: number, seed: number): T[] {
  const next = random(seed);
  const order = items.map((item) => ({ item, at: next() })).sort((a, b) => a.at - b.at);
  return order.slice(0, count).map(({ item }) => item);
}

async function each<T>(items: readonly T[], work: (item: T, index: number) => Promise<void>): Promise<void> {
  const queue = items.entries();
  const worker = async () => {
    for (const [index, item] of queue) await work(item, index);
  };
  await Promise.all(Array.from({ length: processesMax }, worker));
}

function writeFolder(folder: string, files: BundleFiles): void {
  for (const [name, bytes] of files) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }
}
