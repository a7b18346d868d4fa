import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { errorCodes, procedures } from "@countersign/core";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { halves } from "./docs/errors.ts";
import { differences, pages, writePages } from "./docs/pages.ts";

const root = join(import.meta.dirname, "..");
const folder = mkdtempSync(join(tmpdir(), "docs-"));
const write = (path: string, text: string) => writeFileSync(join(folder, path), text);
beforeEach(() => writePages(folder));
afterAll(() => rmSync(folder, { recursive: true }));

describe("docs/errors.md", () => {
  const page = readFileSync(join(root, "docs/errors.md"), "utf8");

  it("has every error code, with what it means and what to do", () => {
    for (const [code, text] of Object.entries(errorCodes)) {
      const { meaning, action } = halves(text);
      expect(action, `${code} says what to do`).toMatch(/^[A-Z].{10,}\.$/);
      expect(page).toContain(`| \`${code}\` | ${meaning} | ${action} |`);
    }
  });

  it("has no code that the product does not have", () => {
    const listed = [...page.matchAll(/^\| `([A-Z_]+)`/gm)].map(([, code]) => code);
    expect(listed).toEqual(Object.keys(errorCodes));
  });
});

describe("docs/procedures", () => {
  it.each(procedures)(
    "$name@$major: says for every line how it is undone, or why it is not",
    ({ name, major, shape }) => {
      const page = readFileSync(join(root, `docs/procedures/${name}@${major}.md`), "utf8");
      for (const { verb, undo } of shape) {
        expect(page).toContain(verb);
        expect(page).toContain(undo);
      }
    },
  );
});

describe("the check", () => {
  it("finds nothing right after the pages were written", () => {
    expect(differences(folder)).toEqual([]);
  });

  it("names the line of each kind of difference", () => {
    const errors = pages().get("docs/errors.md") ?? "";
    write("docs/errors.md", errors.replace("Sign in first.", "Sign in."));
    rmSync(join(folder, "docs/procedures/README.md"));
    write("docs/procedures/gone@1.md", "left over");
    expect(differences(folder)).toEqual([
      expect.stringMatching(/^docs\/errors\.md:\d+: expected ".*Sign in first\..*", got ".*Sign in\..*"$/),
      "docs/procedures/README.md: expected the page, got no file",
      "docs/procedures/gone@1.md: expected no such page, got one that nothing makes",
    ]);
    writePages(folder);
    expect(differences(folder)).toEqual([]);
  });

  it("finds a page that goes on after its end, and one cut short", () => {
    const errors = pages().get("docs/errors.md") ?? "";
    write("docs/errors.md", `${errors}more`);
    expect(differences(folder)).toEqual([expect.stringMatching(/got "more"$/)]);
    write("docs/errors.md", errors.split("\n").slice(0, 5).join("\n"));
    expect(differences(folder)).toEqual([expect.stringMatching(/^docs\/errors\.md:6: .*got the end$/)]);
  });

  it("holds for the pages of this repository", () => {
    const { status, stderr } = spawnSync(process.execPath, [join(root, "tools/docs.ts"), "--check"], {
      encoding: "utf8",
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });
});
