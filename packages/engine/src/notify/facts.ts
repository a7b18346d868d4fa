import {
  checks,
  errorCodes,
  evaluateQuorum,
  type Facts,
  isCode,
  ownersOfCredential,
  type Plan,
  type RowOwners,
  thawPlan,
} from "@countersign/core";
import type { FindingRow, NoticeRow, RunRow, StepOutcome, Store } from "../store/index.ts";
import { plainText } from "./plain-text.ts";

/** What the notifier reads of the run that a notice is about. */
export interface RunContext {
  readonly run: RunRow;
  readonly plan: Plan | null;
  /** As the plan has them; else, where the inventory knows the application, as it has them now. */
  readonly owners: readonly string[];
  /** As the inventory has them now. */
  readonly businessOwners: readonly string[];
  /** Of the credential that the plan replaces, beside the application's; as the inventory has them now. */
  readonly credentialOwners: readonly string[];
  /** There is a plan, but what is stored is not what its digest says; nothing of it is told. */
  readonly planUnread: boolean;
  readonly findings: readonly FindingRow[];
  readonly decisions: readonly {
    readonly person: string;
    readonly role: string;
    readonly decision: "approve" | "reject";
  }[];
  /** How the last attempt of each step ended, in the order of the intents. */
  readonly outcomes: readonly StepOutcome[];
}

/** Owners of an application, as the inventory has them now; null where it does not know it. */
export type OwnersOf = (application: string) => RowOwners | null;

/** Everything about a run that a notice may say; null when there is no such run. A plan that cannot be read is told without. */
export async function contextOf(store: Store, id: string, ownersOf: OwnersOf): Promise<RunContext | null> {
  const told = await store.runTold(id);
  if (told === null) return null;
  const { run, plan: bytes, findings, decisions, outcomes } = told;
  const digest = run.planDigest;
  const plan = bytes === null || digest === null ? null : planIn(bytes, digest);
  const now = ownersOf(run.targetKey);
  return {
    run,
    plan,
    owners: plan?.baseline.owners ?? now?.owners ?? [],
    businessOwners: now?.businessOwners ?? [],
    credentialOwners: now === null ? [] : ownersOfCredential(now, plan?.old.id ?? null),
    planUnread: plan === null && digest !== null,
    findings,
    decisions,
    outcomes,
  };
}

function planIn(bytes: Uint8Array, digest: string): Plan | null {
  try {
    return thawPlan(bytes, digest).plan;
  } catch (error) {
    if (isCode(error, "AUTHORISATION_INVALID")) return null;
    throw error;
  }
}

/** The database takes 128 KiB with whom it is for. */
const factsBytesMax = 96 * 1_024;
const linesMax = 20;
const lineCharsMax = 300;
/** Steps whose outcomes are told; a plan may have more. */
const outcomesMax = 60;
const sentences: ReadonlyMap<string, string> = new Map([
  ...Object.entries(errorCodes),
  ...checks.map((check): [string, string] => [check.code, check.sentence]),
]);

/** What a code means, in words: the sentence of the rule or error that has it, else the code itself without its dashes. */
export function sentenceOf(code: string): string {
  return sentences.get(code) ?? code.replaceAll(/[-_]/g, " ").toLowerCase();
}

/** Requirements of the plan that nobody has met yet, with the people who may. */
export function missingApprovals({ plan, decisions }: RunContext) {
  return plan === null ? [] : evaluateQuorum(plan.approvals, plan.requester, decisions).missing;
}

/** People who may confirm, and later review, what one of them starts alone. */
export function mayConfirm({ plan }: Pick<RunContext, "plan">): string[] {
  return [...new Set(plan?.breakGlass?.confirm.flatMap(({ people }) => people) ?? [])];
}

/**
 * Everything a person needs to know, and the address of the page where something can be done about it: there is never a
 * button here. No secret can stand in it: plans, findings and journals hold none (I7).
 */
export function factsOf(notice: NoticeRow, context: RunContext | null, link: string): Facts {
  const all = allFacts(notice, context, link);
  if (Buffer.byteLength(JSON.stringify(all)) <= factsBytesMax) return all;
  // Too much for one message: what happened and where to read the rest.
  const { application, tenant, environment, state, because, owners } = all;
  return {
    ...withoutUndefined({ application, tenant, environment, state, because, owners }),
    kind: notice.kind,
    run: notice.runId,
    link,
    cut: true,
  };
}

function withoutUndefined(facts: Readonly<Record<string, Facts[string] | undefined>>): Facts {
  return Object.fromEntries(
    Object.entries(facts).filter((entry): entry is [string, Facts[string]] => entry[1] !== undefined),
  );
}

