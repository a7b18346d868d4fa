import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type BundleFiles, digestOf, formatSums, writeTrust, writeZip } from "@countersign/evidence";
import { LIVES, type Run, bundleOf, keysOf, trustFileOf } from "./builder.ts";
import { random } from "./edits.ts";
import { FORGERIES } from "./forgeries.ts";
import { compare, needsPython, second, secondOfMany } from "./second.ts";

/** Both verifiers on one path; fails unless they agree, and gives the verdict and the check that refused. */
async function agreed(name: string, path: string, trustFile: string): Promise<{ verdict: string; code: string | null }> {
  const { verdict, code, differences } = await compare(path, trustFile);
  expect(differences, name).toEqual([]);
  return { verdict, code };
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

/** Whole numbers below a bound, from a seed. */
function below(seed: number): (bound: number) => number {
  const next = random(seed);
  return (bound) => Math.floor(next() * bound);
}

/** One edit of one file or two by somebody without keys; SHA256SUMS is made anew unless it is what was edited. */
function edited(files: BundleFiles, next: (bound: number) => number): { name: string; files: BundleFiles } {
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

/** Some at a time: both verifiers are at work on one each, and a further one is being written. */
async function each<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: 3 }, worker));
}

describe("the second verifier, written from the document alone, agrees with ours", () => {
  beforeEach(needsPython);
  test.each(Object.entries(LIVES))("a good bundle is proven as a folder and as a zip: %s", async (name, live) => {
    const files = await bundleOf(await live());
    const proven = { verdict: "proven", code: null };
    expect(await agreed(name, folderOf(files), trustFile)).toEqual(proven);
    expect(await agreed(`${name}, zip`, zipOf(writeZip(files)), trustFile)).toEqual(proven);
  });

  test("runs that broke a rule are refused by the same check", async () => {
    await each(FORGERIES, async ([name, code, live]) => {
      expect(await agreed(name, zipOf(writeZip(await bundleOf(await live()))), trustFile)).toEqual({ verdict: "refused", code });
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
    const next = below(20_261_122 + life.length);
    const edits = Array.from({ length: 25 }, () => edited(files, next));
    // A folder is some fifty files to write and to remove: one edit in five is a folder, and each that no zip of ours may hold.
    const asFolder = (edit: BundleFiles, at: number) => at % 5 === 0 || [...edit.keys()].some((file) => !files.has(file));
    const paths = edits.map(({ name, files: edit }, at) => ({ name, path: asFolder(edit, at) ? folderOf(edit) : zipOf(writeZip(edit)) }));
    await each(paths, ({ name, path }) => agreed(`${life}: ${name}`, path, trustFile));
  });

  test("40 zips with one byte changed, and zips cut, doubled and padded", async () => {
    const zip = Buffer.from(writeZip(await bundleOf(await LIVES.blocked())));
    const next = below(7);
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

  test("a link, a folder too many and a folder without files are refused; a path that is not there is no bundle", async () => {
    const linked = folderOf(await bundleOf(await LIVES.blocked()));
    rmSync(join(linked, "README.txt"));
    symlinkSync(join(linked, "SHA256SUMS"), join(linked, "README.txt"));
    const extra = folderOf(await bundleOf(await LIVES.blocked()));
    mkdirSync(join(extra, "entries", "more"));
    const empty = join(root, "empty");
    mkdirSync(empty);
    for (const path of [linked, extra, empty]) expect((await agreed(path, path, trustFile)).verdict).toBe("refused");
    const { exit, report, errors } = await second(join(root, "nowhere"), "--trust", trustFile);
    expect([exit, report.verdict]).toEqual([2, "none"]);
    expect(errors).toContain("expected a readable bundle");
  });

  test("it says the same of one bundle alone and of one among many", async () => {
    const good = folderOf(await bundleOf(await LIVES.completed()));
    const bad = zipOf(writeZip(await bundleOf(await LIVES.blocked())).subarray(1));
    for (const args of [[good, "--trust", trustFile], [bad, "--trust", trustFile], [good], [join(root, "nowhere"), "--trust", trustFile]])
      expect(await secondOfMany(...args)).toEqual(await second(...args));
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
