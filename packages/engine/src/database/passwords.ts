import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import { open, readFile } from "node:fs/promises";
import path from "node:path";
import { CountersignError } from "@countersign/core";
import { createOnce } from "./create-once.ts";

const iterations = 4096;

/** The random key (32 bytes, hex) that all database passwords of this installation are derived from; made at first use. */
export async function databaseKey(stateFolder: string): Promise<string> {
  const file = path.join(stateFolder, "database.key");
  await createOnce(file, randomBytes(32).toString("hex"));
  const handle = await open(file);
  const { mode } = await handle.stat();
  await handle.close();
  const key = await readFile(file, "utf8");
  if ((mode & 0o077) !== 0 || !/^[0-9a-f]{64}$/.test(key)) {
    throw new CountersignError("SECRET_REFERENCE_INVALID", `expected ${file} with mode 0600 and 64 hex digits`);
  }
  return key;
}

/** A login's password: nobody types it, nothing stores it. */
export function rolePassword(key: string, role: string): string {
  return createHmac("sha256", Buffer.from(key, "hex")).update(`countersign/database/v1\n${role}`).digest("hex");
}

/** What PostgreSQL stores for a password (RFC 5803 form), so that the password itself never stands in a statement. */
export function scramVerifier(key: string, role: string): string {
  const salt = createHmac("sha256", Buffer.from(key, "hex")).update(`salt\n${role}`).digest().subarray(0, 16);
  const salted = pbkdf2Sync(rolePassword(key, role), salt, iterations, 32, "sha256");
  const hmac = (text: string) => createHmac("sha256", salted).update(text).digest();
  const stored = createHash("sha256").update(hmac("Client Key")).digest("base64");
  return `SCRAM-SHA-256$${iterations}:${salt.toString("base64")}$${stored}:${hmac("Server Key").toString("base64")}`;
}
