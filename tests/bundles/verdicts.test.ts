import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readBundle, readZip, renderReport, verifyBundle, writeBundle, writeZip } from "@countersign/evidence";
import { LIVES, NEW_KEY, approved, begin, bundleOf, inputOf, keysOf, trustOf } from "./builder.ts";

const trust = trustOf(keysOf("home"));

describe("an honest bundle is proven, however the run ended", () => {
  test.each(Object.entries(LIVES))("%s", async (name, live) => {
    const files = await bundleOf(await live());
    const report = verifyBundle(files, trust);
    expect(report.checks.filter((c) => c.result === "fail")).toEqual([]);
    expect(report.verdict).toBe("proven");
    expect(report.open).toBe(name === "open");
    expect(renderReport(report)).toContain("PROVEN: run_");
    expect(verifyBundle(readZip(writeZip(files)), trust)).toEqual(report);
  });
});

test("without a trust file nothing is checked and the verdict says so", async () => {
  const report = verifyBundle(await bundleOf(await LIVES.completed()), null);
  expect(report.verdict).toBe("no-trust");
  expect(report.checks).toEqual([]);
});

test("a complete bundle of another installation is refused at the log's signature", async () => {
  const report = verifyBundle(await bundleOf(await LIVES.completed()), trustOf(keysOf("elsewhere")));
  expect(report.verdict).toBe("refused");
  expect(report.checks.at(-1)?.code).toBe("checkpoint");
});

test("a bundle written to a folder is proven from there, and sha256sum agrees", async () => {
  const dir = mkdtempSync(join(tmpdir(), "bundle-"));
  try {
    writeBundle(dir, await inputOf(await LIVES.completed()));
    expect(verifyBundle(readBundle(dir), trust).verdict).toBe("proven");
    execFileSync("sha256sum", ["--check", "--quiet", "SHA256SUMS"], { cwd: dir });
    const again = await inputOf(await LIVES.completed());
    expect(() => writeBundle(dir, again)).toThrow("EEXIST");
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test("an attempt that a stalled process left behind is said in the report", async () => {
  const run = begin();
  await approved(run);
  run.step("create", { outcome: "unknown" });
  run.step("create", { attempt: 2, objectIds: { keyId: NEW_KEY } });
  const report = verifyBundle(await bundleOf(run), trust);
  expect(report.verdict).toBe("proven");
  expect(report.facts.find((f) => f.code === "left-behind")?.sentence).toContain("Attempt 1 of step create");
});

test("what a hostile bundle holds cannot reach the terminal", () => {
  const report = { verdict: "refused", run: null, state: null, open: null, clock: null, profile: null, separation: null } as const;
  const checks = [{ code: "files", result: "fail", sentence: "expected \u001b[2J\u202e nothing" }] as const;
  expect(renderReport({ ...report, checks, facts: [] })).toMatch(/^[\x20-\x7e\n]+$/);
});