function allFacts(notice: NoticeRow, context: RunContext | null, link: string): Facts {
  const because = notice.payload.because as { readonly code?: unknown } | null | undefined;
  const code = typeof because?.code === "string" ? because.code : null;
  return {
    ...(context === null ? {} : runFacts(context)),
    ...(notice.kind === "breakglass.used" && context !== null ? termsOf(context, notice.createdAt) : {}),
    ...notice.payload,
    ...(code === null ? {} : { because: { ...(because as Facts), sentence: sentenceOf(code) } }),
    kind: notice.kind,
    run: notice.runId,
    link,
  };
}

function runFacts(context: RunContext): Facts {
  const { run, plan } = context;
  const blocking = context.findings.filter((finding) => finding.result === "block");
  const approveUntil = run.data.approveUntil;
  return {
    application: run.targetKey,
    tenant: run.tenant,
    environment: run.environment,
    state: run.state,
    procedure: run.procedure,
    trigger: run.trigger,
    requester: run.requester,
    ...ownerFacts(context),
    ...(blocking.length === 0
      ? {}
      : {
          blockedBy: blocking
            .slice(0, linesMax)
            .map(({ code, observed, required }) => ({ code, sentence: sentenceOf(code), observed, required })),
        }),
    ...(plan === null ? {} : planFacts(plan)),
    ...(context.outcomes.length === 0 ? {} : outcomeFacts(context.outcomes)),
    ...(context.planUnread ? { planUnread: true } : {}),
    ...(run.state === "awaiting_approval" && typeof approveUntil === "number"
      ? {
          approveUntil: new Date(approveUntil).toISOString(),
          missing: missingApprovals(context).map(({ role, count, people }) => ({ role, count, people: [...people] })),
        }
      : {}),
  };
}

/** What nobody is named for is left out. */
function ownerFacts({ owners, businessOwners, credentialOwners }: RunContext): Facts {
  return Object.fromEntries(
    Object.entries({ owners, businessOwners, credentialOwners }).flatMap(([key, people]) =>
      people.length === 0 ? [] : [[key, [...people]]],
    ),
  );
}

/** What the others have to do about a use, and until when. */
function termsOf({ plan }: RunContext, usedAt: number): Facts {
  const terms = plan?.breakGlass;
  if (terms === undefined) return {};
  const until = (seconds: number) => new Date(usedAt + seconds * 1_000).toISOString();
  return {
    mayConfirm: mayConfirm({ plan }),
    confirmUntil: until(terms.confirmWithinSeconds),
    reviewUntil: until(terms.reviewWithinSeconds),
  };
}

function outcomeFacts(outcomes: readonly StepOutcome[]): Facts {
  const told = outcomes.slice(0, outcomesMax).map(({ step, direction, outcome, attempt, code }) => ({
    step,
    direction,
    outcome: outcome ?? "under way",
    attempts: attempt,
    ...(code === null ? {} : { code, sentence: sentenceOf(code) }),
  }));
  return { outcomes: told, ...(outcomes.length > outcomesMax ? { outcomesMore: outcomes.length - outcomesMax } : {}) };
}

/** What the rules have seen that approvers must know, and that stops nothing; risks are told by themselves. */
function warningsOf({ rules, risks }: Plan): string[] {
  const told = new Set(risks.map(({ code }) => code));
  return rules
    .filter(({ rule, result }) => result === "warn" && !told.has(rule))
    .map(({ rule, observed }) => `${sentenceOf(rule)} Seen: ${observed}.`);
}

function planFacts(plan: Plan): Facts {
  const { target, timing } = plan;
  const lines = (texts: readonly string[]) => {
    const shown = texts.slice(0, linesMax).map((text) => plainText(text, lineCharsMax));
    return texts.length > linesMax ? [...shown, `and ${texts.length - linesMax} more`] : shown;
  };
  return {
    application: target.name,
    tenant: plan.tenant.name,
    tenantId: plan.tenant.id,
    ...(target.kind === "entra-application" ? { appId: target.appId, objectId: target.objectId } : {}),
    prod: plan.prod,
    credential: { id: plan.old.id, expiresAt: plan.old.expiresAt },
    proposed: {
      notBefore: timing.notBefore,
      lifetimeSeconds: timing.lifetimeSeconds,
      overlapSeconds: timing.overlapSeconds,
    },
    steps: lines(plan.steps.map((step) => step.describe)),
    rollback: lines(plan.steps.flatMap(({ undo }) => ("describe" in undo ? [undo.describe] : []))),
    irreversible: lines(plan.irreversible),
    risks: lines(plan.risks.map((risk) => risk.sentence)),
    warnings: lines(warningsOf(plan)),
    approvals: plan.approvals.require.map(({ role, count }) => ({ role, count })),
  };
}
