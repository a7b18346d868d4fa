import type { Journal, JournalStep, Observation } from "./observe.ts";
import { committed, type Effect } from "./stage/effects.ts";
import { consumersOf, isNamed, programOf } from "./stage/names.ts";

/** A broken promise: which, at which point, and what was seen. */
export interface Violation {
  readonly point: string;
  /** `reached`, `recovery`, `ended`, `evidence`, or the invariant (docs/invariants.md). */
  readonly rule: string;
  readonly sentence: string;
}

/**
 * What only this suite can know of one run: where it was struck, how it was to end, and what stood in journal and tenant
 * at the instant of the blow. The invariants are judged by the history checker (`tests/history/check.ts`).
 * `crash`: false for a clean run, which has no point to reach.
 */
export function check(seen: Observation, crash: boolean): Violation[] {
  const found: Violation[] = [];
  const must = (holds: boolean, rule: string, sentence: string) => {
    if (!holds) found.push({ point: seen.point, rule, sentence });
  };
  if (crash) {
    must(seen.reached, "reached", "expected the point to be reached, it was not");
    must(
      seen.recoveryMs === null || seen.recoveryMs <= seen.recoveryMsMax,
      "recovery",
      `expected the run to be taken up within ${seen.recoveryMsMax} ms, got ${Math.round(seen.recoveryMs ?? 0)} ms`,
    );
  }
  must(seen.unfenced === null, "I6", seen.unfenced ?? "");
  must(
    seen.deadValues.length === 0,
    "I1",
    `expected the record to hold a live value, it did not ${seen.deadValues[0]}`,
  );
  must(seen.stuck === null, "ended", seen.stuck ?? "");
  const { journal, plan } = seen;
  if (journal === null || plan === null) {
    must(false, "ended", "expected a run with a plan, got none");
    return found;
  }
  // What a stalled process published late is for a person to decide: then the run was rolled back.
  const goesBack = seen.row.course === "back" || (seen.hasStalled && journal.state === "rolled_back");
  const goal = goesBack ? "rolled_back" : "completed";
  must(journal.state === goal, "ended", `expected ${goal}, got ${journal.state}`);
  must(seen.bundle === "proven", "evidence", `expected a proven bundle, got ${seen.bundle}`);
  checkLeft(seen, plan.old.id, goesBack, must);
  if (seen.atCrash !== null) checkOrder(seen.atCrash.effects, seen.atCrash.journal, must);
  return found;
}

type Must = (holds: boolean, rule: string, sentence: string) => void;

/**
 * I1, I3: exactly one credential is left, the one that was to be; its value is what the record holds, found by signing in
 * with it; and every consumer has come to it. A role's password is in no listing: who may log in says which one is left.
 */
function checkLeft(seen: Observation, old: string, goesBack: boolean, must: Must): void {
  const { live, stays, inRecord, orphans } = seen;
  const left = leftOf(seen);
  must(stays === null || live.includes(stays), "I5", `expected ${stays} to stay, which nobody has named, it did not`);
  must(left.length === 1, "I3", `expected one live credential, got ${left.length}`);
  must(
    (left[0] === old) === goesBack,
    "I5",
    `expected ${goesBack ? "the old" : "a new"} credential to be left, got ${left[0]}`,
  );
  const held = heldOf(seen, goesBack);
  must(inRecord !== null && held === inRecord, "I3", `expected the record to hold ${held}, got ${inRecord}`);
  must(orphans === 0, "I3", `expected no orphan, got ${orphans}`);
  const program = isNamed(seen.row) ? [programOf(seen.row)] : [];
  for (const name of [...consumersOf(seen.row).map((consumer) => consumer.name), ...program]) {
    const last = seen.effects.findLast((effect) => isSignIn(effect) && effect.workload === name);
    must(
      last?.effect === true && (last.target.keyId ?? last.target.role) === held,
      "I1",
      `expected ${name} to have come to ${held}, got ${String(last && (last.target.keyId ?? last.target.role))}`,
    );
  }
}

/** What signs in without what stays whatever happens. */
function leftOf({ live, stays }: Pick<Observation, "live" | "stays">): readonly string[] {
  return live.filter((id) => id !== stays);
}

/** What the record, and so every declared consumer, is to hold in the end. */
export function heldOf(seen: Pick<Observation, "live" | "stays">, goesBack: boolean): string | undefined {
  return goesBack && seen.stays !== null ? seen.stays : leftOf(seen)[0];
}

function isSignIn({ op }: Effect): boolean {
  return op === "token" || op === "postgres.connect";
}

/**
 * I4 and I6 by counting at the instant of the blow, when nothing moves: each change outside needs an intent of its own that
 * is committed, and none may be there before the authorisation. Domain time is too coarse to tell it afterwards.
 */
function checkOrder(effects: readonly Effect[], journal: Journal | null, must: Must): void {
  const changed = committed(effects).filter((effect) => effect.effect && effect.workload === null);
  const authorised = journal?.entries.some(({ type }) => type === "run.authorised") ?? false;
  for (const { name, is, steps } of changes) {
    const made = changed.filter(is);
    must(made.length === 0 || authorised, "I4", `expected no ${name} before run.authorised, got one at the kill`);
    const intended = (journal?.steps ?? []).filter((row) => names(row).some((label) => steps.test(label)));
    must(
      made.length <= intended.length,
      "I6",
      `expected an intent for each ${name}, got ${made.length} for ${intended.length} intents at the kill`,
    );
  }
}

/** Changes outside, and the steps whose intent may lead to each. */
const changes: readonly { readonly name: string; readonly is: (effect: Effect) => boolean; readonly steps: RegExp }[] =
  [
    { name: "addPassword", is: ({ op }) => op === "application.addPassword", steps: /^do:create$/ },
    {
      name: "removePassword",
      is: ({ op }) => op === "application.removePassword",
      // An attempt to create whose value is lost is taken back under the marker of its own intent.
      steps: /^(do:retire|discard:create|lost:create)$/,
    },
    {
      name: "store",
      is: ({ op, target }) => op === "secret.set" && isVault(target, "main"),
      steps: /^(do|undo):store$/,
    },
    {
      name: "copy",
      is: ({ op, target }) => op === "secret.set" && isVault(target, "partner"),
      steps: /^(do|undo):update:.*-partner$/,
    },
    {
      name: "role change",
      is: ({ op, target }) => op === "postgres.query" && /^alter role/i.test(String(target.text)),
      steps: /^(do:create|discard:create|do:retire)$/,
    },
  ];

/** `direction:step`; an attempt that is not done also counts as lost. */
function names({ step, direction, outcome }: JournalStep): string[] {
  return [`${direction}:${step}`, ...(direction === "do" && outcome !== "done" ? [`lost:${step}`] : [])];
}

function isVault(target: Effect["target"], name: string): boolean {
  return typeof target.vault === "string" && target.vault.replace(/-\d+$/, "") === name;
}
