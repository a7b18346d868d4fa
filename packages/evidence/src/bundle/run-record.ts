import { canonicalBytes, type Json } from "../canonical.ts";
import type { CheckpointRef } from "../checkpoint.ts";
import { digestHex } from "../digest.ts";
import type { PlacedEntry, RunView } from "../run-view.ts";
import { firstOf, isClosed, ofType, policyDigestOf, requestOf, stateOf } from "../run-view.ts";

/** DSSE payload type of in-toto statements. */
export const IN_TOTO_PAYLOAD_TYPE = "application/vnd.in-toto+json";
/** Our predicate. */
export const RUN_PREDICATE_TYPE = "https://countersign.dev/rotation-run/v1";

/**
 * The in-toto Statement v1 of a run, wholly determined by its entries, the checkpoint and the exporting build: writer
 * and verifier both make it, and the verifier compares bytes.
 */
export function runRecord(run: RunView, log: CheckpointRef, build: string): Uint8Array {
  const frozen = firstOf(run, "plan.frozen")?.entry.data;
  const last = run.entries.at(-1) as PlacedEntry;
  const runSubject = { digest: { sha256: last.leaf }, name: run.id };
  const statement: Json = {
    _type: "https://in-toto.io/Statement/v1",
    predicate: {
      approvals: ofType(run, "approval.given")
        .map(({ entry }) => entry.data)
        .filter((approval) => approval.decision === "approve")
        .map(({ level, role, statementDigest }) => ({ level, role, statementDigest })),
      build,
      log: { origin: log.origin, root: log.root, runEntries: run.entries.length, size: log.size },
      policy: policyDigestOf(run) ?? null,
      procedure: frozen === undefined ? null : procedure(frozen),
      requester: requestOf(run).data.requester,
      result: isClosed(run) ? stateOf(run) : "open",
      runId: run.id,
      steps: ofType(run, "step.outcome").map(({ entry }) => ({
        direction: entry.data.direction,
        objectIds: entry.data.objectIds,
        outcome: entry.data.outcome,
        step: entry.data.step,
        verb: entry.data.verb,
      })),
    },
    predicateType: RUN_PREDICATE_TYPE,
    subject:
      frozen === undefined
        ? [runSubject]
        : [runSubject, { digest: { sha256: digestHex(frozen.planDigest) }, name: "plan.json" }],
  };
  return canonicalBytes(statement);
}

function procedure(frozen: { procedure: string; procedureDigest: string }): Json {
  const [name, major] = frozen.procedure.split("@") as [string, string];
  return { digest: frozen.procedureDigest, major: Number(major), name };
}
