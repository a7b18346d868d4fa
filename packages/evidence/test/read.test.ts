import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import {
  EvidenceError,
  Frontier,
  frameEntry,
  LIMITS,
  leafHash,
  readBundle,
  readEntryFrames,
  readZip,
  verifyBundle,
  verifyLog,
  writeZip,
} from "../src/index.ts";

const dirs: string[] = [];
afterAll(() => {
  for (const dir of dirs) rmSync(dir, { recursive: true });
});

function folder(files: Record<string, string>): string {
  const dir = mkdtempSync(join(tmpdir(), "bundle-"));
  dirs.push(dir);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(dir, name, ".."), { recursive: true });
    writeFileSync(join(dir, name), text);
  }
  return dir;
}

describe("reading a bundle", () => {
  test("a folder and its zip are the same files, and the zip is the same bytes every time", () => {
    const dir = folder({ "README.txt": "x", "entries/0000.json": "{}", "log/checkpoint": "c" });
    const files = readBundle(dir);
    const zip = writeZip(files);
    expect(writeZip(new Map([...files].reverse()))).toEqual(zip);
    writeFileSync(join(dir, "..", "b.zip"), zip);
    dirs.push(join(dir, "..", "b.zip"));
    const unpacked = readBundle(join(dir, "..", "b.zip"));
    expect(unpacked.size).toBe(files.size);
    for (const [name, bytes] of files) expect(Buffer.from(unpacked.get(name) ?? [])).toEqual(bytes);
  });

  test.each([
    "evil.sh",
    "entries/1.json",
    "entries/0000.JSON",
    "approvals/x.dsse.json",
    "log/consistency-0-1.txt",
    "other/file",
    "entries/sub/0000.json",
  ])("a file called %s is refused", (name) => {
    expect(() => readBundle(folder({ [name]: "x" }))).toThrow(EvidenceError);
  });

  test("a link is refused, to a file and to a folder", () => {
    const dir = folder({ "README.txt": "x" });
    symlinkSync("/etc/passwd", join(dir, "plan.json"));
    expect(() => readBundle(dir)).toThrow("regular file");
    const other = folder({});
    symlinkSync("/etc", join(other, "entries"));
    expect(() => readBundle(other)).toThrow(EvidenceError);
  });

  test("a file above its limit is refused before it is read", () => {
    const dir = folder({ "plan.json": "" });
    truncateSync(join(dir, "plan.json"), LIMITS.planBytesMax + 1);
    expect(() => readBundle(dir)).toThrow(expect.objectContaining({ code: "too-large" }));
  });

  test("nothing there, or something that is no zip, is refused", () => {
    expect(() => readBundle("/nonexistent")).toThrow(EvidenceError);
    expect(() => readBundle(join(folder({ "README.txt": "not a zip" }), "README.txt"))).toThrow(EvidenceError);
  });

  test("a zip by another tool is refused with what to do instead", () => {
    const zip = Buffer.from(writeZip(new Map([["README.txt", Buffer.from("x")]])));
    zip.writeUInt16LE(0x5a21, 12);
    expect(() => readZip(zip)).toThrow("unpack it and verify the folder");
  });

  test("an empty bundle is refused, not a crash", () => {
    const trust = { origin: "o", logKeys: [] } as never;
    expect(verifyBundle(new Map(), trust)).toMatchObject({ verdict: "refused" });
  });
});

describe("verifying a whole log", () => {
  const entries = Array.from({ length: 300 }, (_, i) => Buffer.from(`{"a":"${"x".repeat(i)}","n":${i}}`));
  const frontier = new Frontier();
  for (const entry of entries) frontier.append(leafHash(entry));
  const checkpoint = { origin: "o", size: 300, root: frontier.root() };
  async function* chunked(bytes: Uint8Array, size: number) {
    for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
  }

  test.each([1, 7, 1000, 1 << 20])("holds however the bytes arrive (%i at a time)", async (size) => {
    const stream = Buffer.concat(entries.map(frameEntry));
    const log = await verifyLog(readEntryFrames(chunked(stream, size)), checkpoint);
    expect(log).toMatchObject({ size: 300, bytes: entries.reduce((n, e) => n + e.length, 0) });
  });

  test("is refused when an entry is changed, missing, doubled, moved, or not canonical", async () => {
    const changed = entries.with(7, Buffer.from('{"a":"xxxxxxx","n":8}'));
    await expect(verifyLog([changed], checkpoint)).rejects.toThrow("root");
    await expect(verifyLog([entries.slice(1)], checkpoint)).rejects.toThrow("300 entries, got 299");
    await expect(verifyLog([entries, entries.slice(0, 1)], checkpoint)).rejects.toThrow("got more");
    await expect(verifyLog([entries.toReversed()], checkpoint)).rejects.toThrow("root");
    const spaced = entries.with(7, Buffer.from('{"a": "xxxxxxx","n":7}'));
    await expect(verifyLog([spaced], checkpoint)).rejects.toThrow("of log entry 7");
    const cut = Buffer.concat(entries.map(frameEntry)).subarray(0, -1);
    await expect(verifyLog(readEntryFrames(chunked(cut, 50)), checkpoint)).rejects.toThrow("whole entry");
  });
});
