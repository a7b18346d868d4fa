import { describe, expect, test } from "vitest";
import { readZip, renderReport, verifyBundle, writeZip } from "@countersign/evidence";
import { LIVES, bundleOf, keysOf, trustOf } from "./builder.ts";

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
