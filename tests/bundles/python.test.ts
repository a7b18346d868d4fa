import { execFile, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type BundleFiles,
  CHECK_CODES,
  EvidenceError,
  digestOf,
  formatSums,
  parseTrust,
  readBundle,
  readZip,
  verifyBundle,
  writeTrust,
  writeZip,
} from "@countersign/evidence";
import { LIVES, type Run, bundleOf, keysOf, trustFileOf } from "./builder.ts";
import { FORGERIES } from "./forgeries.ts";

/*
 * A second verifier, written in another language from docs/evidence-format.md alone, must say the same as ours on every
 * bundle, good or bad, and stop at the same check. Where the two disagree, one of them or the document is wrong.
 */

const program = fileURLToPath(new URL("../../tools/verify.py", import.meta.url));
const hasPython = spawnSync("python3", ["--version"]).status === 0;

interface Report {
  readonly verdict: string;
  readonly run: string | null;
  readonly state: string | null;
  readonly checks: readonly { readonly code: string; readonly result: string; readonly sentence: string }[];
}

/** What the second verifier says, by its exit code and by its JSON. */
function second(...args: string[]): Promise<{ exit: number; report: Report; errors: string }> {
  return new Promise((resolve, reject) => {
    execFile("python3", [program, ...args, "--json"], (error, stdout, errors) => {
      if (error && typeof error.code !== "number") reject(error);
      else resolve({ exit: Number(error?.code ?? 0), report: JSON.parse(stdout) as Report, errors });
    });
  });
}

const exits: Record<string, number> = { proven: 0, refused: 1, "no-trust": 3 };

/** Both verifiers on one path; fails unless they agree, and gives the verdict and the check that refused. */
async function agreed(name: string, path: string, trustFile: string): Promise<{ verdict: string; code: string | null }> {
  const ours = first(path, trustFile);
  const { exit, report, errors } = await second(path, "--trust", trustFile);
  const last = report.checks.at(-1);
  expect(report.verdict, `${name}: ${last?.code}: ${last?.sentence}`).toBe(ours.verdict);
  expect(exit, name).toBe(exits[ours.verdict]);
  expect(errors, name).toBe("");
  expect(last?.sentence, name).not.toContain("cannot be checked");
  if (report.verdict === "proven") {
    expect(report, name).toMatchObject({ run: ours.run, state: ours.state });
    expect(report.checks.map((c) => c.code), name).toEqual(CHECK_CODES);
  }
  const code = report.verdict === "refused" ? (last?.code ?? null) : null;
  // Ours refuses a folder or zip that it cannot read before there are any checks.
  if (ours.code !== "unread") expect(code, name).toBe(ours.code);
  return { verdict: report.verdict, code };
}

function first(path: string, trustFile: string) {
  try {
    const files = statSync(path).isDirectory() ? readBundle(path) : readZip(readFileSync(path));
    const { verdict, run, state, checks } = verifyBundle(files, parseTrust(readFileSync(trustFile)));
    return { verdict, run, state, code: verdict === "refused" ? (checks.at(-1)?.code ?? null) : null };
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return { verdict: "refused", run: null, state: null, code: "unread" };
  }
}

let root = "";
let trustFile = "";
let made = 0;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "second-"));
  trustFile = trustWith(() => {});
});
afterAll(() => rmSync(root, { recursive: true }));

function trustWith(change: (file: Record<string, unknown>) => void): string {
  const file = structuredClone(trustFileOf(keysOf("home")));
  change(file as unknown as Record<string, unknown>);
  const path = join(root, `trust-${made++}.json`);
  writeFileSync(path, writeTrust(file));
  return path;
}

function folderOf(files: BundleFiles): string {
  const folder = join(root, `bundle-${made++}`);
  for (const [name, bytes] of files) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }
  return folder;
}

function zipOf(bytes: Uint8Array): string {
  const path = join(root, `bundle-${made++}.zip`);
  writeFileSync(path, bytes);
  return path;
}

/** A small generator (mulberry32): the same seed gives the same edits everywhere. */
function random(seed: number): (below: number) => number {
  let a = seed;
  return (below) => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}

/** One edit of one file or two by somebody without keys; SHA256SUMS is made anew unless it is what was edited. */
function edited(files: BundleFiles, next: (below: number) => number): { name: string; files: BundleFiles } {
  const map = new Map(files);
  const names = [...files.keys()].sort();
  const pick = () => names[next(names.length)] as string;
  const name = pick();
  const bytes = Buffer.from(files.get(name) as Uint8Array);
  const at = next(bytes.length);
  const edits: [string, () => void][] = [
    ["flip a bit of", () => map.set(name, bytes.fill((bytes[at] as number) ^ (1 << next(8)), at, at + 1))],
    ["drop a byte of", () => map.set(name, Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]))],
    ["double a byte of", () => map.set(name, Buffer.concat([bytes.subarray(0, at + 1), bytes.subarray(at)]))],
    ["cut", () => map.set(name, bytes.subarray(0, at))],
    ["append a newline to", () => map.set(name, Buffer.concat([bytes, Buffer.from("\n")]))],
    ["delete", () => map.delete(name)],
    ["change a digit of", () => map.set(name, Buffer.from(bytes.toString("latin1").replace(/[0-8]/, (d) => String(Number(d) + 1)), "latin1"))],
    ["put another file in place of", () => map.set(name, files.get(pick()) as Uint8Array)],
    ["copy to another name", () => map.set(`${name}x`, bytes)],
    ["add spaces to", () => map.set(name, Buffer.from(bytes.toString("latin1").replaceAll(":", ": "), "latin1"))],
  ];
  const [label, edit] = edits[next(edits.length)] as (typeof edits)[number];
  edit();
  if (name !== "SHA256SUMS") map.set("SHA256SUMS", formatSums(map));
  return { name: `${label} ${name} at ${at}`, files: map };
}

