/**
 * Changes of a clean history, each of which makes it a broken promise. The checker must report every one under its
 * invariant: a rule that can say nothing is none.
 */
import {
  type AttemptFact,
  type History,
  type InvariantId,
  type OutsideEffect,
  type RunHistory,
  violationsOf,
} from "@countersign/core";

type Entry = RunHistory["entries"][number]["entry"];

interface Falsification {
  readonly name: string;
  readonly invariant: InvariantId;
  /** null: the history has nothing of the kind. */
  readonly change: (history: History) => History | null;
}

const hourMs = 3_600_000;
const strange = "00000000-0000-4000-8000-000000000000";

const falsifications: readonly Falsification[] = [
  {
    name: "a sign-in that the directory refused",
    invariant: "I1",
    change: (history) =>
      withOutside(history, "signIns", (all) => {
        const last = all.findLastIndex(({ worked }) => worked);
        return all.map((one, i) => (i === last ? { ...one, worked: false, refused: true } : one));
      }),
  },
  {
    name: "a record whose credential does not exist",
    invariant: "I1",
    change: (history) => withRecord(history, strange, true),
  },
  {
    name: "a record whose value does not sign in",
    invariant: "I1",
    change: (history) => withRecord(history, null, false),
  },
  {
    name: "the removal of what the record holds, by the journal",
    invariant: "I1",
    change: (history) =>
      ofRun(history, isCompleted, (run) => {
        const made = run.steps.find(({ step, direction }) => step === "create" && direction === "do");
        return withSteps(run, (row) => (isRetirement(run, row) ? { ...row, objectIds: made?.objectIds ?? {} } : row));
      }),
  },
  {
    name: "a lock that a closed run left",
    invariant: "I2",
    change: (history) =>
      ofRun(history, isCompleted, (run) => ({ ...run, locks: [{ key: "application:x", held: "run" }] })),
  },
  {
    name: "two runs with one key at the same time",
    invariant: "I2",
    change: (history) => {
      const [first] = history.runs.filter(
        (run) => run.plan !== null && run.entries.some(({ entry }) => entry.type === "run.authorised"),
      );
      if (first === undefined) return null;
      const other = `${first.id.slice(0, -1)}${first.id.endsWith("0") ? "1" : "0"}`;
      return { ...history, runs: [...history.runs, { ...first, id: other }] };
    },
  },
  {
    name: "an intent under an older fence",
    invariant: "I2",
    change: (history) =>
      ofRun(history, isCompleted, (run) =>
        withSteps(run, (row) => (row.step === "store" ? { ...row, fence: 0 } : row)),
      ),
  },
  {
    name: "a marker that no intent knows",
    invariant: "I3",
    change: (history) =>
      ofRun(history, isCompleted, (run) =>
        withSteps(run, (row) =>
          row.step === "create" && row.direction === "do" ? { ...row, nonce: "0".repeat(32) } : row,
        ),
      ),
  },
  {
    name: "an orphan in the ledger",
    invariant: "I3",
    change: (history) => ({
      ...history,
      ledger: [
        ...history.ledger,
        { application: "x", id: strange, state: "orphan", run: history.runs[0]?.id ?? null, marker: null },
      ],
    }),
  },
  {
    name: "a creation that is unknown for two days",
    invariant: "I3",
    change: (history) =>
      ofRun(history, isCompleted, (run) =>
        withSteps(run, (row) =>
          row.step === "create"
            ? { ...row, outcome: "unknown", resolvedAt: null, intentAt: history.at - 48 * hourMs }
            : row,
        ),
      ),
  },
  {
    name: "no authorisation in the log",
    invariant: "I4",
    change: (history) =>
      ofRun(history, isCompleted, (run) => withoutEntries(run, ({ type }) => type === "run.authorised")),
  },
  {
    name: "one approval fewer than the plan asks for",
    invariant: "I4",
    change: (history) =>
      ofRun(history, isCompleted, (run) => {
        const first = run.entries.findIndex(({ entry }) => entry.type === "approval.given");
        return { ...run, entries: run.entries.filter((_, i) => i !== first) };
      }),
  },
  {
    name: "another plan under the approvals",
    invariant: "I4",
    change: (history) => ofRun(history, isCompleted, (run) => ({ ...run, planDigest: `sha256:${"0".repeat(64)}` })),
  },
  {
    name: "an effect before the authorisation",
    invariant: "I4",
    change: (history) => shifted(history, ({ kind }) => kind === "create", -hourMs),
  },
  {
    name: "a retirement before the overlap had passed",
    invariant: "I5",
    change: (history) =>
      ofRun(history, isCompleted, (run) =>
        withEntries(run, (entry) =>
          entry.type === "step.intent" && isRetirement(run, entry.data)
            ? { ...entry, at: new Date(Date.parse(entry.at) - 24 * hourMs).toISOString() }
            : entry,
        ),
      ),
  },
  {
    name: "a retirement of what no plan names",
    invariant: "I5",
    change: (history) =>
      ofRun(history, isCompleted, (run) =>
        withSteps(run, (row) =>
          isRetirement(run, row) ? { ...row, objectIds: { keyId: strange, role: strange } } : row,
        ),
      ),
  },
  {
    name: "a consumer that nobody confirmed",
    invariant: "I5",
    change: (history) =>
      ofRun(history, isCompleted, (run) => {
        const confirm = run.plan?.steps.find(({ phase }) => phase === "overlap")?.id;
        return withoutEntries(run, (entry) => entry.type === "step.outcome" && entry.data.step === confirm);
      }),
  },
  {
    name: "a shut gate",
    invariant: "I5",
    change: (history) =>
      ofRun(history, isCompleted, (run) =>
        withEntries(run, (entry) =>
          entry.type === "gate.checked" ? { ...entry, data: { ...entry.data, open: false } } : entry,
        ),
      ),
  },
  {
    name: "an old credential that went an hour early outside",
    invariant: "I5",
    change: (history) => shifted(history, ({ kind, marker }) => kind === "remove" && marker === null, -24 * hourMs),
  },
  {
    name: "an intent that is logged twice",
    invariant: "I6",
    change: (history) =>
      ofRun(history, isCompleted, (run) => ({
        ...run,
        entries: run.entries.flatMap((one) =>
          one.entry.type === "step.intent" && one.entry.data.step === "store" ? [one, one] : [one],
        ),
      })),
  },
  {
    name: "an intent without outcome",
    invariant: "I6",
    change: (history) =>
      ofRun(history, isCompleted, (run) =>
        withoutEntries(run, (entry) => entry.type === "step.outcome" && entry.data.step === "store"),
      ),
  },
  {
    name: "a gap in the log",
    invariant: "I6",
    change: (history) =>
      ofRun(history, isCompleted, (run) => ({ ...run, entries: run.entries.filter((_, i) => i !== 1) })),
  },
  {
    name: "a write that nobody intended",
    invariant: "I6",
    change: (history) =>
      withOutside(history, "effects", (all) => all.flatMap((one) => (one.kind === "write" ? [one, one] : [one]))),
  },
  {
    name: "a row of the journal without an entry",
    invariant: "I6",
    change: (history) =>
      ofRun(history, isCompleted, (run) => ({
        ...run,
        steps: [...run.steps, ...run.steps.slice(0, 1).map((row) => ({ ...row, attempt: 9 }))],
      })),
  },
  {
    name: "the text of a client secret in the journal",
    invariant: "I7",
    change: (history) =>
      ofRun(history, isCompleted, (run) =>
        withSteps(run, (row) => ({ ...row, facts: { ...row.facts, note: `abc8Q~${"x".repeat(34)}` } })),
      ),
  },
  {
    name: "a stored value in the log",
    invariant: "I7",
    change: (history) => {
      const digest = history.runs.find(({ planDigest }) => planDigest !== null)?.planDigest;
      return digest == null || history.outside === null
        ? null
        : { ...history, outside: { ...history.outside, values: [digest] } };
    },
  },
  {
    name: "a roll back that took the new credential away at once",
    invariant: "I8",
    change: (history) =>
      ofRun(history, isRolledBack, (run) =>
        withEntries(run, (entry) =>
          entry.type === "step.intent" && entry.data.direction === "discard"
            ? { ...entry, at: new Date(Date.parse(entry.at) - hourMs).toISOString() }
            : entry,
        ),
      ),
  },
  {
    name: "a step of a rolled back run that stands",
    invariant: "I8",
    change: (history) =>
      ofRun(history, isRolledBack, (run) => ({
        ...run,
        steps: run.steps.filter(({ direction }) => direction !== "undo"),
      })),
  },
  {
    name: "an old credential that is gone after a roll back",
    invariant: "I8",
    change: (history) => {
      const run = history.runs.find(isRolledBack);
      return run === undefined
        ? null
        : withOutside(history, "credentials", (all) => all.filter(({ id }) => id !== run.plan?.old.id));
    },
  },
  {
    name: "a row whose state is not that of its log",
    invariant: "I9",
    change: (history) => ofRun(history, isCompleted, (run) => ({ ...run, state: "held" })),
  },
  {
    name: "an open run that nobody looks at",
    invariant: "I9",
    change: (history) =>
      ofRun(history, isCompleted, (run) => ({
        ...withoutEntries(
          run,
          (entry) => entry.type === "run.closed" || (entry.type === "run.moved" && entry.data.to === "completed"),
        ),
        state: "retiring",
        notBefore: null,
        updatedAt: history.at - hourMs,
      })),
  },
  {
    name: "a run that is held by a worker that is gone",
    invariant: "I9",
    change: (history) =>
      ofRun(history, isCompleted, (run) => ({
        ...withoutEntries(
          run,
          (entry) => entry.type === "run.closed" || (entry.type === "run.moved" && entry.data.to === "completed"),
        ),
        state: "retiring",
        holder: { worker: "w", lostForMs: hourMs },
      })),
  },
  {
    name: "a request of an assistant",
    invariant: "I10",
    change: (history) => ofRun(history, isCompleted, (run) => ({ ...run, requester: "system:assistant" })),
  },
  {
    name: "a finding that no rule gives",
    invariant: "I10",
    change: (history) =>
      ofRun(history, isCompleted, (run) =>
        withEntries(run, (entry) =>
          entry.type === "run.validated"
            ? {
                ...entry,
                data: {
                  ...entry.data,
                  findings: entry.data.findings.map((finding) => ({ ...finding, code: "advice" })),
                },
              }
            : entry,
        ),
      ),
  },
  {
    name: "a plan of another procedure",
    invariant: "I10",
    change: (history) =>
      ofRun(history, isCompleted, (run) =>
        run.plan === null
          ? run
          : { ...run, plan: { ...run.plan, procedure: { ...run.plan.procedure, digest: `sha256:${"0".repeat(64)}` } } },
      ),
  },
  {
    name: "an intent at another application",
    invariant: "I11",
    change: (history) =>
      ofRun(history, isCompleted, (run) =>
        withEntries(run, (entry) =>
          entry.type === "step.intent" && entry.data.step === "create"
            ? {
                ...entry,
                data: { ...entry.data, target: { ...entry.data.target, objectId: strange, systemIdentifier: strange } },
              }
            : entry,
        ),
      ),
  },
  {
    name: "a write to a vault that nobody had asked whose it is",
    invariant: "I11",
    change: (history) => withOutside(history, "effects", (all) => all.filter(({ kind }) => kind !== "identify")),
  },
  {
    name: "a value at a place that no plan names",
    invariant: "I12",
    change: (history) =>
      withOutside(history, "effects", (all) =>
        all.map((one) => (one.kind === "write" ? { ...one, place: "elsewhere.vault/x" } : one)),
      ),
  },
  {
    name: "a consumer outside every scope",
    invariant: "I12",
    change: (history) => {
      const open = ofRun(history, isCompleted, (run) => withoutEntries(run, ({ type }) => type === "run.closed"));
      return open === null
        ? null
        : { ...open, scopes: [{ name: "main", kind: "key-vault", prod: false, scope: ["other-*"] }] };
    },
  },
];

