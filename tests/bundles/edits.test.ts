import { describe, expect, test } from "vitest";
import { EvidenceError, type Trust, readZip, verifyBundle, writeZip } from "@countersign/evidence";
import { LIVES, bundleOf, keysOf, trustOf } from "./builder.ts";
import { type Edit, editsOf, random } from "./edits.ts";

function refuses(trust: Trust, edit: Edit): string | undefined {
  const report = verifyBundle(edit.files, trust);
  expect(report.verdict, edit.name).toBe("refused");
  expect(report.checks.at(-1)?.result, edit.name).toBe("fail");
  return report.checks.at(-1)?.code;
}

describe("every edit of a bundle by somebody without keys is refused", () => {
  const trust = trustOf(keysOf("home"));
  const caught = new Set<string | undefined>();

  test.each(Object.entries(LIVES))("%s", async (_, live) => {
    const files = await bundleOf(await live());
    expect(verifyBundle(files, trust).verdict).toBe("proven");
    const edits = editsOf(files, 20_261_122);
    expect(new Set(edits.map((e) => e.name)).size).toBe(edits.length);
    expect(edits.length).toBeGreaterThanOrEqual(200);
    for (const edit of edits) caught.add(refuses(trust, edit));
  });

  test("and every check that reads a file caught some of them", () => {
    const readers = ["files", "checkpoint", "entries", "inclusion", "run-chain", "genesis", "policy", "plan", "approvals", "attachments", "context", "anchors", "file-set", "run-record", "readme"];
    expect(readers.filter((code) => !caught.has(code))).toEqual([]);
  });

  test("a zip with any byte changed never gives other files", async () => {
    const files = await bundleOf(await LIVES.blocked());
    const zip = writeZip(files);
    const next = random(7);
    for (let i = 0; i < 400; i++) {
      const bad = Buffer.from(zip);
      const at = Math.floor(next() * bad.length);
      bad[at] = (bad[at] as number) ^ (1 << Math.floor(next() * 8));
      expect(() => readZip(bad), `byte ${at}`).toThrow(EvidenceError);
    }
    for (const bad of [zip.subarray(1), zip.subarray(0, -1), Buffer.concat([zip, Buffer.of(0)]), Buffer.alloc(0)]) {
      expect(() => readZip(bad)).toThrow(EvidenceError);
    }
  });
});
