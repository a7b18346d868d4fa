import { type BundleFiles, formatSums } from "@countersign/evidence";

/*
 * Somebody without keys edits a bundle: each file in each way, with SHA256SUMS made anew, so that only what is signed or
 * proven can notice. Every edit comes from a seed and has a name.
 */

export interface Edit {
  readonly name: string;
  readonly files: BundleFiles;
}

/** A small generator (mulberry32): the same seed gives the same edits everywhere. */
export function random(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function edited(files: BundleFiles, change: (map: Map<string, Uint8Array>) => void, sums = true): BundleFiles {
  const map = new Map(files);
  change(map);
  if (sums) map.set("SHA256SUMS", formatSums(map));
  return map;
}

function same(a: BundleFiles, b: BundleFiles): boolean {
  return a.size === b.size && [...a].every(([name, bytes]) => Buffer.compare(bytes, b.get(name) ?? Buffer.alloc(0)) === 0);
}

/** Every edit of these files that the seed gives; none is the bundle itself. */
export function editsOf(files: BundleFiles, seed: number): Edit[] {
  const next = random(seed);
  const names = [...files.keys()].sort();
  const edits: Edit[] = [];
  // In a small file chance may draw one edit twice.
  const known = new Set<string>();
  const add = (name: string, change: (map: Map<string, Uint8Array>) => void, sums = true) => {
    const result = edited(files, change, sums);
    if (same(result, files) || known.has(name)) return;
    known.add(name);
    edits.push({ name, files: result });
  };
  for (const name of names) {
    const bytes = files.get(name) as Uint8Array;
    const keepSums = name === "SHA256SUMS";
    const put = (label: string, content: Uint8Array) => add(`${label} ${name}`, (m) => m.set(name, content), !keepSums);
    for (let i = 0; i < 4; i++) {
      const at = Math.floor(next() * bytes.length);
      const bit = 1 << Math.floor(next() * 8);
      const flipped = Buffer.from(bytes);
      flipped[at] = (flipped[at] as number) ^ bit;
      put(`flip bit ${bit} of byte ${at} in`, flipped);
    }
    const cut = Math.floor(next() * bytes.length);
    put(`truncate to ${cut} bytes`, bytes.subarray(0, cut));
    put("double", Buffer.concat([bytes, bytes]));
    put("append a newline to", Buffer.concat([bytes, Buffer.from("\n")]));
    put("empty", Buffer.alloc(0));
    const hole = Math.floor(next() * bytes.length);
    put(`drop byte ${hole} of`, Buffer.concat([bytes.subarray(0, hole), bytes.subarray(hole + 1)]));
    add(`delete ${name}`, (m) => m.delete(name), !keepSums);
    const kind = (n: string) => n.replace(/[0-9a-f]{4,}/g, "#").replace(/\d+/g, "#");
    const likes = names.filter((other) => other !== name && kind(other) === kind(name));
    for (const other of likes.slice(0, 3)) {
      add(`swap ${name} and ${other}`, (m) => m.set(name, files.get(other) as Uint8Array).set(other, bytes));
      add(`put ${other} in place of ${name}`, (m) => m.set(name, files.get(other) as Uint8Array));
    }
  }
  const runEntries = names.filter((n) => /^entries\/\d{4}\.json$/.test(n)).length;
  const name = (n: number, kind: string) => `entries/${String(n).padStart(4, "0")}.${kind}`;
  const entry = (n: number, kind: string) => files.get(name(n, kind)) as Uint8Array;
  for (let n = 0; n < runEntries; n++) {
    add(`cut the run after entry ${n}`, (m) => {
      for (let k = n + 1; k < runEntries; k++) for (const kind of ["json", "tlog-proof"]) m.delete(name(k, kind));
    });
    add(`close the gap left by entry ${n}`, (m) => {
      for (const kind of ["json", "tlog-proof"]) {
        for (let k = n; k < runEntries - 1; k++) m.set(name(k, kind), entry(k + 1, kind));
        m.delete(name(runEntries - 1, kind));
      }
    });
    add(`insert entry ${n} twice`, (m) => {
      for (const kind of ["json", "tlog-proof"]) {
        for (let k = n; k < runEntries; k++) m.set(name(k + 1, kind), entry(k, kind));
      }
    });
    add(`re-encode entry ${n} with another time`, (m) => {
      const value = JSON.parse(Buffer.from(entry(n, "json")).toString()) as Record<string, unknown>;
      const keys = Object.keys(value).sort();
      m.set(name(n, "json"), Buffer.from(JSON.stringify({ ...value, at: "2026-11-01T07:59:59.000Z" }, keys.length > 0 ? undefined : null)));
    });
  }
  for (const extra of ["attachments/" + "0".repeat(64), "entries/9998.json", "anchors/checkpoint.7", "evil.sh", "../x", "log/consistency-1-2.txt"]) {
    add(`add ${extra}`, (m) => m.set(extra, Buffer.from("x")));
  }
  return edits;
}
