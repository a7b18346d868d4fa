import { isCode } from "@countersign/core";
import { z } from "zod";
import type { Leave } from "../kit/leave.ts";
import { credentialsIn } from "../kit/role-credentials.ts";
import type { Records, StoredVersion, TargetQuestion, TargetReading } from "../kit/seams.ts";
import { readText } from "./atomic.ts";
import { confine } from "./confine.ts";
import { parseConnection } from "./connection-file.ts";
import { fileIdentity } from "./identity.ts";
import { referenceIn } from "./reference.ts";
import type { FileRoots } from "./schema.ts";

const Target = z.object({ connection: z.string(), path: z.string() });

/** Reads a consumer's file and compares it with the record's newest version. */
export async function readFileTarget(
  leave: Leave,
  roots: FileRoots,
  records: Records,
  question: TargetQuestion,
  latest: StoredVersion | null,
): Promise<TargetReading> {
  const { connection, path } = Target.parse(question.target);
  const scope = roots(connection);
  let text: string | null = null;
  let identity = { connection, path } as TargetReading["identity"];
  try {
    identity = await fileIdentity(scope, path);
    text = await readText(await confine(scope, path));
  } catch (error) {
    if (!isCode(error, "OUTSIDE_NOT_FOUND")) throw error;
  }
  const common = { identity, identityKind: "name-only" as const };
  if (text === null) return { ...common, exists: false, holds: null, matchesRecord: null };
  if (question.kind === "pinned") {
    const reference = referenceIn(path, text);
    const wanted =
      latest === null ? null : records(question.record.connection).reference(question.record.name, latest.version);
    return {
      ...common,
      exists: true,
      holds: reference,
      matchesRecord:
        reference === null || latest === null
          ? null
          : reference === wanted || (await pointsAtSameValue(leave, records, question.record, reference, latest)),
    };
  }
  const held = parseConnection(path, text);
  if (held === null || latest === null)
    return { ...common, exists: held !== null, holds: held?.version ?? null, matchesRecord: null };
  const wanted = credentialsIn(latest.value);
  const matches = held.user === wanted.user && held.password.equals(wanted.password);
  // A file that somebody else wrote names no version; when it holds the newest value, that is its version.
  return { ...common, exists: true, holds: held.version ?? (matches ? latest.version : null), matchesRecord: matches };
}

/** After a roll back the newest version is a copy of the one that the file names: another version, the same value. */
async function pointsAtSameValue(
  leave: Leave,
  records: Records,
  record: TargetQuestion["record"],
  reference: string,
  latest: StoredVersion,
): Promise<boolean> {
  const store = records(record.connection);
  const version = reference.slice(reference.lastIndexOf("/") + 1);
  if (reference !== store.reference(record.name, version)) return false;
  try {
    return (await store.version(leave, record.name, version)).value.equals(latest.value);
  } catch (error) {
    if (isCode(error, "OUTSIDE_NOT_FOUND", "OUTSIDE_FORBIDDEN")) return false;
    throw error;
  }
}
