import { sha256Hex } from "../digest.ts";
import { type BundleFiles, FILES } from "./layout.ts";

/** `SHA256SUMS` as sha256sum writes it: every other file, sorted by name. `sha256sum -c` can check it. */
export function formatSums(files: BundleFiles): Uint8Array {
  const names = [...files.keys()].filter((name) => name !== FILES.sums).sort();
  return Buffer.from(names.map((name) => `${sha256Hex(files.get(name) as Uint8Array)}  ${name}\n`).join(""), "utf8");
}
