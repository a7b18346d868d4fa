import { closedStates } from "../run/states.ts";
import type { Invariant, RunHistory } from "./history.ts";
import {
  attempts,
  changesOf,
  closedAt,
  createStep,
  credentialIds,
  Findings,
  isDiscarded,
  madeBy,
  sameId,
  told,
} from "./reading.ts";

/** How long after a run's end something of it may be seen before it is called an orphan. */
const graceMs = 60_000;
/** An unknown creation counts as absent after so long. */
const unknownMsMax = 24 * 3_600_000;
/** Directories round a requested end. */
const lifetimeToleranceSeconds = 60;

/** I3: whatever we create can be found, and nothing is left over. */
export const accountedFor: Invariant = {
  id: "I3",
  says: "Every credential we create carries our marker (run, attempt, 128-bit nonce of a committed intent) for ever. None is orphaned 60 s after it becomes visible; an unknown creation counts as absent only after 24 h. Validity is bounded by policy.",
  kept: [
    "packages/connectors/src/entra/add-password.ts, packages/connectors/src/postgres/roles.ts",
    "packages/engine/src/execution/step.ts (reconcile, takeBack), sweep.ts",
    "packages/engine/migrations/0005-records.sql (cs.credential_seen)",
  ],
  checked: [
    "journal: each attempt to create has a nonce of its own, and its log entry names the marker that was sent; a closed run has taken back all that it made but one",
    "journal: no creation is unknown for more than 24 h",
    "ledger: nothing stands there as orphan, no marker names a nonce that we never committed",
    "outside: each created credential carries a nonce that was committed before it and a validity of at most the plan's; a closed run's credential that exists is the one it made",
  ],
  unseen: ["A credential that is not visible yet. It is looked for every 50 s until 24 h have passed."],
  remedy:
    "Open the application in the ledger. A credential with a nonce of ours is removed by its run or by the sweep: give it a minute. One with a strange nonce was forged by hand: ask the directory's audit log who made it, then remove it there.",
  check: (history) => {
    const findings = new Findings("I3");
    const byId = new Map(history.runs.map((run) => [run.id, run]));
    for (const run of history.runs)
      journal(run, history.at, (holds, sentence) => findings.must(holds, run.id, sentence));
    for (const { application, id, state, run, marker } of history.ledger) {
      findings.must(state !== "orphan", run, () => `expected no orphan, got ${id} of ${application}`);
      findings.must(
        marker === null || run !== null,
        marker?.run ?? null,
        () => `expected a marker with a nonce of ours, got another on ${id} of ${application}`,
      );
    }
    const created = new Set<string>();
    for (const effect of changesOf(history)) {
      if (effect.kind !== "create") continue;
      const { marker, credential, lifetimeSeconds, at } = effect;
      const run = marker === null ? undefined : byId.get(marker.run);
      // A role's marker is its comment, written in the same transaction: the journal's own checks are about it.
      if (marker === null && effect.target.role !== undefined) continue;
      const intent = run?.steps.find(
        (row) => row.nonce === marker?.nonce && row.step === createStep && row.direction === "do",
      );
      const who = run?.id ?? marker?.run ?? null;
      findings.must(
        intent !== undefined && intent.intentAt <= at,
        who,
        () =>
          `expected ${credential} to carry the nonce of an intent that was committed before it, got ${marker?.nonce ?? "no marker"}`,
      );
      findings.must(
        !created.has(marker?.nonce ?? ""),
        who,
        () => `expected one credential for each nonce, got another: ${credential}`,
      );
      created.add(marker?.nonce ?? "");
      const bound = run?.plan?.timing.lifetimeSeconds;
      findings.must(
        lifetimeSeconds === null || bound === undefined || lifetimeSeconds <= bound + lifetimeToleranceSeconds,
        who,
        () => `expected ${credential} to be valid for at most ${bound} s, got ${lifetimeSeconds} s`,
      );
    }
    for (const { id, marker } of history.outside?.credentials ?? []) {
      if (marker === null) continue;
      const run = byId.get(marker.run);
      // Another installation's run, or one that was not read.
      if (run === undefined) continue;
      const row = attempts(run, createStep, "do").find(({ nonce }) => nonce === marker.nonce);
      findings.must(row !== undefined, run.id, () => `expected ${id} to carry a nonce of the run, got another`);
      if (!closedStates.has(run.state) || history.at < closedAt(run) + graceMs) continue;
      const accounted = [madeBy(run)].some((made) => made !== undefined && sameId(made, id));
      findings.must(
        accounted,
        run.id,
        () => `expected nothing of the closed run beside ${madeBy(run) ?? "nothing"}, got ${id}`,
      );
    }
    return findings.found;
  },
};

function journal(run: RunHistory, now: number, must: (holds: boolean, sentence: () => string) => void): void {
  const rows = attempts(run, createStep, "do");
  must(
    new Set(rows.map(({ nonce }) => nonce)).size === rows.length,
    () => "expected a nonce of its own for each attempt to create",
  );
  for (const row of rows) {
    const marker = `cs:${run.id}:${row.attempt}:${row.nonce}`;
    const logged = told(run, "step.intent").find(
      ({ data }) => data.step === row.step && data.direction === "do" && data.attempt === row.attempt,
    );
    const named = logged?.data.facts.displayName;
    must(
      named === undefined || named === marker,
      () => `expected the intent to name the marker ${marker}, got ${String(named)}`,
    );
    const open = row.outcome === "unknown" && row.resolvedAt === null;
    must(
      !open || now - row.intentAt <= unknownMsMax + graceMs,
      () => `expected attempt ${row.attempt} to be known after 24 h, got unknown`,
    );
  }
  if (run.state !== "completed" && run.state !== "rolled_back") return;
  const made = rows.filter((row) => row.outcome === "done" && !isDiscarded(run, row));
  // What a stalled holder might still publish is left behind on purpose; it has an attempt after it.
  const last = made.at(-1);
  must(
    run.state !== "completed" || last !== undefined,
    () => "expected a completed run to have made a credential, got none",
  );
  must(
    run.state !== "rolled_back" || last === undefined,
    () =>
      `expected a run that was rolled back to have taken back what it made, got ${last === undefined ? "" : credentialIds(last).join(", ")}`,
  );
}
