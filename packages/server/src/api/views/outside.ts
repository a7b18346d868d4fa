import type { FailedScan, HookEventView, Reach, ScanView } from "@countersign/contract";
import type { FailedScanRow, HookEventRow, ReachRow, ScanRow } from "@countersign/engine";
import { iso } from "./time.ts";

/** How addresses fare, whichever login called them: one that fails for any of them is failing. */
export function reachViews(rows: readonly ReachRow[]): Reach[] {
  return [...Map.groupBy(rows, ({ address }) => address)].map(([address, seen]) => {
    const failing = seen.filter(({ failingSince }) => failingSince !== null);
    const failed = (failing.length > 0 ? failing : seen).toSorted((a, b) => (b.failedAt ?? 0) - (a.failedAt ?? 0))[0];
    return {
      address,
      state: failing.length > 0 ? "failing" : "answers",
      answeredAt: iso(most(seen.map(({ answeredAt }) => answeredAt))),
      failedAt: iso(failed?.failedAt ?? null),
      failingSince: iso(least(failing.map(({ failingSince }) => failingSince))),
      code: failed?.code ?? null,
    };
  });
}

const scanWords = { full: "whole listing", delta: "look at changes", details: "second pass" } as const;

export function scanView(row: ScanRow): ScanView {
  const { tenant, kind, state, attempts, applications, error: code } = row;
  const [dueAt, startedAt, finishedAt] = [iso(row.dueAt), iso(row.startedAt), iso(row.finishedAt)];
  return { tenant, kind, state, dueAt, startedAt, finishedAt, attempts, applications, code };
}

export function failedScanView({ tenant, kind, at, error: code }: FailedScanRow): FailedScan {
  return { tenant, kind, at: iso(at), code, sentence: `The ${scanWords[kind]} of ${tenant} failed: ${code}.` };
}

export function hookEventView({ hook, type, at, outcome, key, runId }: HookEventRow): HookEventView {
  return { hook, type, at: iso(at), outcome, key, run: runId };
}

function most(times: readonly (number | null)[]): number | null {
  return times.reduce((a, b) => (a === null ? b : b === null ? a : Math.max(a, b)), null);
}

function least(times: readonly (number | null)[]): number | null {
  return times.reduce((a, b) => (a === null ? b : b === null ? a : Math.min(a, b)), null);
}
