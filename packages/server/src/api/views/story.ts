import type { RunDetail } from "@countersign/contract";
import { lastOf, type RunEntry } from "./entries.ts";

/** One line per entry: what happened, when, and which entry proves it. */
export function storyOf(entries: readonly RunEntry[]): RunDetail["story"] {
  return entries.map(({ at, runSeq, type, data }) => ({
    at,
    runSeq,
    type,
    from: type === "run.moved" ? data.from : null,
    to: type === "run.moved" ? data.to : type === "run.closed" ? data.state : null,
    because: type === "run.moved" ? data.because : null,
    step: data.step ?? null,
    what:
      type === "notice.sent"
        ? data.kind
        : type === "gate.checked"
          ? data.grade
          : type === "step.confirmed" || type === "step.outcome"
            ? data.direction
            : null,
    channel: type === "notice.sent" ? data.channel : null,
    outcome: data.outcome ?? data.decision ?? data.confirmation ?? null,
    person: data.person ?? (String(data.requester ?? "").startsWith("p_") ? data.requester : null),
  }));
}

/** What the retire gate last saw. */
export function gateOf(entries: readonly RunEntry[]): RunDetail["gate"] {
  const entry = lastOf(entries, "gate.checked");
  if (entry === undefined) return null;
  const { grade, open, reasons, evidence } = entry.data;
  return { at: entry.at, grade, open, reasons, evidence };
}
