import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Procedure, procedureDigest, procedures } from "../../src/index.ts";
import { casesOf } from "./cases.ts";

const folder = new URL("golden/", import.meta.url);

/** What a released procedure pins: its shape and digest, and what it makes of a sample row, to the last parameter. */
export function goldenOf(procedure: Procedure): string {
  const sample = casesOf(procedure.name).find(({ name }) => name === "every kind of consumer");
  if (sample === undefined) throw new Error("expected a sample with every kind of consumer, got none");
  const { name, major, shape } = procedure;
  const plan = procedure.plan(sample.input);
  return `${JSON.stringify({ name, major, digest: procedureDigest(procedure), shape, plan }, null, 2)}\n`;
}

/** The golden file's text; null when the procedure has none yet. */
export function readGolden({ name, major }: Procedure): string | null {
  const file = new URL(`${name}@${major}.json`, folder);
  return existsSync(file) ? readFileSync(file, "utf8") : null;
}

/** Writes golden files that are missing. One that exists is never rewritten: that is what released means. */
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  mkdirSync(folder, { recursive: true });
  for (const procedure of procedures) {
    if (readGolden(procedure) !== null) continue;
    writeFileSync(new URL(`${procedure.name}@${procedure.major}.json`, folder), goldenOf(procedure));
    console.log(`wrote golden/${procedure.name}@${procedure.major}.json`);
  }
}
