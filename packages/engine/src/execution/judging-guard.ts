import {
  type Authorisation,
  authorise,
  authoriseBreakGlass,
  type Connectors,
  CountersignError,
  type Drift,
  driftOf,
  type ErrorCode,
  goesBackTo,
  isOpen,
  nextOpening,
  noOwnEffects,
  type OwnEffects,
  type Plan,
  proveClose,
  proveConfirmation,
  rulesOf,
  type StoredApproval,
  settingsOf,
  thawPlan,
} from "@countersign/core";
import {
  type CheckpointRef,
  digestOf,
  type Entry,
  openClose,
  parseEntry,
  parsePlan,
  remainsOf,
  type Trust,
} from "@countersign/evidence";
import type { EngineClock } from "../clock/clock.ts";
import { type BreakGlassRow, type Checkpointer, type RunRow, type Store, together } from "../store/index.ts";
import type { Ground } from "./ground.ts";
import type { Guard, StartVerdict } from "./guard.ts";
import type { Judge, Judgement } from "./judge.ts";
import type { Because } from "./phases/moves.ts";
import { unconfirmed as noSecondPerson } from "./phases/second-person.ts";
import { assertRowFitsPlan } from "./row-check.ts";
import { readRunData } from "./run-data.ts";
import type { RunWork } from "./run-work.ts";

const horizonMs = 400 * 86_400_000;
/** When something outside the run stops its start, it looks again after this (domain time). */
const againMs = 60_000;
/** System clock and database clock may differ by so much; beyond that nothing is touched. */
const skewMsMax = 30_000;
/** Words that close a run must count for so long yet: the move is logged a moment after they were proven. */
const closeMarginMs = 5_000;

const beforeApproval: ReadonlySet<string> = new Set(["requested", "planned", "awaiting_approval"]);

/** What keeps a start waiting without voiding anything. */
const passing: readonly ErrorCode[] = [
  "INVENTORY_UNTRUSTED",
  "INVENTORY_INVALID",
  "POLICY_UNTRUSTED",
  "POLICY_INVALID",
  "TRUST_INVALID",
  "CLOCK_SKEWED",
  "LOG_BEHIND",
  "LOG_INVALID",
];

/** Why nobody vouches for it, now or at all; throws every other error on. */
function notVouched(error: unknown): ErrorCode {
  if (error instanceof CountersignError && (error.code === "AUTHORISATION_INVALID" || passing.includes(error.code)))
    return error.code;
  throw error;
}

