import type { RunWork } from "../run-work.ts";
import { move, type Next, releaseUntil } from "./moves.ts";

/** planned, awaiting_approval: waits for people until the time the plan gives them. */
export async function awaitApproval(work: RunWork): Promise<Next> {
  if (work.state === "planned")
    return move(work, "awaiting_approval", {
      data: { approveUntil: work.now + work.plan.approvals.expiresAfterSeconds * 1_000 },
    });
  const until = work.data.approveUntil ?? work.now;
  if (work.now >= until) return move(work, "expired", { because: { code: "approval-expired" } });
  return releaseUntil(work, until);
}
