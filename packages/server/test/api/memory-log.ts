import { canonicalize, type Json } from "@countersign/evidence";
import type { NewAttachment, StoredEntry } from "../../src/api/index.ts";

/** The log in memory, and the texts that it names by digest. */
export class MemoryLog {
  readonly log: StoredEntry[] = [];
  readonly attachments = new Map<string, Uint8Array>();

  append(at: number, type: string, data: Json, run: string | null = null): void {
    const runSeq = run === null ? null : this.log.filter((entry) => entry.run === run).length;
    const text = canonicalize({
      at: new Date(at).toISOString(),
      data,
      prevRunLeaf: null,
      run,
      runSeq,
      salt: "AAAAAAAAAAAAAAAAAAAAAA",
      type,
      v: 1,
    });
    this.log.push({ index: this.log.length, run, text });
  }

  keep(attachments: readonly NewAttachment[]): void {
    for (const { digest, bytes } of attachments) this.attachments.set(digest, bytes);
  }
}
