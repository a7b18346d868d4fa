const localHeader = 0x04034b50;
const headerBytes = 30;

/** A file of a zip in which nothing is compressed (a bundle), by its name; null: there is none, or it is compressed. */
export function storedFile(zip: Uint8Array, name: string): Uint8Array | null {
  const view = new DataView(zip.buffer, zip.byteOffset, zip.byteLength);
  for (let at = 0; at + headerBytes <= zip.length && view.getUint32(at, true) === localHeader; ) {
    const [nameLength, extraLength] = [view.getUint16(at + 26, true), view.getUint16(at + 28, true)];
    const size = view.getUint32(at + 18, true);
    const begin = at + headerBytes + nameLength + extraLength;
    const found = new TextDecoder().decode(zip.subarray(at + headerBytes, at + headerBytes + nameLength));
    if (found === name) return view.getUint16(at + 8, true) === 0 ? zip.subarray(begin, begin + size) : null;
    at = begin + size;
  }
  return null;
}
