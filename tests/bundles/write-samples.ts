import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type BundleFiles, writeTrust } from "@countersign/evidence";
import { LIVES, bundleOf, keysOf, trustFileOf } from "./builder.ts";
import { FORGERIES } from "./forgeries.ts";

/*
 * Writes good and forged bundles as folders for verifiers in other languages:
 *   node tests/bundles/write-samples.ts <folder>
 * makes <folder>/trust.json, <folder>/<name>/... and <folder>/expected.json: name -> {verdict, check: code or null}.
 */

/** Writes the samples and returns what each must come to. */
export async function writeSamples(folder: string): Promise<Record<string, { verdict: "proven" | "refused"; check: string | null }>> {
  const expected: Record<string, { verdict: "proven" | "refused"; check: string | null }> = {};
  const put = (name: string, files: BundleFiles) => {
    for (const [file, bytes] of files) {
      const path = join(folder, name, file);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, bytes);
    }
  };
  for (const [name, live] of Object.entries(LIVES)) {
    put(`good-${name}`, await bundleOf(await live()));
    expected[`good-${name}`] = { verdict: "proven", check: null };
  }
  for (const [name, check, live] of FORGERIES) {
    const slug = `forged-${name.replace(/[^a-z0-9]+/gi, "-").toLowerCase()}`;
    put(slug, await bundleOf(await live()));
    expected[slug] = { verdict: "refused", check };
  }
  writeFileSync(join(folder, "trust.json"), writeTrust(trustFileOf(keysOf("home"))));
  writeFileSync(join(folder, "expected.json"), `${JSON.stringify(expected, null, 2)}\n`);
  return expected;
}

if (import.meta.main) {
  const [folder] = process.argv.slice(2);
  if (folder === undefined) throw new Error("expected a folder to write to");
  const expected = await writeSamples(folder);
  console.log(`${Object.keys(expected).length} bundles, trust.json and expected.json written to ${folder}`);
}
