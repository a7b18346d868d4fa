import { closedStates, type Drift, isCode } from "@countersign/core";
import type { Guard } from "../guard.ts";
import { newRunId } from "../run-id.ts";
import type { RunWork } from "../run-work.ts";
import { move, type Next, releaseUntil } from "./moves.ts";

/** How long a run waits for another one's lock before it looks again (domain time). */
const lockMs = 60_000;
/** How long an emergency waits for the run that it takes over before it looks again (domain time). */
const takeOverMs = 2_000;

/**
 * approved, scheduled: waits for its time and window, then proves the authorisation once more and consumes it in the
 * same transaction that takes the locks and moves the run to `executing`.
 */
export async function start(work: RunWork, guard: Guard): Promise<Next> {
  const now = work.now;
  const due = Date.parse(work.plan.timing.notBefore);
  if (now < due) return waitUntil(work, due, "not-before");

  const verdict = await guard.beforeFirstEffect(work);
  if (verdict.kind !== "go" && work.data.takesOver) await work.keep({ takesOver: false });
  switch (verdict.kind) {
    case "wait":
      return waitUntil(work, verdict.until, verdict.because.code);
    case "expired":
      return move(work, "expired", { because: { code: "approval-expired" } });
    case "refused":
      return move(work, "blocked", { because: verdict.because });
    case "drifted":
      return supersede(work, verdict.reasons);
    case "go":
  }
  if (await isTakingOver(work)) return waitUntil(work, work.now + takeOverMs, "supersedes");
  try {
    return await move(work, "executing", {
      because: { code: "authorised" },
      locks: true,
      entries: [{ type: "run.authorised", data: verdict.authorised }],
    });
  } catch (error) {
    if (!isCode(error, "LOCK_HELD")) throw error;
    return waitUntil(work, now + lockMs, "lock-held");
  }
}

/**
 * Whether the run that an emergency takes over is still open; its own holder ends it, and is woken for that (I2). It is
 * asked for only now that nothing else keeps the emergency from beginning: what is ended cannot go on if it comes to nothing.
 */
async function isTakingOver(work: RunWork): Promise<boolean> {
  const elder = work.plan.emergency?.supersedes ?? null;
  const row = elder === null ? null : await work.store.run(elder.run);
  if (row === null || closedStates.has(row.state)) return false;
  if (!work.data.takesOver) await work.keep({ takesOver: true });
  await work.store.wake(row.id, work.now);
  return true;
}

async function waitUntil(work: RunWork, until: number, code: string): Promise<Next> {
  if (work.state !== "scheduled") await move(work, "scheduled", { because: { code } });
  return releaseUntil(work, until);
}

/** The approvals are void. The same request is filed again as a new run, which people approve with the new facts. */
async function supersede(work: RunWork, reasons: readonly Drift[]): Promise<Next> {
  const successor = work.data.successor ?? newRunId(work.now);
  // Kept first: after a crash the same successor is filed, not a second one.
  if (work.data.successor === null) await work.keep({ successor });
  const { tenant, environment, targetKey, target, procedure, trigger, requester } = work.row;
  const again = {
    id: successor,
    tenant,
    environment,
    targetKey,
    target,
    procedure,
    trigger,
    requester,
    replaces: work.id,
    at: work.now,
  };
  await work.store.submitRun(again).catch((error: unknown) => {
    if (!isCode(error, "CONFLICT")) throw error;
  });
  return move(work, "superseded", {
    because: { code: "drifted" },
    entries: [
      {
        type: "approval.voided",
        data: { reasons: reasons.slice(0, 20).map(({ code, observed, required }) => ({ code, observed, required })) },
      },
    ],
  });
}