/** Applies every falsification that this history has the matter for. */
export function falsified(clean: History): {
  readonly tried: Readonly<Record<InvariantId, number>>;
  readonly missed: readonly string[];
} {
  const tried = {} as Record<InvariantId, number>;
  const missed: string[] = [];
  for (const { name, invariant, change } of falsifications) {
    const broken = change(clean);
    if (broken === null) continue;
    tried[invariant] = (tried[invariant] ?? 0) + 1;
    const found = violationsOf(broken).map((violation) => violation.invariant);
    if (!found.includes(invariant))
      missed.push(`expected ${invariant} to see ${name}, got ${[...new Set(found)].join(", ") || "nothing"}`);
  }
  return { tried, missed };
}

const isCompleted = ({ state }: RunHistory): boolean => state === "completed";
const isRolledBack = ({ state }: RunHistory): boolean => state === "rolled_back";

function isRetirement(
  run: RunHistory,
  { step, direction }: { readonly step: string; readonly direction: string },
): boolean {
  return direction === "do" && run.plan?.steps.some(({ id, phase }) => id === step && phase === "retire") === true;
}

/** Changes the first run of a kind. */
function ofRun(
  history: History,
  is: (run: RunHistory) => boolean,
  change: (run: RunHistory) => RunHistory,
): History | null {
  const run = history.runs.find(is);
  if (run === undefined) return null;
  return { ...history, runs: history.runs.map((one) => (one === run ? change(one) : one)) };
}

