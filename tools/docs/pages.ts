import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { apiMarkdown } from "@countersign/contract";
import { procedures } from "@countersign/core";
import { errorsPage } from "./errors.ts";
import { fleetPage } from "./fleet.ts";
import { invariantsPage } from "./invariants.ts";
import { procedureId, procedurePage, proceduresPage } from "./procedures.ts";

/** Every page that is made from the code: path from the top folder, and its text. */
export function pages(): ReadonlyMap<string, string> {
  return new Map([
    ["docs/api.md", apiMarkdown()],
    ["docs/errors.md", errorsPage()],
    ["docs/findings-of-the-fleet.md", fleetPage()],
    ["docs/invariants.md", invariantsPage()],
    [`${proceduresFolder}/README.md`, proceduresPage(procedures)],
    ...procedures.map((one): [string, string] => [`${proceduresFolder}/${procedureId(one)}.md`, procedurePage(one)]),
  ]);
}

/** Holds made pages only, so a page here that nothing makes is left over from a procedure that is gone. */
const proceduresFolder = "docs/procedures";

/** Writes all pages below `root` and removes left-overs. */
export function writePages(root: string): void {
  for (const [path, text] of pages()) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  for (const path of leftOvers(root)) rmSync(join(root, path));
}

/** What differs from the pages below `root`, a line each: where it begins, what the code says and what stands there. */
export function differences(root: string): readonly string[] {
  const found: string[] = [];
  for (const [path, text] of pages()) {
    const file = join(root, path);
    const got = existsSync(file) ? readFileSync(file, "utf8") : undefined;
    if (got === undefined) found.push(`${path}: expected the page, got no file`);
    else if (got !== text) found.push(firstDifference(path, text, got));
  }
  return [...found, ...leftOvers(root).map((path) => `${path}: expected no such page, got one that nothing makes`)];
}

function firstDifference(path: string, text: string, got: string): string {
  const [expected, actual] = [text.split("\n"), got.split("\n")];
  const at = expected.findIndex((line, n) => line !== actual[n]);
  const line = at < 0 ? expected.length : at;
  const show = (one: string | undefined) => (one === undefined ? "the end" : JSON.stringify(one));
  return `${path}:${line + 1}: expected ${show(expected[line])}, got ${show(actual[line])}`;
}

function leftOvers(root: string): string[] {
  const made = pages();
  const folder = join(root, proceduresFolder);
  const files = existsSync(folder) ? readdirSync(folder) : [];
  return files.map((file) => `${proceduresFolder}/${file}`).filter((path) => !made.has(path));
}