/** The executor's guard: trusts its own files, signatures and what it reads outside; rows only name things. */
export function createGuard(options: {
  readonly store: Store;
  readonly clock: EngineClock;
  readonly connectors: Connectors;
  readonly ground: Ground;
  readonly judge: Judge;
  readonly checkpointer: Checkpointer;
}): Guard {
  const { store, clock, ground, judge } = options;

  // Asked by many runs that begin together: they share one question.
  const frozen = together(async () => {
    const scopes = new Set((await store.frozen()).map(({ scope }) => scope));
    return (tenant: string) => scopes.has("all") || scopes.has(`tenant:${tenant}`);
  });

  async function entriesOf(run: string): Promise<Entry[]> {
    return (await store.entriesOfRun(run)).map((row) => parseEntry(row.entry));
  }

  /** Signatures over this plan, proven against the trust file and what policy asks for now: a quorum, or a grant. */
  async function prove(work: Proven, trust: Trust, required: Required) {
    await assertRowFitsPlan(store, work.row, work.frozen.plan);
    const use = await store.breakGlass(work.row.id);
    const authorisation =
      use === null ? await proveQuorum(work, trust, required) : proveGrant(work, use, trust, required);
    const entries = await entriesOf(work.row.id);
    const type = use === null ? "approval.given" : "breakglass.granted";
    assertLogged(entries, type, authorisation.statements);
    return { ...authorisation, entries };
  }

  async function proveQuorum(work: Proven, trust: Trust, required: Required): Promise<Authorisation> {
    const rows = await store.approvals(work.row.id);
    const stored = rows.flatMap(({ statement, envelope }) =>
      statement === null || envelope === null ? [] : [{ statement, envelope }],
    );
    return authorise(work.frozen, stored, trust, required.quorum, null);
  }

  async function takesOver(emergency: RunRow, run: string): Promise<boolean> {
    const bytes = emergency.planDigest === null ? null : await store.plan(emergency.planDigest);
    if (emergency.planDigest === null || bytes === null || beforeApproval.has(emergency.state)) return false;
    // Frozen, drifted, or before a directory that does not answer: it may yet be withdrawn, and the older run go on.
    if (!readRunData(emergency.data).takesOver) return false;
    try {
      const frozen = thawPlan(bytes, emergency.planDigest);
      if (frozen.plan.emergency?.supersedes?.run !== run) return false;
      const { expiresAt, entries } = await prove({ row: emergency, frozen }, ground.trust(), requiredBy(frozen.plan));
      // An authorisation that can start nothing any more takes over nothing either.
      return clock.now() < expiresAt || entries.some(({ type }) => type === "run.authorised");
    } catch (error) {
      notVouched(error);
      return false;
    }
  }

  async function unconfirmed(work: RunWork): Promise<Because | null> {
    const use = await store.breakGlass(work.id);
    if (use === null) return null;
    if (use.confirmedAt === null) return { code: noSecondPerson };
    try {
      const trust = ground.trust();
      const roles = (work.plan.breakGlass?.grant ?? []).map(({ role }) => role);
      const { person } = proveGrant(work, use, trust, { quorum: [], alone: roles });
      const stored = wordOf(use.confirmedStatementBytes, use.confirmedEnvelopeBytes);
      const { digest } = proveConfirmation(work.frozen, stored, trust, person);
      assertLogged(await entriesOf(work.id), "breakglass.confirmed", [digest]);
      return null;
    } catch (error) {
      return { code: notVouched(error) };
    }
  }

  async function leftAsItIs(work: RunWork): Promise<boolean> {
    const run = {
      id: work.id,
      entries: (await entriesOf(work.id)).map((entry, index) => ({ entry, index, leaf: "" })),
    };
    const { asked, confirmed } = openClose(run);
    if (asked === undefined || confirmed === undefined) return false;
    const remains = digestOf(remainsOf(run, parsePlan(work.frozen.bytes)));
    if (asked.remainsDigest !== remains || confirmed.remainsDigest !== remains) return false;
    const rows = await store.closeWords(work.id);
    const stored = ({ statementDigest }: { readonly statementDigest: string }) => {
      const row = rows.find((candidate) => candidate.statementDigest === statementDigest);
      return wordOf(row?.statement ?? null, row?.envelope ?? null);
    };
    try {
      const words = { asked: stored(asked), confirmed: stored(confirmed) };
      proveClose(work.frozen, words, ground.trust(), remains, clock.now() + closeMarginMs);
      return true;
    } catch (error) {
      notVouched(error);
      return false;
    }
  }

  async function underWay(work: RunWork): Promise<Because | null> {
    if (await store.restoredSince(work.id)) return { code: "log-restored" };
    try {
      const { entries } = await prove(work, ground.trust(), requiredBy(work.plan));
      const consumed = entries.some(
        (entry) => entry.type === "run.authorised" && entry.data.planDigest === work.frozen.digest,
      );
      return consumed ? null : { code: "AUTHORISATION_INVALID" };
    } catch (error) {
      return { code: notVouched(error) };
    }
  }

  async function assertClock(): Promise<void> {
    if (clock.kind === "virtual") return;
    const skewMs = Math.abs((await store.databaseNow()) - clock.now());
    if (skewMs > skewMsMax)
      throw new CountersignError(
        "CLOCK_SKEWED",
        `expected clocks within ${skewMsMax} ms, got ${Math.round(skewMs)} ms`,
      );
  }

  async function beforeFirstEffect(work: RunWork): Promise<StartVerdict> {
    const now = clock.now();
    if (await frozen(work.plan.tenant.name)) return { kind: "wait", until: now + againMs, because: { code: "frozen" } };
    try {
      await assertClock();
      const judgement = await judge.judge(work.row, "start", work.services.lease.signal);
      if (judgement.row !== null && judgement.world === null)
        return { kind: "wait", until: now + againMs, because: { code: "world-unreadable" } };
      const required = requiredNow(judgement);
      const reasons = [
        ...driftBetween(work.plan, judgement, noOwnEffects),
        ...stricterApprovals(work.plan, required.quorum),
      ];
      if (reasons.length > 0) return { kind: "drifted", reasons };

      const authorisation = await prove(work, ground.trust(), required);
      if (now >= authorisation.expiresAt) return { kind: "expired" };
      const schedule = work.plan.emergency === undefined ? judgement.policy?.schedule : undefined;
      if (schedule !== undefined && !isOpen(schedule, now)) {
        return {
          kind: "wait",
          until: nextOpening(schedule, now, horizonMs) ?? now + againMs,
          because: { code: "window-closed" },
        };
      }
      const checkpoint: CheckpointRef = await options.checkpointer.checkpointNow();
      const statements = authorisation.statements as `sha256:${string}`[];
      return {
        kind: "go",
        authorised: {
          checkpoint,
          kind: authorisation.kind,
          planDigest: work.frozen.digest as `sha256:${string}`,
          statements,
        },
      };
    } catch (error) {
      if (!(error instanceof CountersignError)) throw error;
      if (error.code === "AUTHORISATION_INVALID") return { kind: "refused", because: { code: error.code } };
      if (passing.includes(error.code)) return { kind: "wait", until: now + againMs, because: { code: error.code } };
      throw error;
    }
  }

  async function beforeRetirement(work: RunWork): Promise<Because | null> {
    if (await store.restoredSince(work.id)) return { code: "log-restored" };
    try {
      await assertClock();
      if (await frozen(work.plan.tenant.name)) return { code: "frozen" };
      const judgement = await judge.judge(work.row, "retire", work.services.lease.signal);
      // What cannot be read now is waited for; what is not in the inventory any more is for a person.
      if (judgement.row === null) return { code: "row-gone" };
      if (judgement.world === null) return { code: "world-unreadable" };
      const own = ownEffects(work);
      if (judgement.world.record.version === null || !own.recordVersions.has(judgement.world.record.version))
        return { code: "record-changed" };
      const [drift] = driftBetween(work.plan, judgement, own);
      if (drift !== undefined) return { code: drift.code };
      const { entries } = await prove(work, ground.trust(), requiredNow(judgement));
      // The cut of an emergency does not wait for the second person; everything else that ends a credential does.
      const missing = work.plan.emergency === undefined ? await unconfirmed(work) : null;
      if (missing !== null) return missing;
      // From the log, not from the run's working data, which is no evidence.
      const cutOver = entries.findLast(
        ({ type, data }) => type === "run.moved" && data.from === "executing" && data.to === "overlapping",
      );
      const overlapMs = work.plan.timing.overlapSeconds * 1_000;
      if (cutOver === undefined || clock.now() < Date.parse(cutOver.at) + overlapMs)
        return { code: "overlap-not-over" };
      await options.checkpointer.checkpointNow();
      return null;
    } catch (error) {
      return { code: notVouched(error) };
    }
  }

  async function beforeRollBack(work: RunWork): Promise<Because | null> {
    const { timing, baseline } = work.plan;
    const back = goesBackTo(work.plan);
    // Of what is not known it cannot be said how long it lasts.
    const until = back === null ? 0 : back.expiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(back.expiresAt);
    const remainingMs = until - clock.now();
    // The minimum keeps a roll back from happening by itself; a person who asks for one has read how long the old lasts.
    const asked = work.data.rollback?.code === "asked-for";
    if (!asked && remainingMs < timing.rollbackMinRemainingSeconds * 1_000) return { code: "rollback-minimum" };
    const row = ground.inventory().rows.find((candidate) => candidate.name === work.row.targetKey);
    const reader = options.connectors.worlds.get(row?.procedure ?? "");
    if (row === undefined || reader === undefined || baseline.recordVersion === null) return { code: "no-way-back" };
    const signsIn = await reader.versionSignsIn(
      { clock, signal: work.services.lease.signal },
      row,
      baseline.recordVersion,
    );
    return signsIn === true ? null : { code: signsIn === false ? "old-refused" : "old-not-shown" };
  }

  async function recordHeld(work: RunWork, versions: readonly string[]): Promise<Because | null> {
    const { world } = await judge.judge(work.row, "retire", work.services.lease.signal);
    if (world === null) return { code: "world-unreadable" };
    const { version } = world.record;
    return version !== null && versions.includes(version) ? null : { code: "record-changed" };
  }

  return {
    beforeFirstEffect,
    underWay,
    beforeRetirement,
    beforeRollBack,
    recordHeld,
    takesOver,
    unconfirmed,
    leftAsItIs,
    restored: (run) => store.restoredSince(run),
    frozen,
  };
}

