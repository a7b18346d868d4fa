import { type BundleFiles, FILES, fileOf } from "../bundle/layout.ts";
import { formatReadme } from "../bundle/readme.ts";
import { IN_TOTO_PAYLOAD_TYPE, runRecord } from "../bundle/run-record.ts";
import { parseCanonical } from "../canonical.ts";
import { checkpointRef, verifyCheckpoint } from "../checkpoint.ts";
import { verifyEnvelope } from "../dsse.ts";
import { id as idShape } from "../fields.ts";
import { LIMITS } from "../limits.ts";
import { isClosed, ofType, type RunView } from "../run-view.ts";
import { isRecord } from "../shape.ts";
import type { Trust } from "../trust.ts";
import { checkApprovals, checkAuthorisation, checkQuorum } from "./approvals.ts";
import { checkConfirmed, checkUse, wordsOf } from "./break-glass.ts";
import { checkCloses, checkLeft } from "./close.ts";
import { checkConfirmations } from "./confirmations.ts";
import {
  checkAnchors,
  checkAttachments,
  checkContext,
  checkExact,
  checkFileSet,
  checkInventory,
  checkPlan,
  checkPolicy,
  erasedIn,
  needsGiven,
} from "./documents.ts";
import { factsOf, type ProvenRun } from "./facts.ts";
import { checkGenesis, checkInclusion, checkMoves, checkRunChain, checkSums, checkTimes, readEntries } from "./log.ts";
import { CheckList, type Nothing, nothing, type Report } from "./report.ts";
import { checkGate, checkOverlap, checkRemoved, checkResult } from "./retire.ts";
import { checkCalls, checkOrder, type ProvenCall } from "./steps.ts";
import { verifyPopulation } from "./verify-population.ts";

/** What was learned before a refusal ended the verification. */
interface Seen {
  run: string | null;
  state: string | null;
  open: boolean | null;
  clock: Report["clock"];
  profile: Report["profile"];
  separation: Report["separation"];
}

/**
 * Judges a bundle by a trust file. Everything in the bundle is taken as written by an attacker; nothing in it is
 * believed that the trust file does not lead to. Never throws: whatever cannot be checked is refused.
 */
export function verifyBundle(files: BundleFiles, trust: Trust | null): Report {
  const seen: Seen = { run: null, state: null, open: null, clock: null, profile: null, separation: null };
  if (trust === null) {
    const sentence =
      "No trust file was given: nothing in a bundle can vouch for the bundle. Get trust.json from someone you trust.";
    return { verdict: "no-trust", ...seen, checks: [], facts: [{ code: "no-trust", sentence }] };
  }
  if (files.has(FILES.population)) return verifyPopulation(files, trust);
  const list = new CheckList();
  try {
    const proven = proveRun(files, trust, list, seen);
    return { verdict: "proven", ...seen, checks: list.checks, facts: factsOf(proven) };
  } catch {
    return { verdict: "refused", ...seen, checks: list.checks, facts: [] };
  }
}

