import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { biomePlants, type Plant, plants } from "./planted.ts";

const root = resolve(import.meta.dirname, "../..");
const folders: string[] = [];

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A temporary tree with our real configuration and one file per plant. */
function plantedTree(list: readonly Plant[]): string {
  const folder = mkdtempSync(join(tmpdir(), "planted-"));
  folders.push(folder);
  for (const name of [".oxlintrc.json", "biome.json", ".gitignore", "tsconfig.json", "tools/lint"]) {
    cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "junction");
  for (const { file, code } of list) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), code);
  }
  const manifest = { exports: { ".": "./src/index.ts", "./conformance": "./src/kit/conformance.ts" } };
  writeFileSync(join(folder, "packages/engine/package.json"), JSON.stringify(declares));
  mkdirSync(join(folder, "packages/connectors"), { recursive: true });
  writeFileSync(join(folder, "packages/connectors/package.json"), JSON.stringify(manifest));
  return folder;
}

const declares = { name: "@countersign/engine", dependencies: { zod: "1" }, devDependencies: { "fast-check": "1" } };

/** Runs a tool of ours there and answers what it printed on stdout as JSON. */
function report<T>(folder: string, tool: string, args: readonly string[]): T {
  const done = spawnSync(process.execPath, [join(root, "node_modules", tool), ...args], {
    cwd: folder,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  try {
    return JSON.parse(done.stdout) as T;
  } catch {
    throw new Error(`expected a JSON report, got exit ${done.status}: ${done.stdout}${done.stderr}`);
  }
}

function group(pairs: ReadonlyArray<readonly [file: string, rule: string]>): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const [file, rule] of pairs) found.set(file, (found.get(file) ?? new Set()).add(rule));
  return found;
}

describe("oxlint reports each planted breach", () => {
  let found = new Map<string, Set<string>>();
  beforeAll(() => {
    const { diagnostics } = report<{ diagnostics: Array<{ filename: string; code: string }> }>(
      plantedTree(plants),
      "oxlint/bin/oxlint",
      ["--format=json", "packages", "tests"],
    );
    found = group(diagnostics.map((d) => [d.filename.replaceAll("\\", "/"), d.code]));
  });

  test.each(plants)("$file: $rule", ({ file, rule }) => {
    expect([...(found.get(file) ?? [])]).toEqual(rule === null ? [] : [rule]);
  });
});

describe("Biome reports each planted breach", () => {
  let found = new Map<string, Set<string>>();
  beforeAll(() => {
    const { diagnostics } = report<{ diagnostics: Array<{ category: string; location: { path: string } }> }>(
      plantedTree(biomePlants),
      "@biomejs/biome/bin/biome",
      ["check", "--reporter=json", "packages"],
    );
    found = group(diagnostics.map((d) => [d.location.path.replaceAll("\\", "/"), d.category]));
  });

  test.each(biomePlants)("$file: $rule", ({ file, rule }) => {
    expect([...(found.get(file) ?? [])]).toEqual(rule === null ? [] : [rule]);
  });
});
