import { createHash, createHmac, pbkdf2, randomBytes, randomInt } from "node:crypto";
import { promisify } from "node:util";

const derive = promisify(pbkdf2);

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const length = 40;
const iterations = 4_096;

/** A new password of 40 letters and digits (238 bits). ASCII only: SASLprep changes nothing of it. */
export function newPassword(): string {
  return Array.from({ length }, () => letters[randomInt(letters.length)]).join("");
}

/** Form of a SCRAM-SHA-256 verifier; nothing else is ever put into a statement. */
export const verifierForm =
  /^SCRAM-SHA-256\$[0-9]{4,7}:[A-Za-z0-9+/]{16,64}={0,2}\$[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=$/;

/**
 * The verifier PostgreSQL stores for a password (RFC 5802, RFC 7677). The server takes it in place of the password, so the
 * password itself never reaches a statement, a statement log or the server's memory.
 */
export async function scramVerifier(password: string, salt: Buffer = randomBytes(16)): Promise<string> {
  const salted = await derive(password, salt, iterations, 32, "sha256");
  const hmac = (key: Buffer, text: string) => createHmac("sha256", key).update(text).digest();
  const storedKey = createHash("sha256").update(hmac(salted, "Client Key")).digest("base64");
  const serverKey = hmac(salted, "Server Key").toString("base64");
  return `SCRAM-SHA-256$${iterations}:${salt.toString("base64")}$${storedKey}:${serverKey}`;
}
