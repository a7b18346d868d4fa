import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type BundleFiles, FILES, type Population, formatSums, verifyBundle, writeTrust, writeZip } from "@countersign/evidence";
import { LIVES, bundleOf, keysOf, trustFileOf, trustOf } from "./builder.ts";
import { random } from "./edits.ts";
import { PERIOD_FORGERIES, bundleOfPeriod, lived, withGap } from "./period.ts";
import { compare, needsPython } from "./second.ts";

const trust = trustOf(keysOf("home"));
let root = "";
let made = 0;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "period-"));
  writeFileSync(join(root, "trust.json"), writeTrust(trustFileOf(keysOf("home"))));
});
afterAll(() => rmSync(root, { recursive: true }));

/** What both verifiers say; fails unless they agree. */
async function agreed(name: string, files: BundleFiles): Promise<{ verdict: string; code: string | null }> {
  const path = join(root, `${made++}.zip`);
  writeFileSync(path, writeZip(files));
  const { verdict, code, differences } = await compare(path, join(root, "trust.json"));
  expect(differences, name).toEqual([]);
  return { verdict, code };
}

const listOf = (files: BundleFiles) => JSON.parse(Buffer.from(files.get(FILES.population) as Uint8Array).toString()) as Population;
const proven = { verdict: "proven", code: null };

beforeEach(needsPython);

describe("the bundle of a period", () => {
  test("is proven by both verifiers, with looks at the directory's log in it, also where the log is older than the period", async () => {
    const whole = await bundleOfPeriod(await lived());
    expect(await agreed("whole", whole)).toEqual(proven);
    const list = listOf(whole);
    expect(list.counts).toMatchObject({ changes: 7, runs: 2, ours: 2, outOfBand: 4, unknown: 1, explained: 1 });
    expect([list.others.length, list.gaps.length, list.log.start]).toEqual([1, 0, 0]);
    expect(list.tenants).toMatchObject([{ reads: 3, unreadable: 1, late: 1, slowestMs: 20 * 3_600_000, daysWithout: [] }]);

    const later = await bundleOfPeriod({ ...(await lived()), from: "2026-11-02T00:00:00.000Z" }, { sample: null });
    expect(listOf(later).log.start).toBeGreaterThan(20);
    expect(listOf(later).counts).toMatchObject({ changes: 3, runs: 0 });
    expect(await agreed("later", later)).toEqual(proven);
  });

  test("says of each part of the period that nobody has read why nothing can be concluded of it", async () => {
    const files = await bundleOfPeriod({ ...(await withGap()), to: "2026-11-05T00:00:00.000Z" });
    expect(await agreed("gaps", files)).toEqual(proven);
    const { gaps, tenants } = listOf(files);
    expect(gaps.map(({ why }) => why)).toEqual(["not-read", "not-settled", "not-read", "ahead"]);
    expect(gaps[0]).toMatchObject({ from: "2026-10-25T00:00:00.000Z", why: "not-read" });
    expect(gaps.at(-1)).toMatchObject({ to: "2026-11-05T00:00:00.000Z", why: "ahead" });
    expect(tenants[0]?.daysWithout).toEqual(["25", "26", "27", "28", "29", "30", "31"].map((day) => `2026-10-${day}`));
    const sentences = verifyBundle(files, trust).facts.map(({ sentence }) => sentence);
    expect(sentences.filter((sentence) => sentence.startsWith("GAP:"))).toHaveLength(gaps.length);
  });

  test("draws the same sample from the same seed, another from another, and all where there are fewer", async () => {
    const drawnBy = async (seed: string, size: number) => listOf(await bundleOfPeriod(await lived(), { sample: { seed, size } })).sample;
    expect(await drawnBy("4711", 3)).toEqual(await drawnBy("4711", 3));
    const seeds = await Promise.all(["a", "b", "c", "d", "e", "f"].map((seed) => drawnBy(seed, 3)));
    expect(new Set(seeds.map((sample) => sample?.changes.join())).size).toBeGreaterThan(2);
    expect(await drawnBy("4711", 100)).toMatchObject({ changes: [0, 1, 2, 3, 4, 5, 6], runs: [0, 1] });
  });

  test.each(PERIOD_FORGERIES)("%s -> %s", async (name, code, ways, period = lived) => {
    expect(await agreed(name, await bundleOfPeriod(await period(), ways))).toEqual({ verdict: "refused", code });
  });

  test("an entry of the log left out of it, or changed, is refused", async () => {
    const files = new Map(await bundleOfPeriod(await lived()));
    const range = Buffer.from(files.get("range/0000") as Uint8Array);
    const length = range.readUInt16BE(0);
    for (const [name, bytes] of [
      ["the first left out", range.subarray(2 + length)],
      ["the last cut", range.subarray(0, -1)],
      ["one twice", Buffer.concat([range, range.subarray(0, 2 + length)])],
    ] as const) {
      files.set("range/0000", bytes);
      files.set(FILES.sums, formatSums(files));
      expect(await agreed(name, files)).toEqual({ verdict: "refused", code: "range" });
    }
  });

  test("40 edits from a seed, by somebody without keys", async () => {
    const files = await bundleOfPeriod({ ...(await lived()), from: "2026-11-02T00:00:00.000Z" });
    const next = random(20_261_129);
    const names = [...files.keys()].filter((name) => name !== FILES.sums).sort();
    for (let n = 0; n < 40; n += 1) {
      const name = names[Math.floor(next() * names.length)] as string;
      const edited = new Map(files);
      const bytes = Buffer.from(files.get(name) as Uint8Array);
      const at = Math.floor(next() * bytes.length);
      bytes[at] = (bytes[at] as number) ^ (1 << Math.floor(next() * 8));
      edited.set(name, n % 4 === 0 ? bytes.subarray(0, at) : bytes);
      if (n % 10 === 9) edited.delete(name);
      edited.set(FILES.sums, formatSums(edited));
      expect((await agreed(`${n}: ${name} at ${at}`, edited)).verdict).toBe("refused");
    }
  });

  test("files of a run in the bundle of a period, and the other way round, are refused", async () => {
    const run = await bundleOf(await LIVES.completed());
    const period = await bundleOfPeriod(await lived());
    for (const [into, from, name] of [
      [period, run, FILES.plan],
      [run, period, FILES.population],
      [run, period, FILES.frontier],
      [run, period, "range/0000"],
    ] as const) {
      const files = new Map(into).set(name, from.get(name) as Uint8Array);
      files.set(FILES.sums, formatSums(files));
      expect((await agreed(name, files)).verdict, name).toBe("refused");
    }
  });
});
