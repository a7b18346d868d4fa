import type { Plan, RunDetail, RunSummary } from "@countersign/contract";
import { evaluateQuorum } from "@countersign/core";
import type { ApiStore, KnownPerson, RunRecord, StoredApproval } from "../ports.ts";
import { breakGlassView } from "./break-glass.ts";
import { closingOf } from "./close.ts";
import { compromiseClock } from "./compromise.ts";
import { lastOf, readEntries } from "./entries.ts";
import { handSteps } from "./hand.ts";
import { actionsFor, mayDecide } from "./permissions.ts";
import { reasonText } from "./reason.ts";
import { sentenceOf } from "./sentences.ts";
import { stepViews } from "./steps.ts";
import { gateOf, storyOf } from "./story.ts";
import { iso } from "./time.ts";

/** Entries of one run that a page shows; a run with more is read with `/entries`. */
const entriesMax = 2_000;
/** Deliveries of one run that a page shows. */
const noticesMax = 200;

/** Reads a stored plan for display. Its digest is recomputed by whoever shows it; the executor verifies it by itself. */
export function planOf(text: string | null): Plan | null {
  return text === null ? null : (JSON.parse(text) as Plan);
}

export function summaryOf(run: RunRecord, waitsForYou: boolean): RunSummary {
  return {
    id: run.id,
    application: run.row,
    procedure: run.procedure,
    tenant: run.tenant,
    environment: run.environment,
    state: run.state,
    trigger: run.trigger as RunSummary["trigger"],
    requester: run.requester,
    requestedAt: iso(run.requestedAt),
    changedAt: iso(run.changedAt),
    notBefore: iso(run.notBefore),
    because: run.because,
    planDigest: run.planDigest,
    waitsForYou,
  };
}

/** Whether this person may decide on the run now. */
export async function waitsFor(store: ApiStore, run: RunRecord, person: KnownPerson, now: number): Promise<boolean> {
  if (run.state !== "awaiting_approval" || run.planDigest === null) return false;
  const plan = planOf(await store.plan(run.planDigest));
  return mayDecide(run, plan, await store.approvals(run.id, run.planDigest), person, now).permission.allowed;
}

/** Everything a page about one run shows, folded from the run's own entries. */
export async function detailOf(store: ApiStore, run: RunRecord, person: KnownPerson, now: number): Promise<RunDetail> {
  const [stored, text, approvals, notices] = await Promise.all([
    store.runEntries(run.id, 0, entriesMax),
    run.planDigest === null ? null : store.plan(run.planDigest),
    run.planDigest === null ? [] : store.approvals(run.id, run.planDigest),
    store.deliveries({ run: run.id, limit: noticesMax }),
  ]);
  const entries = readEntries(stored);
  const plan = planOf(text);
  const requested = entries.find((entry) => entry.type === "run.requested");
  const decide = mayDecide(run, plan, approvals, person, now);
  return {
    run: {
      ...summaryOf(run, decide.permission.allowed),
      because: lastOf(entries, "run.moved")?.data.because ?? run.because,
    },
    reason: await reasonText(store, requested?.data.reasonDigest ?? null),
    replaces: run.replaces,
    replacedBy: run.replacedBy,
    plan: text === null || run.planDigest === null ? null : { digest: run.planDigest, text },
    approvals: {
      expiresAt: iso(run.approvalExpiresAt),
      given: await givenApprovals(store, run, plan, approvals),
      missing: plan === null ? [] : missingOf(plan, approvals),
      yourRoles: decide.roles,
      you: decide.permission,
    },
    breakGlass: await breakGlassView(store, run, plan, person, now),
    close: await closingOf(store, run, plan, person, now),
    findings: findingsOf(entries),
    steps: stepViews(plan, entries),
    hand: handSteps(run, plan, entries, person),
    gate: gateOf(entries),
    compromise: compromiseClock(plan, entries),
    story: storyOf(entries),
    waits: waitsOf(run, plan, entries),
    notices: [...notices],
    actions: actionsFor(run, person, isCut(plan, entries)),
    entries: entries.length,
  };
}

/** Whether an emergency has taken the compromised credential away, or may have: there is nothing to go back to. */
function isCut(plan: Plan | null, entries: ReturnType<typeof readEntries>): boolean {
  if (plan?.emergency === undefined) return false;
  const cuts = new Set(plan.steps.filter(({ phase }) => phase === "retire").map(({ id }) => id));
  return entries.some((entry) => entry.type === "step.intent" && cuts.has(entry.data.step));
}

function findingsOf(entries: ReturnType<typeof readEntries>): RunDetail["findings"] {
  const found: RunDetail["findings"] = lastOf(entries, "run.validated")?.data.findings ?? [];
  return found.map((finding) => ({ ...finding, sentence: sentenceOf(finding.code) }));
}

/** Roles that must still sign. */
export function missingOf(plan: Plan, approvals: readonly StoredApproval[]): RunDetail["approvals"]["missing"] {
  return evaluateQuorum(plan.approvals, plan.requester, approvals).missing.map((item) => ({
    ...item,
    people: [...item.people],
  }));
}

async function givenApprovals(
  store: ApiStore,
  run: RunRecord,
  plan: Plan | null,
  approvals: readonly StoredApproval[],
): Promise<RunDetail["approvals"]["given"]> {
  const refused = plan === null ? [] : evaluateQuorum(plan.approvals, run.requester, approvals).refused;
  return Promise.all(
    approvals.map(async (approval) => ({
      person: approval.person,
      role: approval.role,
      decision: approval.decision,
      at: iso(approval.at),
      level: approval.level,
      statementDigest: approval.statementDigest as `sha256:${string}`,
      reason: await reasonText(store, approval.reasonDigest),
      refused: refused.find((item) => item.person === approval.person && item.role === approval.role)?.because ?? null,
    })),
  );
}

function waitsOf(run: RunRecord, plan: Plan | null, entries: ReturnType<typeof readEntries>): RunDetail["waits"] {
  const waits: RunDetail["waits"] = [];
  if (run.state === "awaiting_approval" && run.approvalExpiresAt !== null) {
    waits.push({ kind: "approval-expires", until: iso(run.approvalExpiresAt) });
  }
  if ((run.state === "approved" || run.state === "scheduled") && run.notBefore !== null) {
    waits.push({ kind: "not-before", until: iso(run.notBefore) });
  }
  if (run.state === "overlapping" && plan !== null) {
    const since = entries.find((entry) => entry.type === "run.moved" && entry.data.to === "overlapping");
    if (since !== undefined)
      waits.push({ kind: "overlap-ends", until: iso(Date.parse(since.at) + plan.timing.overlapSeconds * 1_000) });
  }
  if (
    (run.state === "overlapping" || run.state === "rolling_back" || run.state === "retiring") &&
    run.notBefore !== null
  ) {
    waits.push({ kind: "look-again", until: iso(run.notBefore) });
  }
  return waits;
}
