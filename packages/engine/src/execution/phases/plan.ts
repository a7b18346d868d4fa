import {
  CountersignError,
  type ErrorCode,
  emergencyRisksOf,
  type Finding,
  type FrozenPlan,
  makePlan,
  namedCredential,
  namedRisksOf,
  nextOpening,
  risksOf,
  rulesOf,
  settingsOf,
} from "@countersign/core";
import type { EntryInput, Hold, RunRow, Store } from "../../store/index.ts";
import type { StepServices } from "../context.ts";
import type { Ground } from "../ground.ts";
import type { Judge, Judgement } from "../judge.ts";
import { emptyRunData, runDataFacts } from "../run-data.ts";

/** Turns a request into a frozen plan, or into findings that say why not. */
export interface Planner {
  /** Null when the run has ended in `blocked`, or was let go of to be looked at again; otherwise the run as planned, still held. */
  plan(run: RunRow, hold: Hold, services: StepServices): Promise<RunRow | null>;
}

/** What may be over in a minute: a request is asked again before it is blocked for it. */
const mayAnswerLater: readonly (ErrorCode | null)[] = [
  "OUTSIDE_UNAVAILABLE",
  "OUTSIDE_RATE_LIMITED",
  "DEADLINE_PASSED",
];
const againMs = 60_000;
/** From the request on; then people hear that the outside cannot be read. */
const unreadMsMax = 15 * 60_000;
/** Windows are looked for this far ahead. */
const horizonMs = 400 * 86_400_000;

export function createPlanner(options: {
  readonly store: Store;
  readonly judge: Judge;
  readonly ground: Ground;
}): Planner {
  const { store, judge, ground } = options;
  return {
    async plan(run, hold, services) {
      const judgement = await judge.judge(run, "start", services.lease.signal);
      const now = services.clock.now();
      // Of an emergency people hear at once: what cannot be read may have to be left out.
      const canWait = judgement.urgent === null && now + againMs <= run.createdAt + unreadMsMax;
      if (mayAnswerLater.includes(judgement.unread) && canWait) {
        await store.release(hold, now + againMs, now);
        return null;
      }
      const validated: EntryInput = {
        type: "run.validated",
        data: {
          findings: judgement.findings.map(({ code, observed, required, result }) => ({
            code,
            observed,
            required,
            result,
          })),
          inventoryDigest: digest(judgement.inventoryDigest),
          policyDigest: digest(judgement.policyDigest),
        },
      };
      await store.attachmentPut(judgement.policyBytes, "policy", now);
      const shared = {
        ...hold,
        from: "requested",
        at: now,
        notBefore: now,
        findings: judgement.findings.map(findingOf),
        data: runDataFacts(emptyRunData),
      } as const;
      const block = async (code: string): Promise<null> => {
        await store.transition({
          ...shared,
          to: "blocked",
          because: { code },
          release: true,
          entries: [validated],
          policyDigest: judgement.policyDigest,
        });
        return null;
      };
      const blocking = judgement.findings.find((finding) => finding.result === "block");
      if (judgement.blocked || judgement.known === null) return block(blocking?.code ?? "not-governed");
      let frozenPlan: FrozenPlan;
      try {
        frozenPlan = freeze(run, judgement, judgement.known, now);
      } catch (error) {
        // Validation passed, but the procedure has no safe order for this row: said, not retried for ever.
        if (!(error instanceof CountersignError) || error.code !== "PLAN_BLOCKED") throw error;
        return block("no-procedure-for-this");
      }
      const { plan, bytes, digest: planDigest } = frozenPlan;
      const procedure = `${plan.procedure.name}@${plan.procedure.major}`;
      const frozen: EntryInput = {
        type: "plan.frozen",
        data: {
          planDigest: digest(planDigest),
          policyDigest: digest(plan.policyDigest),
          procedure,
          procedureDigest: digest(plan.procedure.digest),
        },
      };
      const fence = await store.transition({
        ...shared,
        to: "planned",
        because: null,
        release: false,
        entries: [validated, frozen],
        plan: bytes,
        policyDigest: plan.policyDigest,
      });
      return {
        ...run,
        state: "planned",
        fence,
        planDigest,
        policyDigest: plan.policyDigest,
        data: runDataFacts(emptyRunData),
      };
    },
  };

  function freeze(run: RunRow, judgement: Judgement, known: NonNullable<Judgement["known"]>, now: number) {
    const tenant = ground.config.tenants.find((candidate) => candidate.name === known.row.tenant);
    if (tenant === undefined)
      throw new CountersignError("PLAN_BLOCKED", `expected tenant ${known.row.tenant} in the configuration, got none`);
    const { urgent } = judgement;
    const named = namedCredential(known);
    return makePlan({
      run: run.id,
      tenant: { name: tenant.name, id: tenant.id },
      trigger: run.trigger,
      requester: run.requester,
      row: known.row,
      world: known.world,
      settings: settingsOf(known),
      // What is compromised waits for no window.
      notBefore: urgent === null ? (nextOpening(known.policy.schedule, now, horizonMs) ?? now) : now,
      rules: rulesOf(judgement.findings).flatMap((rule) =>
        rule.result === "block" ? [] : [{ ...rule, result: rule.result }],
      ),
      risks: [
        ...(urgent === null ? [] : emergencyRisksOf(known, urgent.compromised ?? "", urgent)),
        ...(named === null ? [] : namedRisksOf(known, named)),
        ...risksOf(known),
      ],
      ...(urgent === null ? {} : { urgent }),
      ...(named === null ? {} : { named }),
      policyDigest: judgement.policyDigest,
      inventoryDigest: judgement.inventoryDigest,
    });
  }
}

function findingOf({ code, result, observed, required }: Finding) {
  return { code, result, observed, required };
}

/** A digest in the form that evidence's types ask for. */
function digest(text: string): `sha256:${string}` {
  if (!text.startsWith("sha256:"))
    throw new CountersignError("LOG_INVALID", `expected a digest, got ${text.slice(0, 20)}`);
  return text as `sha256:${string}`;
}
