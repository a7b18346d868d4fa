import type { PlantedBug } from "./stage/product.ts";

/**
 * A bug, where the product is killed with it (null: nowhere), and which check must see it: of its own run, so that a check
 * that speaks of everything sees nothing here.
 */
export interface Planted extends PlantedBug {
  readonly point: string | null;
  readonly caughtBy: string;
}

const execution = "packages/engine/src/execution";

/** Breaks of one promise each, small enough to be made by mistake. */
export const plantedBugs: readonly Planted[] = [
  {
    name: "effect-before-intent",
    changes: [
      {
        file: `${execution}/step.ts`,
        find: "    const row = await work.intendUnlessStopped(step, direction, attempt,",
        replace: `    if (verb.value === "yields") await act(work, verb, step, look, direction);
    const row = await work.intendUnlessStopped(step, direction, attempt,`,
      },
    ],
    point: null,
    caughtBy: "I6",
  },
  {
    name: "unknown-taken-for-not-done",
    changes: [
      {
        file: `${execution}/step.ts`,
        find: "const answer = await verb.reconcile(ctx, step.params);",
        replace: 'const answer = { kind: "not-done", facts: {} };',
      },
    ],
    point: "journal do:create#1@after-answer",
    caughtBy: "I3",
  },
  {
    name: "published-value-taken-for-lost",
    changes: [
      {
        file: `${execution}/phases/execute.ts`,
        find: 'if (open !== undefined && (open.outcome === null || open.outcome === "unknown")) {',
        replace: "if (open === null) {",
      },
    ],
    point: "journal do:store#1@after-answer",
    caughtBy: "ended",
  },
  {
    name: "retired-without-a-gate",
    changes: [
      {
        file: `${execution}/phases/overlap.ts`,
        find: "if (now < until) return releaseUntil(work, open > 0 ? lookAt : until);",
        replace: 'return open > 0 ? releaseUntil(work, lookAt) : move(work, "retiring");',
      },
      {
        file: `${execution}/phases/retire.ts`,
        find: "!(urgent || (await readGate(work)))",
        replace: "false",
      },
      {
        file: `${execution}/judging-guard.ts`,
        find: "if (cutOver === undefined || clock.now() < Date.parse(cutOver.at) + overlapMs)",
        replace: "if (cutOver === undefined || overlapMs < 0)",
      },
    ],
    point: null,
    caughtBy: "I5",
  },
  {
    name: "authorisation-not-logged",
    changes: [
      {
        file: `${execution}/phases/start.ts`,
        find: 'entries: [{ type: "run.authorised", data: verdict.authorised }],',
        replace: "entries: [],",
      },
    ],
    point: null,
    caughtBy: "I4",
  },
  {
    name: "value-in-the-log",
    changes: [
      {
        file: `${execution}/step.ts`,
        find: "if (done.value !== undefined) work.services.held.hold(work.id, done.value);",
        replace: `if (done.value !== undefined) {
      work.services.held.hold(work.id, done.value);
      process.stderr.write(\`\${Buffer.from(done.value.reveal()).toString("base64url")}\\n\`);
    }`,
      },
    ],
    point: null,
    caughtBy: "I7",
  },
];
