import type { InvariantId } from "@countersign/core";

/**
 * A change of the product's source that breaks one promise, small enough to be made by mistake. It is planted while Node
 * loads the source (`tests/crash/planted-hooks.mjs`), so no switch for it exists in what ships, and it shows on one
 * application only: one process of the product has all of them.
 */
interface PlantedBreach {
  readonly invariant: InvariantId;
  /** What the product does wrong. */
  readonly does: string;
  readonly changes: readonly {
    /** End of the source file's path. */
    readonly file: string;
    /** Stands in it exactly once. */
    readonly find: string;
    readonly replace: string;
  }[];
}

/** Name of the application on which the breach of an invariant shows. */
export function applicationOf(invariant: InvariantId): string {
  return `app-${invariant.toLowerCase()}`;
}

const execution = "packages/engine/src/execution";
const keyvault = "packages/connectors/src/keyvault";
const of = (invariant: InvariantId) => `work.plan.target.name === "${applicationOf(invariant)}"`;

export const plantedBreaches: readonly PlantedBreach[] = [
  {
    invariant: "I1",
    does: "copies another value to a consumer, and does not read it back",
    changes: [
      {
        file: `${keyvault}/write.ts`,
        find: "      value: value.reveal(),",
        replace: `      value: to.call === "secret.copy" && to.name === "${applicationOf("I1")}" ? "another value" : value.reveal(),`,
      },
      {
        file: `${keyvault}/write.ts`,
        find: "  if (!latest.value.equals(held))",
        replace: `  if (to.name !== "${applicationOf("I1")}" && !latest.value.equals(held))`,
      },
    ],
  },
  {
    invariant: "I2",
    does: "begins without the locks of its plan",
    changes: [
      {
        file: `${execution}/phases/moves.ts`,
        find: "...(options.locks === true ?",
        replace: `...(options.locks === true && !(${of("I2")}) ?`,
      },
    ],
  },
  {
    invariant: "I3",
    does: "marks what it creates with a nonce that was never committed",
    changes: [
      {
        file: `${execution}/run-work.ts`,
        find: "      direction,\n      nonce,\n      past:",
        replace: `      direction,
      nonce: this.plan.target.name === "${applicationOf("I3")}" && step.id === "create" ? newNonce() : nonce,
      past:`,
      },
    ],
  },
  {
    invariant: "I4",
    does: "begins without consuming an authorisation",
    changes: [
      {
        file: `${execution}/phases/start.ts`,
        find: 'entries: [{ type: "run.authorised", data: verdict.authorised }],',
        replace: `entries: ${of("I4")} ? [] : [{ type: "run.authorised", data: verdict.authorised }],`,
      },
    ],
  },
  {
    invariant: "I5",
    does: "retires the old credential as soon as every consumer is confirmed, without overlap and gate",
    changes: [
      {
        file: `${execution}/phases/overlap.ts`,
        find: "  if (now < until) return",
        replace: `  if (now < until && (open > 0 || !(${of("I5")}))) return`,
      },
      {
        file: `${execution}/phases/overlap.ts`,
        find: "  if (await readGate(work)) return",
        replace: `  if (${of("I5")} || (await readGate(work))) return`,
      },
      {
        file: `${execution}/judging-guard.ts`,
        find: "      if (cutOver === undefined ||",
        replace: `      if (!(${of("I5")}) && cutOver !== undefined &&`,
      },
      {
        file: `${execution}/phases/retire.ts`,
        find: "!(urgent || (await readGate(work)))",
        replace: `!(urgent || ${of("I5")} || (await readGate(work)))`,
      },
    ],
  },
  {
    invariant: "I6",
    does: "creates a credential before its intent is committed",
    changes: [
      {
        file: `${execution}/step.ts`,
        find: "    const row = await work.intendUnlessStopped(step, direction, attempt,",
        replace: `    if (${of("I6")} && verb.value === "yields") await act(work, verb, step, look, direction);
    const row = await work.intendUnlessStopped(step, direction, attempt,`,
      },
    ],
  },
  {
    invariant: "I7",
    does: "keeps the value among the facts of the outcome",
    changes: [
      {
        file: `${execution}/step.ts`,
        find: "    if (done.value !== undefined) work.services.held.hold(work.id, done.value);",
        replace: `    if (done.value !== undefined) work.services.held.hold(work.id, done.value);
    if (done.value !== undefined && ${of("I7")}) Object.assign(done.facts, { made: done.value.reveal() });`,
      },
    ],
  },
  {
    invariant: "I8",
    does: "takes the new credential away right after going back, while consumers may hold it",
    changes: [
      {
        file: `${execution}/phases/roll-back.ts`,
        find: "backAt: work.now + Math.max(followMs, ...pickupsMs) }",
        replace: `backAt: work.now + (${of("I8")} ? 0 : Math.max(followMs, ...pickupsMs)) }`,
      },
    ],
  },
  {
    invariant: "I9",
    does: "lets a run go without saying when to look again",
    changes: [
      {
        file: `${execution}/phases/moves.ts`,
        find: "  await work.store.release(work.hold, dueAt,",
        replace: `  await work.store.release(work.hold, ${of("I9")} ? null : dueAt,`,
      },
    ],
  },
  {
    invariant: "I10",
    does: "counts a model's word among the rules of the plan",
    changes: [
      {
        file: `${execution}/phases/plan.ts`,
        find: "rulesOf(judgement.findings)",
        replace: `[
        ...rulesOf(judgement.findings),
        ...(run.targetKey === "${applicationOf("I10")}"
          ? [{ rule: "advice", observed: "a model finds it safe", required: "safe", result: "pass" }]
          : []),
      ]`,
      },
    ],
  },
  {
    invariant: "I11",
    does: "does not ask who answers before it writes",
    changes: [
      {
        file: `${execution}/step.ts`,
        find: "      const seen = await verb.identify(ctx, step.params);",
        replace: `      if (${of("I11")}) return null;
      const seen = await verb.identify(ctx, step.params);`,
      },
    ],
  },
  {
    invariant: "I12",
    does: "writes a consumer's copy into one more vault",
    changes: [
      {
        file: `${keyvault}/verbs.ts`,
        find: "      const to = target(params);",
        replace: `      const to = target(params);
      if (params.name === "${applicationOf("I12")}") {
        const vault = vaults("other");
        const latest = await recordStore(vault).latest(ctx, params.name);
        await write(ctx, { ...to, vault, previous: latest?.version ?? null }, await value(ctx, params));
      }`,
      },
    ],
  },
];