/** A run and the plan that its row names. */
type Proven = Pick<RunWork, "row" | "frozen">;

/** What must stand behind a plan. */
interface Required {
  readonly quorum: Plan["approvals"]["require"];
  /** Roles that may start alone. */
  readonly alone: readonly string[];
}

function requiredBy({ approvals, breakGlass }: Pick<Plan, "approvals" | "breakGlass">): Required {
  return { quorum: approvals.require, alone: (breakGlass?.grant ?? []).map(({ role }) => role) };
}

/** What this executor's own policy asks for now. */
function requiredNow({ known }: Judgement): Required {
  return known === null ? { quorum: [], alone: [] } : requiredBy(settingsOf(known));
}

function proveGrant(work: Proven, use: BreakGlassRow, trust: Trust, required: Required) {
  return authoriseBreakGlass(work.frozen, wordOf(use.statement, use.envelope), trust, required.alone, null);
}

function wordOf(statement: Uint8Array | null, envelope: Uint8Array | null): StoredApproval {
  if (statement === null || envelope === null)
    throw new CountersignError("AUTHORISATION_INVALID", "expected a signed word, got none or an erased one");
  return { statement, envelope };
}

/** What is believed must stand in the log: rows alone could have been written by anybody. */
function assertLogged(
  entries: readonly Entry[],
  type: "approval.given" | "breakglass.granted" | "breakglass.confirmed",
  statements: readonly string[],
): void {
  const logged = new Set(
    entries.flatMap((entry) =>
      entry.type === type ? [(entry.data as { statementDigest: string }).statementDigest] : [],
    ),
  );
  const missing = statements.find((statement) => !logged.has(statement));
  if (missing !== undefined)
    throw new CountersignError("AUTHORISATION_INVALID", `expected ${type} of ${missing} in the log, got none`);
}

