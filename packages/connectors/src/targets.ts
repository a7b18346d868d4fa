import { readFileTarget } from "./files/read.ts";
import { type FileRoots } from "./files/schema.ts";
import type { Leave } from "./kit/leave.ts";
import type { Records, StoredVersion, TargetQuestion, TargetReader } from "./kit/seams.ts";

/** Reads any consumer's target; this is where vaults and files meet. */
export function createTargets(records: Records, roots: FileRoots): TargetReader {
  return async (leave, question, latest) => {
    switch (question.kind) {
      case "latest":
        return entry(leave, records, question.record, latest, latest);
      case "copied": {
        const target = { connection: String(question.target.connection), name: String(question.target.name) };
        return entry(leave, records, target, await records(target.connection).latest(leave, target.name), latest);
      }
      default:
        return readFileTarget(leave, roots, records, question, latest);
    }
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
