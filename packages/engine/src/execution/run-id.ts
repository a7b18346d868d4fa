import { randomBytes } from "node:crypto";

/** Crockford's base 32, lower case: no letter that is read as a digit. */
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

/** `run_` and 26 characters: 48 bits of domain time, then 80 random bits, so that ids sort by time. */
export function newRunId(nowMs: number): string {
  let value = (BigInt(nowMs) << 80n) | BigInt(`0x${randomBytes(10).toString("hex")}`);
  let text = "";
  for (let i = 0; i < 26; i += 1) {
    text = (alphabet[Number(value & 31n)] ?? "0") + text;
    value >>= 5n;
  }
  return `run_${text}`;
}
