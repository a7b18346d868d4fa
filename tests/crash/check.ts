import type { Journal, JournalStep, Observation } from "./observe.ts";
import type { Effect } from "./stage/effects.ts";
import { consumersOf } from "./stage/names.ts";

/** A broken promise: which, at which point, and what was seen. */
export interface Violation {
  readonly point: string;
  /** `reached`, `recovery`, or the invariant (ARCHITECTURE.md). */
  readonly rule: string;
  readonly sentence: string;
}

/** How long a consumer may keep what it has read, seconds: the inventory's PT10M. */
const pickupSeconds = 600;

/** Judges what came of one point. `crash`: false for a clean run, which has no point to reach. */
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
  must(seen.stuck === null, "I9", seen.stuck ?? "");
  const { journal, plan } = seen;
  if (journal === null || plan === null) {
    must(false, "I9", "expected a run with a plan, got none");
    return found;
  }
  // What a stalled process published late is for a person to decide: then the run was rolled back.
  const goesBack = seen.row.course === "back" || (seen.hasStalled && journal.state === "rolled_back");
  const goal = goesBack ? "rolled_back" : "completed";
  must(journal.state === goal, "I9", `expected ${goal}, got ${journal.state}`);
  must(journal.locks === 0, "I2", `expected no lock to be left, got ${journal.locks}`);
  must(seen.bundle === "proven", "evidence", `expected a proven bundle, got ${seen.bundle}`);
  checkSignIns(seen, must);
  checkCredentials(seen, must);
  if (goesBack) checkRollBack(seen, plan.old.id, must);
  else {
    checkCutOver(seen, plan.old.id, must);
    checkRetirement(seen, plan.old.id, journal, must);
  }
  checkJournal(journal, must);
  checkOrder(seen.effects, journal, "at the end", must);
  if (seen.atCrash !== null) checkOrder(seen.atCrash.effects, seen.atCrash.journal, "at the kill", must);
  return found;
}

type Must = (holds: boolean, rule: string, sentence: string) => void;

/** I1: nobody who lives on the secret ever failed, and everybody has come to the one that is left. */
function checkSignIns(seen: Observation, must: Must): void {
  const own = consumersOf(seen.row).map(({ name }) => ({ name, signIns: signInsOf(seen, name) }));
  const failed = own.flatMap(({ signIns }) => signIns.filter(({ effect }) => !effect));
  must(
    failed.length === 0,
    "I1",
    `expected no failed sign-in, got ${failed.length}, first ${failed[0]?.workload} at ${failed[0]?.at}: ${failed[0]?.code}`,
  );
  for (const { name, signIns } of own) {
    const last = signIns.findLast(({ effect }) => effect);
    must(
      last !== undefined && credentialOf(last) === seen.live[0],
      "I1",
      `expected ${name} to have come to the credential that is left, got ${String(last && credentialOf(last))}`,
    );
  }
}

/** I1: everybody has used the old credential and then the new one. */
function checkCutOver(seen: Observation, old: string, must: Must): void {
  for (const { name } of consumersOf(seen.row)) {
    const used = new Set(
      signInsOf(seen, name)
        .filter(({ effect }) => effect)
        .map(credentialOf),
    );
    // A stalled process may have published one more, which is as good while it lasts.
    must(
      used.has(old) && (used.size === 2 || (seen.hasStalled && used.size > 2)),
      "I1",
      `expected ${name} to sign in with the old credential and then the new one, got ${used.size} of them`,
    );
  }
  must(seen.inRecord !== old, "I3", "expected the record to hold a new credential, got the old one");
}

/** I3: exactly one of what signs in is left, it is the one the record holds, and nothing else. */
function checkCredentials({ live, inRecord, orphans }: Observation, must: Must): void {
  must(live.length === 1, "I3", `expected one live credential, got ${live.length}`);
  must(
    inRecord !== null && live[0] === inRecord,
    "I3",
    `expected the record to hold the live credential ${live[0]}, got ${inRecord}`,
  );
  must(orphans === 0, "I3", `expected no orphan, got ${orphans}`);
}