/** The claim, sentence by sentence. The first that does not hold ends it. */
function proveRun(files: BundleFiles, trust: Trust, list: CheckList, seen: Seen): ProvenRun {
  list.make("files", "SHA256SUMS lists exactly the files of the bundle.", () => checkSums(files));
  const note = list.make("checkpoint", "The state of the log is signed by a log key you trust.", () => {
    const bytes = fileOf(files, FILES.checkpoint);
    return { bytes, log: verifyCheckpoint(bytes, trust.origin, trust.logKeys) };
  });
  const { log } = note;
  const entries = list.make("entries", "Every entry is canonical, of a known type and within limits.", () =>
    readEntries(files, note.bytes),
  );
  list.make("inclusion", `Every entry stands in the log of ${log.size} entries.`, () => checkInclusion(entries, log));
  const run = list.make(
    "run-chain",
    (r: RunView) => chainSentence(r),
    () => checkRunChain(entries.run),
  );
  seen.run = run.id;
  seen.open = !isClosed(run);
  const genesis = list.make("genesis", "The log is the one the trust file names, from its first entry on.", () =>
    checkGenesis(entries, trust),
  ).data;
  seen.clock = genesis.clock;
  seen.profile = genesis.profile;
  seen.separation = genesis.separation;
  list.make("time-order", "Times follow the order of the log.", () => checkTimes(run));
  const state = list.make(
    "state-moves",
    (s: string) => `Every move was legal; the run is ${s}.`,
    () => checkMoves(run),
  );
  seen.state = state;

  const noPlan = nothing("There was no plan.");
  const notRetired = nothing("Nothing was retired.");
  list.make("policy", or("The policy is one you trust.", nothing("The run ended before any policy was applied.")), () =>
    checkPolicy(files, run, trust),
  );
  list.make(
    "inventory",
    or("The inventory is one you trust.", nothing("The run ended before any inventory was read.")),
    () => checkInventory(run, trust),
  );
  const plan = list.make("plan", or("The plan is the one that was frozen for this run.", noPlan), () =>
    checkPlan(files, run),
  );
  const erased = erasedIn(entries);
  const { approvals, use, closes } = list.make(
    "approvals",
    (said) => decisionsSentence(said.approvals.length + (said.use === undefined ? 0 : 1) + said.closes.length),
    () => ({
      closes: checkCloses(files, run, plan, erased, trust),
      approvals: checkApprovals(files, run, plan, erased, trust),
      use: checkUse(files, run, plan, entries.context, erased, trust),
    }),
  );
  const words = [...approvals, ...(use === undefined ? [] : wordsOf(use)), ...closes];
  const needs = needsGiven(run, words, entries.context);
  const named = new Set<string>([...needs.attachments, ...needs.statements]);
  const gone = new Set([...erased.keys()].filter((digest) => named.has(digest)));
  list.make("attachments", "Every text named by digest is here or was erased by an entry in the log.", () =>
    checkAttachments(files, needs, erased),
  );
  list.make("context", "The entries of no run are exactly those the check needs.", () =>
    checkContext(entries, run, needs, gone),
  );
  list.make("anchors", `The log still holds all that ${needs.anchors.size} signed checkpoint(s) saw of it.`, () => {
    const authorised = ofType(run, "run.authorised").map(({ entry }) => entry.data.checkpoint);
    checkAnchors(files, [...words.map((a) => a.statement.checkpoint), ...authorised], log, trust);
  });
  list.make("file-set", "The bundle has exactly the files its entries ask for.", () =>
    checkFileSet(files, entries, needs, gone, log.size),
  );

  const authorisation = list.make(
    "authorisation",
    or(
      "The run began on decisions that stood in the log, unexpired, none against.",
      nothing("The run was never authorised."),
    ),
    () => checkAuthorisation(run, plan, approvals, use?.granted, erased),
  );
  list.make(
    "quorum",
    or(
      "The plan's quorum was met by different people, none of them the requester.",
      nothing("No quorum was called for."),
    ),
    () => (plan === undefined || authorisation === undefined ? undefined : checkQuorum(plan, authorisation, trust)),
  );
  const calls = list.make("steps", stepsSentence, () => checkCalls(run, plan));
  list.make(
    "break-glass",
    or("What one person started alone was confirmed by another.", nothing("Nobody broke the glass.")),
    () => checkConfirmed(plan, run, use, authorisation, calls, state),
  );
  list.make(
    "left-as-is",
    or(
      "It was closed as it stands by one person and a second one of security.",
      nothing("The run was not left as it is."),
    ),
    () => checkLeft(run, closes, state),
  );
  list.make("step-order", or("Steps were done in the plan's order.", noPlan), () =>
    plan === undefined ? undefined : checkOrder(plan, calls),
  );
  list.make(
    "confirmations",
    (words) =>
      words === undefined
        ? nothing("Nothing was to be done by hand.")
        : `What was done by hand was confirmed by its owners (${words} word(s)).`,
    () => checkConfirmations(run, plan),
  );
  const overlapMs = list.make(
    "overlap",
    (ms) => (ms === undefined ? notRetired : `Old and new overlapped for ${ms / 1000} s.`),
    () => (plan === undefined ? undefined : checkOverlap(run, plan, calls)),
  );
  list.make(
    "retire-gate",
    (gate) =>
      gate === "forced"
        ? "An emergency: its authorisation was the forced retirement, so no gate was asked."
        : or("The gate was open at the plan's grade and every consumer confirmed.", notRetired)(gate),
    () => (plan === undefined ? undefined : checkGate(run, plan, calls)),
  );
  list.make("removed-credential", or("What was retired is the one credential the plan names.", notRetired), () =>
    plan === undefined ? undefined : checkRemoved(plan, calls),
  );
  list.make("result", `What state ${state} promises holds.`, () => checkResult(run, plan, calls, state));
  list.make("run-record", "The signed summary says what the entries say.", () =>
    checkRunRecord(files, run, trust, checkpointRef(log)),
  );
  list.make("readme", "README.txt says what the entries say.", () =>
    checkExact(files, FILES.readme, formatReadme(run, checkpointRef(log))),
  );
  return { run, genesis, log, trust, plan, approvals, use, closes, state, authorisation, calls, overlapMs, erased };
}

function chainSentence(run: RunView): string {
  const end = isClosed(run) ? "to its end" : "up to now (the run is open)";
  return `The run's ${run.entries.length} entries are complete from its request ${end}.`;
}

function decisionsSentence(count: number): string | Nothing {
  if (count === 0) return nothing("There is no decision of a person to check.");
  return `${count} decision(s) are what enrolled people signed, about exactly this plan.`;
}

function stepsSentence(calls: readonly ProvenCall[]): string | Nothing {
  if (calls.length === 0) return nothing("No effect was begun.");
  return "Every effect was intended first, after the authorisation, and is a step of the plan.";
}

/** The sentence if something was proven, else why there was nothing to prove. */
function or(sentence: string, otherwise: Nothing): (proven: unknown) => string | Nothing {
  return (proven) => (proven === undefined ? otherwise : sentence);
}

/** The summary is signed by a trusted run key and is, byte for byte, what the entries give. */
function checkRunRecord(files: BundleFiles, run: RunView, trust: Trust, log: Parameters<typeof runRecord>[1]): void {
  const { payload } = verifyEnvelope(fileOf(files, FILES.runRecord), IN_TOTO_PAYLOAD_TYPE, trust.runKeys);
  const statement = parseCanonical(payload, LIMITS.envelopeBytesMax);
  const predicate = isRecord(statement) ? statement["predicate"] : undefined;
  const build = idShape(isRecord(predicate) ? predicate["build"] : undefined, "predicate.build");
  checkExact(new Map([[FILES.runRecord, payload]]), FILES.runRecord, runRecord(run, log, build));
}
