import type { Checkpoint } from "../checkpoint.ts";
import type { EntryData } from "../entry-types.ts";
import type { PlanFacts } from "../plan.ts";
import { firstOf, governingValidation, isClosed, ofType, type RunView, requestOf } from "../run-view.ts";
import type { RunState } from "../states.ts";
import type { Trust } from "../trust.ts";
import type { ProvenApproval, ProvenAuthorisation } from "./approvals.ts";
import { type ProvenUse, useFacts } from "./break-glass.ts";
import type { ProvenClose } from "./close.ts";
import type { ReportFact } from "./report.ts";
import type { ProvenCall } from "./steps.ts";

/** All that has been proven about a run, for saying what it means. */
export interface ProvenRun {
  readonly run: RunView;
  readonly genesis: EntryData<"log.genesis">;
  readonly log: Checkpoint;
  readonly trust: Trust;
  readonly plan: PlanFacts | undefined;
  readonly approvals: readonly ProvenApproval[];
  readonly use: ProvenUse | undefined;
  readonly closes: readonly ProvenClose[];
  readonly state: RunState;
  readonly authorisation: ProvenAuthorisation | undefined;
  readonly calls: readonly ProvenCall[];
  readonly overlapMs: number | undefined;
  readonly erased: ReadonlyMap<string, string>;
}

/** What an auditor asks first, and what this bundle cannot show. */
export function factsOf(proven: ProvenRun): ReportFact[] {
  return [
    ...useFacts(proven.run, proven.use),
    ...closeFacts(proven),
    ...timeline(proven),
    ...compromiseClock(proven),
    ...limits(proven),
  ];
}

/** What a run that was closed as it stands has left. */
function closeFacts({ closes, state }: ProvenRun): ReportFact[] {
  return closes.map(({ given }) => {
    const { type, at, data } = given.entry;
    const said = type === "close.asked" ? "asked to leave" : "confirmed leaving";
    const end = state === "left_as_is" ? "" : " (the run went on)";
    const sentence = `LEFT AS IT IS: ${data.person} as ${data.role} ${said} what remains, ${data.remainsDigest}, at ${at}${end}.`;
    return { code: "left-as-is", sentence };
  });
}

function timeline({ run, plan, authorisation, calls, overlapMs }: ProvenRun): ReportFact[] {
  const facts: ReportFact[] = [];
  const say = (code: string, sentence: string) => facts.push({ code, sentence });
  const request = requestOf(run);
  say("requested", `Requested by ${request.data.requester} at ${request.at} (${request.data.trigger}).`);
  if (plan !== undefined) {
    const where = plan.prod ? "prod" : "not prod";
    say(
      "plan",
      `Plan ${firstOf(run, "plan.frozen")?.entry.data.planDigest}, procedure ${plan.procedure.name}@${plan.procedure.major}, ${where}.`,
    );
  }
  for (const { given } of authorisation?.counted ?? []) {
    const { person, role, level } = given.entry.data;
    say("approved", `Approved by ${person} as ${role} at ${given.entry.at} (${level}).`);
  }
  const first = calls[0]?.intent.entry;
  const validation = governingValidation(run);
  const blocks = validation?.entry.data.findings.filter((f) => f.result === "block") ?? [];
  for (const { code } of blocks) say("blocked-by", `Blocked by finding ${code}.`);
  if (first === undefined) say("no-effects", "No effect was begun.");
  else say("first-effect", `First effect intended at ${first.at}, after every counted approval.`);
  if (plan?.emergency !== null && overlapMs !== undefined)
    say("forced-retirement", "An emergency: the old credential was removed without overlap, as the plan says.");
  else if (overlapMs !== undefined)
    say("overlap", `Old and new were both valid for ${overlapMs / 1000} s before retirement.`);
  for (const { step, intent } of leftBehind(calls)) {
    const { attempt } = intent.entry.data;
    say(
      "left-behind",
      `Attempt ${attempt} of step ${step.id} may have left something that no entry of this run takes back.`,
    );
  }
  const open = calls.filter((c) => c.outcomes.length === 0).length;
  if (open > 0)
    say(
      "intents-without-outcome",
      `${open} intent(s) have no outcome: the process stopped in between, later attempts followed.`,
    );
  return facts;
}

