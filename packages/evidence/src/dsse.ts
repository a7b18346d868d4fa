import { fromBase64, toBase64 } from "./base64.ts";
import { canonicalBytes, type Json, parseCanonical } from "./canonical.ts";
import { keyIdOf, type RawPublicKey, type Signer, verifyEd25519 } from "./ed25519.ts";
import { assertThat, show } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import { list, object, text } from "./shape.ts";

/** A public key that may sign envelopes, under the name envelopes call it by. */
export interface EnvelopeKey {
  readonly keyId: string;
  readonly publicKey: RawPublicKey;
}

/** A DSSE v1.0.2 envelope. */
export interface Envelope {
  readonly payload: string;
  readonly payloadType: string;
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
}

const envelopeShape = object({
  payload: text(/^[A-Za-z0-9+/=]*$/, "base64", LIMITS.envelopeBytesMax),
  payloadType: text(/^[\x21-\x7e]+$/, "a media type", 128),
  signatures: list(
    object({ keyid: text(/^[0-9a-f]{8}$/, "a key id", 8), sig: text(/^[A-Za-z0-9+/=]+$/, "base64", 128) }),
    1,
    1,
  ),
});

/** Pre-authentication encoding: the bytes that are signed. Lengths count bytes. */
export function pae(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = Buffer.from(payloadType, "utf8");
  const header = `DSSEv1 ${type.length} ${payloadType} ${payload.length} `;
  return Buffer.concat([Buffer.from(header, "utf8"), payload]);
}

/** Signs a payload; the result is the envelope file's canonical bytes. */
export async function signEnvelope(payloadType: string, payload: Uint8Array, signer: Signer): Promise<Uint8Array> {
  const sig = toBase64(await signer.sign(pae(payloadType, payload)));
  const envelope: Envelope = {
    payload: toBase64(payload),
    payloadType,
    signatures: [{ keyid: keyIdOf(signer.publicKey), sig }],
  };
  return canonicalBytes(envelope as unknown as Json);
}

/**
 * Parses an envelope file. Stricter than DSSE: canonical JSON, standard base64, exactly one signature with a key id,
 * so that a signed fact has one spelling.
 */
export function parseEnvelope(bytes: Uint8Array): Envelope {
  return envelopeShape(parseCanonical(bytes, LIMITS.envelopeBytesMax), "envelope");
}

/** What a verified envelope proves. Parse `payload`, never the envelope again. */
export interface VerifiedEnvelope {
  readonly payload: Uint8Array;
  readonly key: EnvelopeKey;
}

/** Proves that one of the keys signed a payload of this type, and returns exactly the bytes that were signed. */
export function verifyEnvelope(bytes: Uint8Array, payloadType: string, keys: readonly EnvelopeKey[]): VerifiedEnvelope {
  const envelope = parseEnvelope(bytes);
  assertThat(
    envelope.payloadType === payloadType,
    "bad-signature",
    `expected payload type ${payloadType}, got ${show(envelope.payloadType)}`,
  );
  const payload = fromBase64(envelope.payload, "an envelope payload");
  const signature = envelope.signatures[0];
  // The key id only picks among trusted keys; the signature is what counts.
  const key = keys.find((k) => k.keyId === signature?.keyid);
  assertThat(
    key !== undefined && signature !== undefined,
    "bad-signature",
    `expected a trusted key, got key id ${show(signature?.keyid)}`,
  );
  const holds = verifyEd25519(key.publicKey, pae(payloadType, payload), fromBase64(signature.sig, "a signature"));
  assertThat(holds, "bad-signature", `expected a valid signature of key ${key.keyId}`);
  return { payload, key };
}
