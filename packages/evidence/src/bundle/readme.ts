import type { CheckpointRef } from "../checkpoint.ts";
import { isClosed, type RunView, stateOf } from "../run-view.ts";

/** README.txt: fixed words around four facts, so that a verifier can compare it byte for byte. */
export function formatReadme(run: RunView, log: CheckpointRef): Uint8Array {
  const open = isClosed(run) ? "" : " (open: this run had not ended when the bundle was made)";
  const text = `Evidence of one Countersign run
===============================

Run:   ${run.id}
State: ${stateOf(run)}${open}
Log:   ${log.origin}, ${log.size} entries

What this is
  Everything this run left behind, with the proofs that it stands in the log above.
  entries/      what happened, in order, one JSON file each, with its proof of inclusion
  plan.json     the exact steps people were asked to approve (if the run came that far)
  policy.yaml   the rules it was judged by
  approvals/    what each person signed, and the signature
  attachments/  texts that entries name by digest only
  context/      entries of no run that the check needs
  log/ anchors/ signed states of the log, and proofs that it only ever grew
  run.dsse.json a signed summary

How to check it
  countersign verify <this folder> --trust trust.json
  Get trust.json from someone you trust, never from whoever gave you this folder.
  The format is described in docs/evidence-format.md, well enough to write your own check.

What it cannot show
  Actions taken outside Countersign; what was on an approver's screen; and, against an
  operator who holds the log's keys, history after the last approval in the log.
`;
  return Buffer.from(text, "utf8");
}
