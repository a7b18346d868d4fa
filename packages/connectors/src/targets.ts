import { CountersignError } from "@countersign/core";
import { readFileTarget } from "./files/read.ts";
import type { FileRoots } from "./files/schema.ts";
import type { Leave } from "./kit/leave.ts";
import type { Records, StoredVersion, TargetQuestion, TargetReader, TargetReaders } from "./kit/seams.ts";

/** Reads any consumer's target: the place where all kinds of consumers meet. */
export function createTargets(readers: TargetReaders): TargetReader {
  return async (leave, question, latest) => {
    const reader = readers[question.kind];
    if (reader === undefined)
      throw new CountersignError(
        "VERB_UNKNOWN",
        `expected a connector for consumers of kind ${question.kind}, got none`,
      );
    return reader(leave, question, latest);
  };
}

/** Readers of what stands in vaults and files. */
export function storedTargets(records: Records, roots: FileRoots): TargetReaders {
  const file: TargetReader = (leave, question, latest) => readFileTarget(leave, roots, records, question, latest);
  return {
    latest: (leave, question, latest) => entry(leave, records, question.record, latest, latest),
    async copied(leave, question, latest) {
      const target = { connection: String(question.target.connection), name: String(question.target.name) };
      return entry(leave, records, target, await records(target.connection).latest(leave, target.name), latest);
    },
    pinned: file,
    "connection-file": file,
  };
}

async function entry(
  leave: Leave,
  records: Records,
  at: TargetQuestion["record"],
  held: StoredVersion | null,
  latest: StoredVersion | null,
) {
  return {
    exists: held !== null,
    identity: await records(at.connection).identity(leave, at.name),
    identityKind: "immutable" as const,
    holds: held?.version ?? null,
    matchesRecord: held === null || latest === null ? null : held.value.equals(latest.value),
  };
}
