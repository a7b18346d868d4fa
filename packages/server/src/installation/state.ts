import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CountersignError } from "@countersign/core";
import {
  createKeyFile,
  EvidenceError,
  formatVkey,
  loadKeyFile,
  noteKey,
  parseTrust,
  type Signer,
  type Trust,
  type TrustFile,
  trustedKey,
  writeTrust,
} from "@countersign/evidence";

/** Files of the state folder (0700), by what they are for. */
export const stateFiles = {
  trust: "trust.json",
  log: "log.key",
  run: "run.key",
  session: "session.key",
  database: "database.key",
} as const;

/** Reads the trust file: the executor's root of trust. Throws TRUST_INVALID. */
export function readTrust(state: string): Trust {
  try {
    return parseTrust(readFileSync(join(state, stateFiles.trust)));
  } catch (error) {
    const why = error instanceof EvidenceError ? error.message : "no readable file";
    throw new CountersignError("TRUST_INVALID", `expected a trust file in ${state}, got ${why}`);
  }
}

/** The trust file as data, for the commands that change it on the executor's host. */
export function readTrustFile(state: string): TrustFile {
  readTrust(state);
  return JSON.parse(readFileSync(join(state, stateFiles.trust), "utf8")) as TrustFile;
}

/** Replaces the trust file in one step. */
export function saveTrustFile(state: string, file: TrustFile): void {
  const path = join(state, stateFiles.trust);
  writeFileSync(`${path}.new`, writeTrust(file), { mode: 0o644 });
  renameSync(`${path}.new`, path);
}

/** A key of this installation by its purpose. */
export function loadKey(state: string, which: "log" | "run" | "session", name: string): Signer {
  return loadKeyFile(join(state, stateFiles[which]), name);
}

/** Makes the state folder with its keys; refuses a folder that already has some. */
export function createKeys(state: string, origin: string): { log: Signer; run: Signer; session: Signer } {
  mkdirSync(state, { recursive: true, mode: 0o700 });
  chmodSync(state, 0o700);
  if (existsSync(join(state, stateFiles.trust))) {
    throw new CountersignError("CONFLICT", `expected a state folder without an installation, got one in ${state}`);
  }
  return {
    log: createKeyFile(join(state, stateFiles.log), origin),
    run: createKeyFile(join(state, stateFiles.run), "run"),
    session: createKeyFile(join(state, stateFiles.session), "session"),
  };
}

/** The part of a trust file that lists keys. */
export function trustKeys(keys: {
  log: Signer;
  run: Signer;
  session: Signer;
}): Pick<TrustFile, "logKeys" | "runKeys" | "sessionKeys"> {
  return {
    logKeys: [{ vkey: formatVkey(noteKey(keys.log.name, keys.log.publicKey)) }],
    runKeys: [trustedKey(keys.run.publicKey)],
    sessionKeys: [trustedKey(keys.session.publicKey)],
  };
}
