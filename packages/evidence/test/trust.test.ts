import { chmodSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import {
  createKeyFile,
  EvidenceError,
  formatVkey,
  loadKeyFile,
  noteKey,
  parseTrust,
  signerFromSeed,
  type TrustFile,
  trustedKey,
  verifyEd25519,
  writeTrust,
} from "../src/index.ts";

const dir = mkdtempSync(join(tmpdir(), "keys-"));
afterAll(() => rmSync(dir, { recursive: true }));

const seed = (n: number) => signerFromSeed(Buffer.alloc(32, n), "o/1").publicKey;
const D = `sha256:${"ab".repeat(32)}`;
const person = (n: number) => ({
  person: `p_${String(n).padStart(16, "0")}`,
  iss: "i",
  sub: `s${n}`,
  roles: ["platform"],
  level: "session" as const,
});
const good: TrustFile = {
  v: 1,
  origin: "o/1",
  profile: "test",
  solo: false,
  logKeys: [{ vkey: formatVkey(noteKey("o/1", seed(1))) }],
  runKeys: [trustedKey(seed(2))],
  sessionKeys: [trustedKey(seed(3))],
  people: [person(1), person(2)],
  policies: [{ digest: D }],
  inventories: [{ digest: D }],
};

describe("a trust file", () => {
  test("is read back as written, and may be laid out by hand", () => {
    const trust = parseTrust(writeTrust(good));
    expect(trust.people.map((p) => p.sub)).toEqual(["s1", "s2"]);
    expect(trust.policies.has(D)).toBe(true);
    expect(parseTrust(Buffer.from(JSON.stringify(good)))).toEqual(trust);
  });

  const other = noteKey("elsewhere", seed(1));
  const cases: [string, object][] = [
    ["an unknown key", { ...good, comment: "x" }],
    ["a missing key", { ...good, solo: undefined }],
    ["another version", { ...good, v: 2 }],
    ["a log key of another origin", { ...good, logKeys: [{ vkey: formatVkey(other) }] }],
    ["a witness's key as log key", { ...good, logKeys: [{ vkey: formatVkey(noteKey("o/1", seed(1), 0x04)) }] }],
    ["no log key", { ...good, logKeys: [] }],
    ["a key id that does not fit its key", { ...good, runKeys: [{ ...trustedKey(seed(2)), keyId: "00000000" }] }],
    ["a key of 31 bytes", { ...good, runKeys: [{ keyId: "00000000", publicKey: "A".repeat(44) }] }],
    ["one key in two roles", { ...good, sessionKeys: good.runKeys }],
    ["a person twice", { ...good, people: [person(1), { ...person(2), person: person(1).person }] }],
    ["an identity twice", { ...good, people: [person(1), { ...person(2), sub: "s1" }] }],
    ["a role twice", { ...good, people: [{ ...person(1), roles: ["platform", "platform"] }] }],
    ["a person id with a name in it", { ...good, people: [{ ...person(1), person: "alice" }] }],
  ];
  test.each(cases)("with %s is refused", (_, file) => {
    expect(() => parseTrust(Buffer.from(JSON.stringify(file)))).toThrow(EvidenceError);
  });

  test("that names a key of an object twice is refused: readers would differ on which counts", () => {
    const text = JSON.stringify(good);
    expect(() => parseTrust(Buffer.from(text.replace('"solo":false', '"solo":true,"solo":false')))).toThrow(
      "each key once",
    );
    expect(() => parseTrust(Buffer.from("{"))).toThrow(EvidenceError);
    expect(() => parseTrust(Buffer.from([0xff]))).toThrow(EvidenceError);
  });
});

describe("a key file", () => {
  test("is made with mode 0600, never over another, and signs", async () => {
    const path = join(dir, "a.pem");
    const made = createKeyFile(path, "a");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(() => createKeyFile(path, "a")).toThrow("EEXIST");
    const signer = loadKeyFile(path, "a");
    expect(signer.publicKey).toEqual(made.publicKey);
    expect(verifyEd25519(made.publicKey, Buffer.from("x"), await signer.sign(Buffer.from("x")))).toBe(true);
  });

  test.each([0o640, 0o604, 0o660, 0o644])("that others may touch (mode 0%o) is refused", (mode) => {
    const path = join(dir, `m${mode}.pem`);
    createKeyFile(path, "m");
    chmodSync(path, mode);
    expect(() => loadKeyFile(path, "m")).toThrow("chmod 600");
  });

  test("that is a link, or holds something else, is refused without quoting it", () => {
    const path = join(dir, "b.pem");
    writeFileSync(path, "hunter2 is not a key", { mode: 0o600 });
    expect(() => loadKeyFile(path, "b")).toThrow(EvidenceError);
    expect(() => loadKeyFile(path, "b")).not.toThrow("hunter2");
    symlinkSync(join(dir, "a.pem"), join(dir, "link.pem"));
    expect(() => loadKeyFile(join(dir, "link.pem"), "l")).toThrow("got ELOOP");
    expect(() => loadKeyFile(join(dir, "missing.pem"), "l")).toThrow("got ENOENT");
  });
});
