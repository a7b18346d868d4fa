import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import type { TlsPair } from "../http/listener.ts";
import { bits, boolean, integer, octets, oid, sequence, set, text, tlv, utcTime } from "./der.ts";

const DAY_MS = 86_400_000;
const VALID_DAYS = 30;
const ECDSA_SHA256 = "1.2.840.10045.4.3.2";
const LOOPBACK_V4 = Buffer.from([127, 0, 0, 1]);
const LOOPBACK_V6 = Buffer.concat([Buffer.alloc(15), Buffer.from([1])]);

/** A private CA and one server certificate for `localhost`, `127.0.0.1` and `::1`. */
export interface PrivateAuthority {
  /** PEM of the CA certificate: what a client has to trust. */
  caPem: string;
  server: TlsPair;
}

/** Makes both anew (ECDSA P-256); Node has no builder for X.509. Valid by real time, since TLS libraries use it. */
export function createPrivateAuthority(realNow: Date): PrivateAuthority {
  const ca = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const server = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const caName = name("Countersign simulator CA");
  const caId = keyId(ca.publicKey);
  const caCert = certificate({
    subject: caName,
    issuer: caName,
    publicKey: ca.publicKey,
    signer: ca.privateKey,
    realNow,
    extensions: [
      extension("2.5.29.19", true, sequence(boolean(true))),
      // keyCertSign and cRLSign
      extension("2.5.29.15", true, tlv(0x03, Buffer.from([1, 0x06]))),
      extension("2.5.29.14", false, octets(caId)),
    ],
  });
  const serverCert = certificate({
    subject: name("localhost"),
    issuer: caName,
    publicKey: server.publicKey,
    signer: ca.privateKey,
    realNow,
    extensions: [
      extension("2.5.29.19", true, sequence()),
      // digitalSignature
      extension("2.5.29.15", true, tlv(0x03, Buffer.from([7, 0x80]))),
      // serverAuth
      extension("2.5.29.37", false, sequence(oid("1.3.6.1.5.5.7.3.1"))),
      extension(
        "2.5.29.17",
        false,
        sequence(tlv(0x82, Buffer.from("localhost")), tlv(0x87, LOOPBACK_V4), tlv(0x87, LOOPBACK_V6)),
      ),
      extension("2.5.29.14", false, octets(keyId(server.publicKey))),
      extension("2.5.29.35", false, sequence(tlv(0x80, caId))),
    ],
  });
  return {
    caPem: pem(caCert),
    server: {
      key: server.privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
      cert: `${pem(serverCert)}${pem(caCert)}`,
    },
  };
}

interface CertificateInput {
  subject: Buffer;
  issuer: Buffer;
  publicKey: KeyObject;
  signer: KeyObject;
  realNow: Date;
  extensions: Buffer[];
}

/** RFC 5280, 4.1. */
function certificate(input: CertificateInput): Buffer {
  const algorithm = sequence(oid(ECDSA_SHA256));
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const body = sequence(
    tlv(0xa0, integer(Buffer.from([2]))),
    integer(serial),
    algorithm,
    input.issuer,
    sequence(
      utcTime(new Date(input.realNow.getTime() - DAY_MS)),
      utcTime(new Date(input.realNow.getTime() + VALID_DAYS * DAY_MS)),
    ),
    input.subject,
    input.publicKey.export({ format: "der", type: "spki" }),
    tlv(0xa3, sequence(...input.extensions)),
  );
  return sequence(body, algorithm, bits(sign("sha256", body, input.signer)));
}

function name(commonName: string): Buffer {
  return sequence(set(sequence(oid("2.5.4.3"), text(commonName))));
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), octets(value));
}

function keyId(publicKey: KeyObject): Buffer {
  return createHash("sha1")
    .update(publicKey.export({ format: "der", type: "spki" }))
    .digest();
}

function pem(der: Buffer): string {
  const lines = der.toString("base64").replaceAll(/(.{64})(?=.)/g, "$1\n");
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}
