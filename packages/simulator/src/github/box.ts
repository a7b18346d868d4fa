import { blake2b } from "blakejs";
import nacl from "tweetnacl";
import type { Random } from "../random.ts";
import type { SecretHolder } from "./model.ts";

const KEY_BYTES = 32;
const NONCE_BYTES = 24;

/** The holder's key pair; made when first asked for. */
export function boxOf(holder: SecretHolder, random: Random): NonNullable<SecretHolder["box"]> {
  if (holder.box === null) {
    const { publicKey, secretKey } = nacl.box.keyPair.fromSecretKey(Buffer.from(random.hex(64), "hex"));
    holder.box = {
      keyId: String(random.integer(100_000_000, 999_999_999)),
      publicKey: Buffer.from(publicKey).toString("base64"),
      privateKey: Buffer.from(secretKey).toString("base64"),
    };
  }
  return holder.box;
}

/**
 * Opens a sealed box (libsodium: crypto_box_seal): the sender's one-time key, then the box, whose nonce is BLAKE2b over
 * both keys. Null for anything that was not sealed for this key. Written apart from the product's library on purpose.
 */
export function openSealed(sealed: string, box: NonNullable<SecretHolder["box"]>): string | null {
  const bytes = Buffer.from(sealed, "base64");
  if (bytes.length < KEY_BYTES + nacl.box.overheadLength) return null;
  const [oneTime, boxed] = [bytes.subarray(0, KEY_BYTES), bytes.subarray(KEY_BYTES)];
  const publicKey = Buffer.from(box.publicKey, "base64");
  const nonce = blake2b(Buffer.concat([oneTime, publicKey]), undefined, NONCE_BYTES);
  const opened = nacl.box.open(boxed, nonce, oneTime, Buffer.from(box.privateKey, "base64"));
  return opened === null ? null : Buffer.from(opened).toString("utf8");
}