/** In an emergency: how long it took from the report to the cut, and until every consumer was well again (D13). */
function compromiseClock({ run, plan, calls }: ProvenRun): ReportFact[] {
  if (plan === undefined || plan.emergency === null) return [];
  const reported = requestOf(run).at;
  const seconds = (at: string) => (Date.parse(at) - Date.parse(reported)) / 1_000;
  const lastOf = (phase: string) => {
    const steps = plan.steps.filter((step) => step.phase === phase);
    const done = steps.map((step) => {
      const outcomes = calls.filter((call) => call.step === step).flatMap((call) => call.outcomes);
      return outcomes.findLast(({ entry }) => entry.data.outcome === "done")?.entry.at;
    });
    if (steps.length === 0 || done.some((at) => at === undefined)) return undefined;
    return (done as string[]).toSorted().at(-1);
  };
  const [contained, restored] = [lastOf("retire"), lastOf("restore")];
  const { containWithinSeconds, restoreWithinSeconds } = plan.emergency;
  const told = (what: string, at: string | undefined, within: number) =>
    at === undefined
      ? `not ${what} yet (asked: within ${within} s)`
      : `${what} at ${at} after ${seconds(at)} s (asked: within ${within} s${seconds(at) > within ? "; LATE" : ""})`;
  const sentence = `Compromise reported at ${reported}; ${told("contained", contained, containWithinSeconds)}; ${told("restored", restored, restoreWithinSeconds)}.`;
  return [{ code: "compromise-clock", sentence }];
}

/** Superseded attempts whose effect may stand: a stalled process's credential is removed later, outside the run. */
function leftBehind(calls: readonly ProvenCall[]): ProvenCall[] {
  return calls.filter((call, i) => {
    const { direction, attempt } = call.intent.entry.data;
    const last = call.outcomes.at(-1)?.entry.data.outcome;
    if (direction !== "do" || !call.step.undoable || last === "failed") return false;
    const later = calls.slice(i + 1).filter((c) => c.step === call.step);
    const superseded = later.some(
      (c) => c.intent.entry.data.direction === "do" && c.intent.entry.data.attempt > attempt,
    );
    const discarded = later.some(
      (c) =>
        c.intent.entry.data.direction === "discard" &&
        c.intent.entry.data.attempt === attempt &&
        c.outcomes.at(-1)?.entry.data.outcome === "done",
    );
    return superseded && !discarded;
  });
}

function limits({ run, genesis, log, trust, approvals, authorisation, erased }: ProvenRun): ReportFact[] {
  const facts: ReportFact[] = [];
  const say = (code: string, sentence: string) => facts.push({ code, sentence });
  if (!isClosed(run)) say("open", "The run had not ended when this bundle was made: later entries are not shown.");
  if (genesis.clock === "virtual")
    say("virtual-clock", "Times come from a virtual clock: they show order, not when anything happened.");
  if (genesis.profile !== "production") say("profile", `The installation runs in profile ${genesis.profile}.`);
  if (genesis.separation === "none")
    say(
      "separation-none",
      "separation: none - one process holds every right, so the parts did not control each other.",
    );
  if (trust.solo) say("solo", "The installation is run by one person.");
  if (authorisation?.counted.some((a) => a.level === "session") === true) {
    say(
      "session-level",
      "Approvals are attested by the server's session key: whoever holds that key could have made them.",
    );
  }
  for (const [digest, at] of erased) say("erased", `${digest} was erased on ${at} by an entry in the log.`);
  const unread = ofType(run, "approval.given").length - approvals.length;
  if (unread > 0) say("erased-statements", `${unread} statement(s) were erased and not counted.`);
  const anchor = Math.max(0, ...approvals.map((a) => a.statement.checkpoint.size));
  say(
    "anchor",
    anchor === 0
      ? "No approval anchors this log: whoever holds its keys could have rewritten all of it before this bundle was made."
      : `Approvals anchor the first ${anchor} of ${log.size} log entries; whoever holds the log and run keys could have rewritten what follows.`,
  );
  say("outside", "Actions taken outside Countersign are not shown; compare with the provider's own audit log.");
  say("screen", "What an approver's screen showed cannot be proven; what was signed can.");
  return facts;
}
