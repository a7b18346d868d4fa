// `node tools/docs.ts` writes every page that is made from the code; `--check` compares (`npm run check` runs that).
import { join } from "node:path";
import { differences, writePages } from "./docs/pages.ts";

const root = join(import.meta.dirname, "..");

if (process.argv.includes("--check")) {
  const found = differences(root);
  for (const difference of found) console.error(difference);
  if (found.length > 0) {
    console.error("These pages are made from the code. Run `node tools/docs.ts` and commit what it wrote.");
    process.exitCode = 1;
  }
} else {
  writePages(root);
}
