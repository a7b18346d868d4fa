import { crc32 } from "node:zlib";
import { sameBytes } from "../base64.ts";
import { assertThat } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { type BundleFiles, bytesMaxOf, checkName } from "./layout.ts";

/*
 * A deterministic zip: stored (no compression), names sorted, every time 1980-01-01 00:00, no extra fields, no comment.
 * The same folder always gives the same bytes.
 */

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const VERSION = 20;
/** 1980-01-01, the earliest date a zip can state. */
const DOS_DATE = 0x0021;
const LOCAL_BYTES = 30;
const CENTRAL_BYTES = 46;
const END_BYTES = 22;
/** Names, headers and sums on top of the files themselves. */
const ZIP_BYTES_MAX = LIMITS.bundleBytesMax + LIMITS.bundleFilesMax * 400;

/** The bundle as one stored zip. */
export function writeZip(files: BundleFiles): Uint8Array {
  const locals: Uint8Array[] = [];
  const centrals: Uint8Array[] = [];
  let offset = 0;
  for (const name of [...files.keys()].sort()) {
    const content = files.get(checkName(name)) as Uint8Array;
    const path = Buffer.from(name, "latin1");
    const crc = crc32(content);
    const local = Buffer.alloc(LOCAL_BYTES);
    local.writeUInt32LE(LOCAL, 0);
    writeCommon(local, 4, path.length, content.length, crc);
    const central = Buffer.alloc(CENTRAL_BYTES);
    central.writeUInt32LE(CENTRAL, 0);
    central.writeUInt16LE(VERSION, 4);
    writeCommon(central, 6, path.length, content.length, crc);
    central.writeUInt32LE(offset, 42);
    locals.push(local, path, content);
    centrals.push(central, path);
    offset += LOCAL_BYTES + path.length + content.length;
  }
  const directory = Buffer.concat(centrals);
  const end = Buffer.alloc(END_BYTES);
  end.writeUInt32LE(END, 0);
  end.writeUInt16LE(files.size, 8);
  end.writeUInt16LE(files.size, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, directory, end]);
}

/** The fields that local header and central directory share, in the same order. */
function writeCommon(header: Buffer, at: number, nameBytes: number, contentBytes: number, crc: number): void {
  header.writeUInt16LE(VERSION, at);
  header.writeUInt16LE(DOS_DATE, at + 8);
  header.writeUInt32LE(crc, at + 10);
  header.writeUInt32LE(contentBytes, at + 14);
  header.writeUInt32LE(contentBytes, at + 18);
  header.writeUInt16LE(nameBytes, at + 22);
}

/**
 * Reads a zip written by {@link writeZip} and refuses any other. Two readers of one zip can disagree on what is in it
 * (local against central names, duplicates, trailing data); comparing with what we would have written leaves no room.
 */
export function readZip(bytes: Uint8Array): BundleFiles {
  assertThat(bytes.length <= ZIP_BYTES_MAX, "too-large", `expected a zip of at most ${ZIP_BYTES_MAX} bytes`);
  const zip = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const files = new Map<string, Uint8Array>();
  let at = 0;
  while (at + LOCAL_BYTES <= zip.length && zip.readUInt32LE(at) === LOCAL) {
    const size = zip.readUInt32LE(at + 18);
    const nameEnd = at + LOCAL_BYTES + zip.readUInt16LE(at + 26);
    const name = checkName(zip.toString("latin1", at + LOCAL_BYTES, nameEnd));
    assertThat(!files.has(name), "bad-zip", `expected ${name} once in the zip`);
    assertThat(
      size <= bytesMaxOf(name),
      "too-large",
      `expected ${name} of at most ${bytesMaxOf(name)} bytes, got ${size}`,
    );
    assertThat(nameEnd + size <= zip.length, "bad-zip", `expected the whole of ${name} in the zip`);
    assertThat(files.size < LIMITS.bundleFilesMax, "too-large", `expected at most ${LIMITS.bundleFilesMax} files`);
    files.set(name, zip.subarray(nameEnd, nameEnd + size));
    at = nameEnd + size;
  }
  assertThat(
    files.size > 0 && sameBytes(writeZip(files), zip),
    "bad-zip",
    "expected a zip as Countersign writes it; unpack it and verify the folder instead",
  );
  return files;
}
