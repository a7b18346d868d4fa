import { describe, expect, test } from "vitest";
import {
  canonicalize,
  checkpointRef,
  consistencyProof,
  Frontier,
  formatVkey,
  fromBase64,
  inclusionProof,
  leafHash,
  MerkleTree,
  noteKey,
  pae,
  parseCanonical,
  parseVkey,
  rootAt,
  signCheckpoint,
  signEnvelope,
  signerFromSeed,
  toBase64,
  toHex,
  verifyCheckpoint,
  verifyConsistency,
  verifyEd25519,
  verifyInclusion,
  verifyNote,
} from "../src/index.ts";

// Merkle vectors: agreed between this code's algorithm, Go golang.org/x/mod/sumdb/tlog and an independent Python one.
const LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"].map(
  (hex) => leafHash(Buffer.from(hex, "hex")),
);
const ROOTS = [
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];
const root = (n: number) => Buffer.from(ROOTS[n] as string, "hex");

describe("the Merkle tree gives the published values", () => {
  const tree = new MerkleTree(LEAVES);

  test("every root, from the tree and from the frontier", () => {
    const frontier = new Frontier();
    for (let n = 0; n <= 8; n++) {
      expect(toHex(rootAt(tree, n))).toBe(ROOTS[n]);
      expect(toHex(frontier.root())).toBe(ROOTS[n]);
      expect(new Frontier(n, frontier.toBytes()).root()).toEqual(frontier.root());
      if (n < 8) frontier.append(LEAVES[n] as Uint8Array);
    }
  });

  test("the inclusion proof of entry 5 of 8", () => {
    const proof = inclusionProof(tree, 5, 8);
    expect(proof.map(toHex)).toEqual([
      "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
      "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
      ROOTS[4],
    ]);
    verifyInclusion(LEAVES[5] as Uint8Array, 5, 8, proof, root(8));
  });

  test("the consistency proofs 6 to 8 and 3 to 7", () => {
    const six = consistencyProof(tree, 6, 8);
    expect(six.map(toHex)).toEqual([
      "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
      "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
      ROOTS[4],
    ]);
    verifyConsistency(6, 8, six, root(6), root(8));
    const three = consistencyProof(tree, 3, 7);
    expect(three.map(toHex)).toEqual([
      "0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7",
      "07506a85fd9dd2f120eb694f86011e5bb4662e5c415a62917033d4a9624487e7",
      ROOTS[2],
      "837dbb152e9b079010717e84e865da4ebc0fa198a806d59d31bf15accef22d0e",
    ]);
    verifyConsistency(3, 7, three, root(3), root(7));
  });
});

const LOG_SEED = Buffer.from("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "hex");
const WITNESS_SEED = Buffer.from(Array.from({ length: 32 }, (_, i) => i));
const LOG_VKEY = "countersign.example/log1+aa516e9a+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea";
const WITNESS_VKEY = "witness.example/w1+e75f6532+BAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
const NOTE = `countersign.example/log1
8
XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=

— countersign.example/log1 qlFumr073pOZC0eecJUQR2+EMfx8xtumSEaSIdgWNYhKec20zEJyXusNEtkT6ZB65za7SPfOXVgEsBBjoY0198nuOQw=
— witness.example/w1 519lMgAAAABpVbkA6ZU7jm51NulAFZPi5w1FbH8xMYRWAvE4wmsxJqfAwJJ8+JXvQhe5FBIOd+Qkfv9yHwxc47VcCRB5sFQxmqMYDw==
`;

describe("the signed note gives the published values", () => {
  const log = signerFromSeed(LOG_SEED, "countersign.example/log1");
  const witness = signerFromSeed(WITNESS_SEED, "witness.example/w1");

  test("both verifier keys", () => {
    expect(formatVkey(noteKey(log.name, log.publicKey))).toBe(LOG_VKEY);
    expect(formatVkey(noteKey(witness.name, witness.publicKey, 0x04))).toBe(WITNESS_VKEY);
    expect(formatVkey(parseVkey(WITNESS_VKEY))).toBe(WITNESS_VKEY);
  });

  test("the log's signature line is made again to the byte", async () => {
    const note = await signCheckpoint({ origin: log.name, size: 8, root: root(8) }, [log]);
    const lines = NOTE.split("\n");
    expect(Buffer.from(note).toString()).toBe(`${lines.slice(0, 5).join("\n")}\n`);
  });

  test("log and witness lines both verify, and a changed size does not", () => {
    const keys = [parseVkey(LOG_VKEY), parseVkey(WITNESS_VKEY)];
    expect(verifyNote(Buffer.from(NOTE), keys).signedBy).toHaveLength(2);
    expect(() => verifyNote(Buffer.from(NOTE.replace("\n8\n", "\n9\n")), keys)).toThrow("valid signature");
    const checkpoint = verifyCheckpoint(Buffer.from(NOTE), log.name, [parseVkey(LOG_VKEY)]);
    expect(checkpointRef(checkpoint)).toEqual({ origin: log.name, root: toBase64(root(8)), size: 8 });
  });
});

test("the DSSE sample is made again to the byte", async () => {
  const log = signerFromSeed(LOG_SEED, "countersign.example/log1");
  const body = Buffer.from("hello world");
  expect(Buffer.from(pae("http://example.com/HelloWorld", body)).toString()).toBe(
    "DSSEv1 29 http://example.com/HelloWorld 11 hello world",
  );
  const envelope = parseCanonical(await signEnvelope("http://example.com/HelloWorld", body, log)) as {
    signatures: { sig: string }[];
  };
  const sig = "4DHX3Zn4qpBKvEj7maE8O9u9bjXEnPLLnyXVUJ2PXJR8DSLcL3QDpFvfJOj3pB/SPHsl6Jg4boxsMb6KvuYABw==";
  expect(envelope.signatures[0]?.sig).toBe(sig);
  expect(verifyEd25519(log.publicKey, pae("http://example.com/HelloWorld", body), fromBase64(sig, "sig"))).toBe(true);
});

test("the entry sample is canonical and has the published leaf hash", () => {
  const entry = {
    v: 1,
    type: "run.requested",
    at: "2026-01-01T00:00:00.000Z",
    run: "A",
    runSeq: 0,
    prevRunLeaf: null,
    salt: "AAAAAAAAAAAAAAAAAAAAAA",
    data: { requester: "u:alice" },
  };
  const bytes = Buffer.from(canonicalize(entry));
  expect(bytes.toString()).toBe(
    '{"at":"2026-01-01T00:00:00.000Z","data":{"requester":"u:alice"},"prevRunLeaf":null,"run":"A","runSeq":0,"salt":"AAAAAAAAAAAAAAAAAAAAAA","type":"run.requested","v":1}',
  );
  expect(toHex(leafHash(bytes))).toBe("11b8e75dde7b9cc28f5059ee128f032283389cf2a12c315e7bf9b5a2828a645b");
});
