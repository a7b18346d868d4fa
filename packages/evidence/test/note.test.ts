import { describe, expect, test } from "vitest";
import {
  EvidenceError,
  formatCheckpoint,
  formatVkey,
  generateKeyPem,
  type NoteKey,
  noteKey,
  pae,
  parseCheckpointText,
  parseVkey,
  signEnvelope,
  signerFromPem,
  signNote,
  verifyCheckpoint,
  verifyEnvelope,
  verifyNote,
} from "../src/index.ts";

const log = signerFromPem(generateKeyPem(), "log.test/1");
const logKey: NoteKey = noteKey(log.name, log.publicKey);
const stranger = signerFromPem(generateKeyPem(), "stranger.test/1");
const root = Buffer.alloc(32, 7);
const checkpoint = { origin: "log.test/1", size: 42, root };

describe("a signed checkpoint", () => {
  test("is refused after any single bit was changed", async () => {
    const note = await signNote(formatCheckpoint(checkpoint), [log]);
    for (let at = 0; at < note.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const bad = Buffer.from(note);
        bad[at] = (bad[at] as number) ^ (1 << bit);
        expect(() => verifyCheckpoint(bad, log.name, [logKey]), `byte ${at} bit ${bit}`).toThrow(EvidenceError);
      }
    }
  });

  test("keeps its meaning beside signatures of keys we do not know", async () => {
    const note = await signNote(formatCheckpoint(checkpoint), [stranger, log]);
    expect(verifyCheckpoint(note, log.name, [logKey])).toEqual(checkpoint);
  });

  test("is refused when only strangers signed it, when a known key signed twice, and for another origin", async () => {
    const foreign = await signNote(formatCheckpoint(checkpoint), [stranger]);
    expect(() => verifyNote(foreign, [logKey])).toThrow("trusted key");
    const twice = await signNote(formatCheckpoint(checkpoint), [log, log]);
    expect(() => verifyNote(twice, [logKey])).toThrow("one signature");
    const good = await signNote(formatCheckpoint(checkpoint), [log]);
    expect(() => verifyCheckpoint(good, "log.test/2", [logKey])).toThrow("origin");
  });

  test.each([
    ["an extension line", "log.test/1\n42\n" + root.toString("base64") + "\nmore\n"],
    ["a leading zero", "log.test/1\n042\n" + root.toString("base64") + "\n"],
    ["a size above 2^53", "log.test/1\n9999999999999999\n" + root.toString("base64") + "\n"],
    ["a short root", "log.test/1\n42\nAAAA\n"],
    ["no origin", "\n42\n" + root.toString("base64") + "\n"],
    ["base64 with loose bits", "log.test/1\n42\n" + root.toString("base64").replace(/.=$/, "d=") + "\n"],
  ])("with %s is refused", (_, text) => {
    expect(() => parseCheckpointText(text)).toThrow(EvidenceError);
  });
});

describe("a verifier key", () => {
  test.each([
    ["another hash", formatVkey(logKey).replace(/\+[0-9a-f]{8}\+/, "+00000000+")],
    ["another type", `${log.name}+aa516e9a+${Buffer.concat([Buffer.of(2), log.publicKey]).toString("base64")}`],
    ["a short key", `${log.name}+aa516e9a+AQID`],
    ["no parts", "hello"],
    ["an empty name", "+aa516e9a+AQID"],
  ])("with %s is refused", (_, vkey) => {
    expect(() => parseVkey(vkey)).toThrow(EvidenceError);
  });

  test("with a plus sign in its base64 is still read whole", () => {
    const key = noteKey("a", Buffer.alloc(32, 0xfb));
    expect(formatVkey(key).split("+").length).toBeGreaterThan(3);
    expect(parseVkey(formatVkey(key))).toEqual(key);
  });

  test("has no spaces or plus signs in its name", () => {
    for (const name of ["", "a b", "a+b", "a\u00a0b", "a\n"]) expect(() => noteKey(name, root)).toThrow(EvidenceError);
  });
});

describe("an envelope", () => {
  const keys = [{ keyId: "", publicKey: log.publicKey }];
  test("is refused after any single byte was changed, under another type, and from another key", async () => {
    const bytes = await signEnvelope("text/x", Buffer.from("payload"), log);
    const { signatures } = JSON.parse(Buffer.from(bytes).toString()) as { signatures: { keyid: string }[] };
    const known = keys.map((k) => ({ ...k, keyId: signatures[0]?.keyid as string }));
    expect(Buffer.from(verifyEnvelope(bytes, "text/x", known).payload).toString()).toBe("payload");
    for (let at = 0; at < bytes.length; at++) {
      const bad = Buffer.from(bytes);
      bad[at] = (bad[at] as number) ^ 1;
      expect(() => verifyEnvelope(bad, "text/x", known), `byte ${at}`).toThrow(EvidenceError);
    }
    expect(() => verifyEnvelope(bytes, "text/y", known)).toThrow("payload type");
    expect(() => verifyEnvelope(bytes, "text/x", [])).toThrow("trusted key");
    const impostor = await signEnvelope("text/x", Buffer.from("payload"), stranger);
    expect(() => verifyEnvelope(impostor, "text/x", known)).toThrow("trusted key");
  });

  test("counts bytes, not characters, in what is signed", () => {
    expect(Buffer.from(pae("t", Buffer.from("ü"))).toString()).toBe("DSSEv1 1 t 2 ü");
  });
});