/** I5, I8: the old one stays; what a consumer had begun to use goes only when nobody can hold it any more. */
function checkRollBack(seen: Observation, old: string, must: Must): void {
  must(seen.inRecord === old, "I8", `expected the record to hold the old credential, got ${seen.inRecord}`);
  must(
    !seen.effects.some((effect) => effect.effect && removes(effect, old)),
    "I5",
    "expected the old credential to stay",
  );
  const back = seen.effects.findLast(
    ({ op, effect, target }) => op === "secret.set" && effect && target.vault === "main",
  );
  const published = seen.effects.findIndex(
    ({ op, effect, target }) => op === "secret.set" && effect && target.vault === "main",
  );
  if (published < 0) return;
  const used = new Set(
    consumersOf(seen.row).flatMap(({ name }) =>
      signInsOf(seen, name)
        .filter(({ effect }) => effect)
        .map(credentialOf),
    ),
  );
  const gone = seen.effects.filter(
    (effect, index) =>
      effect.effect &&
      // What a stalled holder had left behind was never published, and goes by itself.
      (seen.hasStalled ? [...used].some((id) => removes(effect, String(id))) : removesAny(effect) && index > published),
  );
  for (const effect of gone) {
    const keptMs = Date.parse(effect.at) - Date.parse(back?.at ?? "");
    must(
      keptMs >= pickupSeconds * 1_000,
      "I8",
      `expected what consumers may hold to stay for ${pickupSeconds} s after the roll back, got ${keptMs / 1_000} s`,
    );
  }
}

/** I5: the old one goes once, by its id, when the overlap has passed and every consumer was seen on the new one. */
function checkRetirement(seen: Observation, old: string, journal: Journal, must: Must): void {
  const removals = seen.effects.filter((effect) => effect.effect && removes(effect, old));
  const first = removals[0];
  must(first !== undefined, "I5", "expected the old credential to be removed, it was not");
  // Taking LOGIN from a role twice is once; a second removal by keyId would have been refused by the vendor.
  if (seen.row.procedure === "entra-client-secret")
    must(removals.length <= 1, "I5", `expected one removal, got ${removals.length}`);
  const created = new Set(
    seen.effects
      .filter(({ op, effect }) => op === "application.addPassword" && effect)
      .map(({ target }) => target.keyId),
  );
  const strange = seen.effects.filter(
    ({ op, effect, target }) =>
      op === "application.removePassword" && effect && target.keyId !== old && !created.has(target.keyId),
  );
  must(strange.length === 0, "I5", `expected no other credential to be removed, got ${strange.length}`);
  if (first === undefined) return;
  const at = Date.parse(first.at);
  const since = journal.entries.find((entry) => entry.type === "run.moved" && entry.data.to === "overlapping");
  const overlapMs = at - Date.parse(since?.at ?? first.at);
  must(
    overlapMs >= seen.overlapSeconds * 1_000 && seen.overlapSeconds > 0,
    "I5",
    `expected both to be valid for ${seen.overlapSeconds} s, got ${overlapMs / 1_000} s`,
  );
  for (const { name } of consumersOf(seen.row)) {
    const onNew = signIns(seen.effects).some(
      (effect) =>
        effect.workload === name && effect.effect && credentialOf(effect) !== old && Date.parse(effect.at) <= at,
    );
    must(onNew, "I5", `expected ${name} on the new credential before the old one went`);
  }
}

