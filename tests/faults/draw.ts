import { createHash } from "node:crypto";

/** A number below `of` that a name always has: what is drawn by it is the same in every run, whatever else there is. */
export function numberOf(name: string, of: number): number {
  return createHash("sha256").update(name).digest().readUInt32BE() % of;
}