function driftBetween(plan: Plan, judgement: Judgement, own: OwnEffects): Drift[] {
  if (judgement.world === null)
    return [{ code: "row-gone", required: plan.baseline.rowDigest, observed: "not in the inventory" }];
  const { urgent, input, world, row, findings } = judgement;
  // See judge.ts: before the cut of an emergency no consumer is looked at.
  const compared = urgent !== null && input.at === "retire" ? { ...plan, consumers: [] } : plan;
  return driftOf(compared, world, row, rulesOf(findings), own);
}

/** Policy asks for more people than the plan did: what was given is not enough any more. */
function stricterApprovals(plan: Plan, required: Plan["approvals"]["require"]): Drift[] {
  return required.flatMap(({ role, count }) => {
    const planned = plan.approvals.require.find((item) => item.role === role)?.count ?? 0;
    return planned >= count
      ? []
      : [{ code: "rule:approvals", required: `${count} x ${role}`, observed: `${planned} x ${role}` }];
  });
}

/** What this run itself has changed so far; never drift. */
function ownEffects(work: RunWork): OwnEffects {
  const credentialIds = new Set<string>();
  const recordVersions = new Set<string>();
  const consumers = new Set<string>();
  for (const step of work.plan.steps) {
    for (const attempt of work.attempts(step.id, "do")) {
      for (const name of ["keyId", "role"])
        if (typeof attempt.objectIds[name] === "string") credentialIds.add(attempt.objectIds[name]);
      if (step.id === "store" && typeof attempt.objectIds.version === "string")
        recordVersions.add(attempt.objectIds.version);
    }
  }
  for (const consumer of work.plan.consumers) consumers.add(consumer.name);
  return { credentialIds, recordVersions, consumers };
}
