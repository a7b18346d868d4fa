import { join } from "node:path";
import { fileURLToPath } from "node:url";

const sources = { countersign: "../main.ts", simulator: "../../../simulator/src/main.ts" };

/**
 * File of a program that the demo starts as a process of its own. `COUNTERSIGN_PROGRAMS` names a folder of bundles made from
 * these very sources (tools/programs.mjs), which start in a third of the time; without it the sources run.
 */
export function programFile(name: keyof typeof sources): string {
  const bundles = process.env.COUNTERSIGN_PROGRAMS;
  return bundles === undefined ? fileURLToPath(new URL(sources[name], import.meta.url)) : join(bundles, `${name}.mjs`);
}
