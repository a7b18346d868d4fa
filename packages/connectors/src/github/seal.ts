import { CountersignError, type SecretValue } from "@countersign/core";

/** GitHub's limit for one secret. */
const valueBytesMax = 48 * 1024;

/**
 * Seals a value for the holder of a public key (libsodium: crypto_box_seal), standard base64. Each call gives another
 * text: a one-time key is part of it. Throws OUTSIDE_INVALID for a value that GitHub would refuse.
 */
export async function seal(value: SecretValue, publicKey: string): Promise<string> {
  // Only when it is needed: its start costs more than that of everything else here.
  const { default: sodium } = await import("libsodium-wrappers");
  await sodium.ready;
  const bytes = Buffer.from(value.reveal(), "utf8");
  if (bytes.length > valueBytesMax)
    throw new CountersignError("OUTSIDE_INVALID", `expected a value of at most ${valueBytesMax} bytes, got more`, {
      refused: true,
    });
  return Buffer.from(sodium.crypto_box_seal(bytes, Buffer.from(publicKey, "base64"))).toString("base64");
}
