/** The ways in which a secret may be written down. */
export const encodings = ["raw", "base64", "base64url", "hex", "url", "json"] as const;
export type Encoding = (typeof encodings)[number];

/** A secret that was found, without the secret. */
export interface Hit {
  readonly name: string;
  readonly encoding: Encoding;
  readonly place: string;
}

/** Shorter texts stand somewhere by chance. */
const charsMin = 8;

/** Every text whose presence would give a secret away in that encoding. */
export function writings(secret: string, encoding: Encoding): string[] {
  const bytes = Buffer.from(secret, "utf8");
  switch (encoding) {
    case "raw":
      return [secret];
    case "hex":
      return [bytes.toString("hex"), bytes.toString("hex").toUpperCase()];
    case "url":
      return [encodeURIComponent(secret), new URLSearchParams([["", secret]]).toString().slice(1)];
    case "json":
      return [JSON.stringify(secret).slice(1, -1)];
    default:
      // Inside a longer text a secret starts at one of three places of a group of bytes; only whole groups are compared.
      return [0, 1, 2].map((shift) => {
        const text = Buffer.concat([Buffer.alloc(shift), bytes])
          .toString(encoding)
          .replaceAll("=", "");
        return text.slice(shift === 0 ? 0 : shift + 1, (bytes.length + shift) % 3 === 0 ? undefined : -1);
      });
  }
}

/** Searches for many secrets in one pass over the bytes: by the first two, then by the first four, then whole. */
export class Searcher {
  readonly #starts = new Uint8Array(65_536);
  readonly #byHead = new Map<
    number,
    { readonly name: string; readonly encoding: Encoding; readonly bytes: Buffer }[]
  >();

  /** `secrets`: name (for the report) and value. */
  constructor(secrets: ReadonlyMap<string, string>) {
    for (const [name, secret] of secrets) {
      if (secret.length < charsMin)
        throw new RangeError(`expected a secret of at least ${charsMin} characters: ${name}`);
      const known = new Set<string>();
      for (const encoding of encodings) {
        for (const text of writings(secret, encoding)) {
          if (known.has(text)) continue;
          known.add(text);
          const bytes = Buffer.from(text, "utf8");
          this.#starts[bytes.readUInt16BE(0)] = 1;
          const head = bytes.readUInt32BE(0);
          this.#byHead.set(head, [...(this.#byHead.get(head) ?? []), { name, encoding, bytes }]);
        }
      }
    }
  }

  /** Everything found in these bytes. */
  search(place: string, bytes: Buffer): Hit[] {
    const hits: Hit[] = [];
    for (let at = 0; at + charsMin <= bytes.length; at += 1) {
      if (this.#starts[((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)] === 0) continue;
      for (const known of this.#byHead.get(bytes.readUInt32BE(at)) ?? []) {
        if (bytes.subarray(at, at + known.bytes.length).equals(known.bytes))
          hits.push({ name: known.name, encoding: known.encoding, place });
      }
    }
    return hits;
  }
}
