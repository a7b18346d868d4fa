import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { fromBase64url } from "./base64.ts";
import type { Signer } from "./ed25519.ts";
import { assertThat, EvidenceError, show } from "./errors.ts";

const KEY_FILE_BYTES_MAX = 4_096;
/** 32-byte seed of an Ed25519 key in PKCS#8 (RFC 8410) follows this prefix. */
const PKCS8_ED25519_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");

/** A new Ed25519 key as PKCS#8 PEM. The caller keeps it in a file with mode 0600. */
export function generateKeyPem(): string {
  return generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }) as string;
}

/** Writes a new key to a new file with mode 0600; refuses to overwrite. Returns its signer. */
export function createKeyFile(path: string, name: string): Signer {
  const pem = generateKeyPem();
  writeFileSync(path, pem, { mode: 0o600, flag: "wx" });
  return signerFromPem(pem, name);
}

/**
 * Loads an Ed25519 PKCS#8 PEM key. Throws `bad-key` if the file is a link, is not regular, or can be read or
 * written by group or world: whoever can read a log key can rewrite history.
 */
export function loadKeyFile(path: string, name: string): Signer {
  const fd = openKey(path);
  try {
    // fstat on the open descriptor, so that the file checked is the file read.
    const stat = fstatSync(fd);
    assertThat(stat.isFile(), "bad-key", `expected a regular key file at ${show(path)}`);
    assertThat(
      process.platform === "win32" || (stat.mode & 0o077) === 0,
      "bad-key",
      `expected key file ${show(path)} with mode 0600, got 0${(stat.mode & 0o777).toString(8)}; run chmod 600`,
    );
    assertThat(
      stat.size <= KEY_FILE_BYTES_MAX,
      "too-large",
      `expected a key file of at most ${KEY_FILE_BYTES_MAX} bytes`,
    );
    return signerFromPem(readFileSync(fd, "utf8"), name);
  } finally {
    closeSync(fd);
  }
}

function openKey(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    // ELOOP is a link: the mode of what it points to says nothing about who may change the link.
    throw new EvidenceError(
      "bad-key",
      `expected a key file at ${show(path)}, got ${(error as NodeJS.ErrnoException).code}`,
    );
  }
}

/** A signer from PKCS#8 PEM text. */
export function signerFromPem(pem: string, name: string): Signer {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    // The parser's own message could quote the text.
    assertThat(false, "bad-key", "expected an Ed25519 private key in PKCS#8 PEM");
  }
  return signerFromKey(key, name);
}

/** A signer from a 32-byte seed: test vectors only need it. */
export function signerFromSeed(seed: Uint8Array, name: string): Signer {
  assertThat(seed.length === 32, "bad-key", `expected a seed of 32 bytes, got ${seed.length}`);
  const der = Buffer.concat([PKCS8_ED25519_PREFIX, seed]);
  return signerFromKey(createPrivateKey({ key: der, format: "der", type: "pkcs8" }), name);
}

function signerFromKey(key: KeyObject, name: string): Signer {
  assertThat(
    key.asymmetricKeyType === "ed25519",
    "bad-key",
    `expected an Ed25519 key, got ${show(key.asymmetricKeyType)}`,
  );
  const { x } = createPublicKey(key).export({ format: "jwk" });
  const publicKey = fromBase64url(x as string, "a public key");
  return { name, type: "ed25519", publicKey, sign: async (bytes) => sign(null, bytes, key) };
}