/** I4, I6: the log is whole, nothing is intended twice, and nothing before the authorisation was consumed. */
function checkJournal({ entries, steps }: Journal, must: Must): void {
  must(
    entries.every((entry, index) => entry.runSeq === index),
    "I6",
    "expected the run's entries to be numbered without a gap",
  );
  const last = entries.at(-1);
  must(
    last?.type === "run.closed" && last.data.entries === entries.length,
    "I6",
    `expected run.closed to be last and to count ${entries.length}`,
  );
  const intents = entries.flatMap((entry) =>
    entry.type === "step.intent" ? [`${entry.data.direction}:${entry.data.step}:${entry.data.attempt}`] : [],
  );
  const outcomes = entries.flatMap((entry) =>
    entry.type === "step.outcome" ? [`${entry.data.direction}:${entry.data.step}:${entry.data.attempt}`] : [],
  );
  must(new Set(intents).size === intents.length, "I6", "expected no intent twice in the log");
  must(new Set(outcomes).size === outcomes.length, "I6", "expected no outcome twice in the log");
  must(
    intents.length === steps.length,
    "I6",
    `expected an entry for each of ${steps.length} intents, got ${intents.length}`,
  );
  must(
    outcomes.every((name) => intents.includes(name)) && outcomes.length === intents.length,
    "I6",
    `expected one outcome for each of ${intents.length} intents, got ${outcomes.length}`,
  );
  const authorised = entries.findIndex(({ type }) => type === "run.authorised");
  const intended = entries.findIndex(({ type }) => type === "step.intent");
  must(
    authorised >= 0 && (intended < 0 || authorised < intended),
    "I4",
    "expected run.authorised before the first intent",
  );
}

/**
 * I4 and I6 by counting, at an instant at which nothing moves: each change outside needs an intent of its own that is
 * committed, and none may be there before the authorisation.
 */
function checkOrder(effects: readonly Effect[], journal: Journal | null, when: string, must: Must): void {
  const changed = effects.filter((effect) => effect.effect && effect.workload === null);
  const authorised = journal?.entries.some(({ type }) => type === "run.authorised") ?? false;
  for (const { name, is, steps } of changes) {
    const made = changed.filter((effect) => is(effect) && isCommitted(effect, effects));
    must(made.length === 0 || authorised, "I4", `expected no ${name} before run.authorised, got one ${when}`);
    const intended = (journal?.steps ?? []).filter((row) => names(row).some((label) => steps.test(label)));
    must(
      made.length <= intended.length,
      "I6",
      `expected an intent for each ${name}, got ${made.length} for ${intended.length} intents ${when}`,
    );
  }
  const nonces = new Set((journal?.steps ?? []).map(({ nonce }) => nonce));
  for (const { target } of changed.filter(({ op }) => op === "application.addPassword")) {
    const nonce = String(target.displayName).split(":").at(-1) ?? "";
    must(
      nonces.has(nonce),
      "I3",
      `expected a created secret to carry the nonce of a committed intent, got ${String(target.displayName)} ${when}`,
    );
  }
}

/** A statement counts once its transaction was committed; what a session that broke had begun never was. */
function isCommitted(effect: Effect, effects: readonly Effect[]): boolean {
  if (effect.op !== "postgres.query") return true;
  const end = effects
    .slice(effects.indexOf(effect))
    .find(({ op, target }) => op === "postgres.query" && /^(begin|commit|rollback)/i.test(String(target.text)));
  return /^commit/i.test(String(end?.target.text));
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
      is: ({ op, target }) => op === "secret.set" && target.vault === "main",
      steps: /^(do|undo):store$/,
    },
    {
      name: "copy",
      is: ({ op, target }) => op === "secret.set" && target.vault === "partner",
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

function removes(effect: Effect, old: string): boolean {
  if (effect.op === "application.removePassword") return effect.target.keyId === old;
  return (
    effect.op === "postgres.query" && new RegExp(`^alter role "?${old}"? nologin`, "i").test(String(effect.target.text))
  );
}

function removesAny({ op, target }: Effect): boolean {
  return (
    op === "application.removePassword" ||
    (op === "postgres.query" && /^alter role \S+ nologin/i.test(String(target.text)))
  );
}

function signInsOf({ effects }: Observation, workload: string): Effect[] {
  return signIns(effects).filter((effect) => effect.workload === workload);
}

function signIns(effects: readonly Effect[]): Effect[] {
  return effects.filter(({ op }) => op === "token" || op === "postgres.connect");
}

function credentialOf({ target }: Effect): unknown {
  return target.keyId ?? target.role;
}