/** Some at a time: each is a process. */
async function each<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: 3 }, worker));
}

describe.runIf(hasPython)("the second verifier, written from the document alone, agrees with ours", () => {
  test.each(Object.entries(LIVES))("a good bundle is proven as a folder and as a zip: %s", async (name, live) => {
    const files = await bundleOf(await live());
    const proven = { verdict: "proven", code: null };
    expect(await agreed(name, folderOf(files), trustFile)).toEqual(proven);
    expect(await agreed(`${name}, zip`, zipOf(writeZip(files)), trustFile)).toEqual(proven);
  });

  test("runs that broke a rule are refused by the same check", async () => {
    await each(FORGERIES, async ([name, code, live]) => {
      expect(await agreed(name, folderOf(await bundleOf(await live())), trustFile)).toEqual({ verdict: "refused", code });
    });
  });

  test("erased papers are accepted or refused alike", async () => {
    const erase = (digest: `sha256:${string}`) => (run: Run) =>
      run.log.add("attachment.erased", { attachment: digest, by: "system:retention", reasonDigest: null });
    const reason = await LIVES.completed();
    erase(digestOf(reason.papers.attachments.splice(0, 1)[0] as Uint8Array))(reason);
    expect((await agreed("an erased reason", folderOf(await bundleOf(reason)), trustFile)).verdict).toBe("proven");

    for (const live of [LIVES.completed, LIVES.expired, LIVES.rejected]) {
      for (const at of [0, -1]) {
        const run = await live();
        const [gone] = run.papers.approvals.splice(at, 1) as [Run["papers"]["approvals"][number]];
        // The reason of a statement that is gone is no longer named, so it may not be there.
        const reason = (JSON.parse(Buffer.from(gone.statement).toString()) as { reasonDigest: string | null }).reasonDigest;
        run.papers.attachments = run.papers.attachments.filter((bytes) => digestOf(bytes) !== reason);
        erase(digestOf(gone.statement))(run);
        await agreed(`approval ${at} erased`, folderOf(await bundleOf(run)), trustFile);
      }
    }
  });

  test.each(Object.entries(LIVES))("25 edits from a seed, by somebody without keys: %s", async (life, live) => {
    const files = await bundleOf(await live());
    const next = random(20_261_122 + life.length);
    const edits = Array.from({ length: 25 }, () => edited(files, next));
    await each(edits, (edit) => agreed(`${life}: ${edit.name}`, folderOf(edit.files), trustFile));
  });

  test("40 zips with one byte changed, and zips cut, doubled and padded", async () => {
    const zip = Buffer.from(writeZip(await bundleOf(await LIVES.blocked())));
    const next = random(7);
    const zips = [Buffer.alloc(0), zip.subarray(1), zip.subarray(0, -1), Buffer.concat([zip, zip]), Buffer.concat([zip, Buffer.of(0)])];
    for (let i = 0; i < 40; i++) {
      const bad = Buffer.from(zip);
      const at = i % 2 === 0 ? next(bad.length) : bad.length - 1 - next(600);
      bad[at] = (bad[at] as number) ^ (1 << next(8));
      zips.push(bad);
    }
    await each(zips, async (bad) => {
      expect((await agreed("a zip", zipOf(bad), trustFile)).verdict).toBe("refused");
    });
  });

  test("other trust files give the same verdicts", async () => {
    const changes: [string, (file: Record<string, unknown>) => void][] = [
      ["policy", (f) => (f["policies"] = [])],
      ["inventory", (f) => (f["inventories"] = [])],
      ["approvals", (f) => (f["people"] = [])],
      ["approvals", (f) => (f["people"] as { level: string }[]).forEach((p) => (p.level = "passkey"))],
      ["approvals", (f) => (f["sessionKeys"] = [])],
      ["genesis", (f) => (f["profile"] = "production")],
      ["checkpoint", (f) => (f["logKeys"] = trustFileOf(keysOf("elsewhere")).logKeys)],
      ["run-record", (f) => (f["runKeys"] = trustFileOf(keysOf("elsewhere")).runKeys)],
    ];
    const folder = folderOf(await bundleOf(await LIVES.completed()));
    await each(changes, async ([code, change]) => {
      expect(await agreed(code, folder, trustWith(change))).toEqual({ verdict: "refused", code });
    });
  });

  test("a link, a folder too many, a folder without files and a path that is not there are refused", async () => {
    const linked = folderOf(await bundleOf(await LIVES.blocked()));
    rmSync(join(linked, "README.txt"));
    symlinkSync(join(linked, "SHA256SUMS"), join(linked, "README.txt"));
    const extra = folderOf(await bundleOf(await LIVES.blocked()));
    mkdirSync(join(extra, "entries", "more"));
    const empty = join(root, "empty");
    mkdirSync(empty);
    for (const path of [linked, extra, empty]) expect((await agreed(path, path, trustFile)).verdict).toBe("refused");
    expect((await second(join(root, "nowhere"), "--trust", trustFile)).exit).toBe(1);
  });

  test("without a trust file that can be believed nothing is checked, and it says so", async () => {
    const folder = folderOf(await bundleOf(await LIVES.blocked()));
    const twice = join(root, "twice.json");
    writeFileSync(twice, readFileSync(trustFile, "utf8").replace("{", '{"v":1,'));
    for (const args of [[], ["--trust", join(root, "nowhere.json")], ["--trust", twice]]) {
      const { exit, report } = await second(folder, ...args);
      expect(exit).toBe(3);
      expect(report).toEqual({ verdict: "no-trust", run: null, state: null, checks: [] });
    }
  });
});