function withSteps(run: RunHistory, change: (row: AttemptFact) => AttemptFact): RunHistory {
  return { ...run, steps: run.steps.map(change) };
}

function withEntries(run: RunHistory, change: (entry: Entry) => Entry): RunHistory {
  return { ...run, entries: run.entries.map((one) => ({ ...one, entry: change(one.entry) })) };
}

function withoutEntries(run: RunHistory, is: (entry: Entry) => boolean): RunHistory {
  return { ...run, entries: run.entries.filter(({ entry }) => !is(entry)) };
}

type Outside = NonNullable<History["outside"]>;

/** Changes one part of what was seen outside; null when nothing of it was seen, or the change is none. */
function withOutside<K extends "effects" | "signIns" | "credentials">(
  history: History,
  part: K,
  change: (all: NonNullable<Outside[K]>) => NonNullable<Outside[K]>,
): History | null {
  const all = history.outside?.[part];
  if (history.outside === null || all == null || all.length === 0) return null;
  const changed = change(all);
  if (JSON.stringify(changed) === JSON.stringify(all)) return null;
  return { ...history, outside: { ...history.outside, [part]: changed } };
}

function shifted(history: History, is: (effect: OutsideEffect) => boolean, ms: number): History | null {
  return withOutside(history, "effects", (all) => all.map((one) => (is(one) ? { ...one, at: one.at + ms } : one)));
}

function withRecord(history: History, credential: string | null, signsIn: boolean): History | null {
  const run = history.runs.find(isCompleted);
  if (history.outside === null || run?.plan?.target.kind !== "entra-application") return null;
  const target = { objectId: run.plan.target.objectId };
  const { vault, name } = run.plan.record.identity;
  const place = `${String(vault)}/${String(name)}`;
  return { ...history, outside: { ...history.outside, records: [{ target, place, credential, signsIn }] } };
}
