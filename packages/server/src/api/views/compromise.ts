import type { Plan, RunDetail } from "@countersign/contract";
import { accessTokenLife } from "@countersign/core";
import { lastOf, type RunEntry } from "./entries.ts";

type CompromiseClock = NonNullable<RunDetail["compromise"]>;

/** In an emergency: when each thing was so that counts, from the report until the last token is dead (D13). */
export function compromiseClock(plan: Plan | null, entries: readonly RunEntry[]): RunDetail["compromise"] {
  const requested = entries.find((entry) => entry.type === "run.requested");
  if (requested === undefined || requested.data.trigger !== "compromise") return null;
  const { reportedAt, credential } = requested.data.target as Record<string, string | undefined>;
  /** When the last of these steps was done; null while one is not. */
  const doneAt = (chosen: (step: Plan["steps"][number]) => boolean): string | null => {
    const steps = plan?.steps.filter(chosen) ?? [];
    const times = steps.map((step) => {
      const ofStep = (entry: RunEntry) => entry.type === "step.outcome" && entry.data.step === step.id;
      return entries.findLast(
        (entry) => ofStep(entry) && entry.data.direction === "do" && entry.data.outcome === "done",
      )?.at;
    });
    return times.length === 0 || times.some((at) => at === undefined)
      ? null
      : ((times as string[]).toSorted().at(-1) ?? null);
  };
  const oldDeadAt = doneAt((step) => step.id.startsWith("revoke"));
  const tokenDead = oldDeadAt === null ? null : new Date(Date.parse(oldDeadAt) + accessTokenLife.secondsMax * 1_000);
  return {
    credential: credential ?? plan?.old.id ?? null,
    reportedAt: (reportedAt ?? requested.at) as CompromiseClock["reportedAt"],
    authorisedAt: lastOf(entries, "run.authorised")?.at ?? null,
    newLiveAt: doneAt((step) => step.id === "prove"),
    oldDeadAt,
    shownDeadAt: doneAt((step) => step.id === "refused"),
    lastTokenDeadAt: tokenDead?.toISOString() ?? null,
    tokenBound: { seconds: accessTokenLife.secondsMax, source: accessTokenLife.source },
    restoredAt: doneAt((step) => step.phase === "restore"),
    containWithinSeconds: plan?.emergency?.containWithinSeconds ?? null,
    restoreWithinSeconds: plan?.emergency?.restoreWithinSeconds ?? null,
    leftBehind: (plan?.emergency?.leaveBehind ?? []).filter(
      (id) => oldDeadAt !== null && doneAt((step) => step.id === id) === null,
    ),
  };
}
