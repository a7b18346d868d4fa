/**
 * What every verb that changes something outside must hold to, as checks that any test runner can run. A connector's test
 * brings the stage: a fresh outside, real or a double, and the means to disturb it.
 */
import { strict as assert } from "node:assert";
import { CountersignError, type Done, type PastAttempt, type Verb, type VerbContext } from "@countersign/core";

/** One fresh outside with a target in it. */
export interface Stage<P> {
  readonly verb: Verb<P>;
  readonly params: P;
  /** A context for that attempt; contexts of one stage share run, clock and held value. */
  context(attempt: number, direction?: VerbContext["direction"], past?: readonly PastAttempt[]): VerbContext;
  /** What users of the target see, without our marks: undo must bring it back. */
  seen(): Promise<string>;
  /** Everything beside the target that must never change. */
  neighbours(): Promise<string>;
  /** Effects so far that reached the target. */
  effects(): Promise<number>;
  /** The next effect is carried out and its answer lost. Absent where there is no answer to lose. */
  readonly loseNextAnswer?: () => void;
  /** The connection says that this write may be repeated, whatever the verb may do elsewhere. */
  readonly mayRepeat?: boolean;
  /** Somebody else writes the target. Absent where the target belongs to the run alone. */
  readonly otherWriter?: () => Promise<void>;
  /** Texts that may stand in no output. */
  secrets(): readonly string[];
  close(): Promise<void>;
}

/** One check by name. */
export interface Check {
  readonly name: string;
  run(): Promise<void>;
}

/** What a verb honestly lacks, with a sentence each; a check is left out only for a stated reason. */
export interface Lacks {
  readonly undo?: string;
  /** A second undo may write the same again; it must still change nothing. */
  readonly undoTwice?: string;
  readonly twice?: string;
  readonly otherWriter?: string;
  readonly lostAnswer?: string;
}

/** The suite for one verb. */
export function conformance<P>(open: () => Promise<Stage<P>>, lacks: Lacks = {}): readonly Check[] {
  const checks: Check[] = [];
  const check = (name: string, body: (stage: Stage<P>) => Promise<void>) =>
    checks.push({
      name,
      async run() {
        const stage = await open();
        try {
          await body(stage);
        } finally {
          await stage.close();
        }
      },
    });

  check("changes its target, verifies, and leaves the neighbours alone", async (stage) => {
    const [before, beside] = [await stage.seen(), await stage.neighbours()];
    const { done, ctx } = await act(stage);
    assert.notEqual(await stage.seen(), before, "expected the target to change");
    assert.equal(await stage.neighbours(), beside, "expected the neighbours to be untouched");
    if (stage.verb.verify !== undefined) assert.equal((await settled(stage, ctx, done)).kind, "verified");
    clean(stage, done.objectIds, done.facts, done.requestIds);
  });

  if (lacks.undo === undefined) {
    check("undo restores what users saw; twice is once", async (stage) => {
      const [before, beside] = [await stage.seen(), await stage.neighbours()];
      const { done, past } = await act(stage);
      const ctx = stage.context(2, "undo", past);
      const first = await undone(stage, ctx, done);
      assert.equal(await stage.seen(), before, "expected the target as it was");
      const effects = await stage.effects();
      await undone(stage, stage.context(3, "undo", [...past, attemptOf(stage, ctx, first)]), done);
      assert.equal(await stage.seen(), before, "expected a second undo to change nothing");
      if (lacks.undoTwice === undefined)
        assert.equal(await stage.effects(), effects, "expected a second undo to have no effect");
      assert.equal(await stage.neighbours(), beside, "expected the neighbours to be untouched");
      clean(stage, first.objectIds, first.facts);
    });
  }

  if (lacks.twice === undefined) {
    check("the same attempt twice has one effect", async (stage) => {
      const { ctx } = await act(stage);
      const effects = await stage.effects();
      await stage.verb.do(ctx, stage.params);
      assert.equal(await stage.effects(), effects, "expected no second effect");
    });
  }

  if (lacks.lostAnswer === undefined) {
    check("a lost answer is unknown, and a look tells what became of it", async (stage) => {
      const before = await stage.seen();
      assert.ok(stage.loseNextAnswer, "expected a way to lose an answer, or a sentence in `lacks.lostAnswer`");
      stage.loseNextAnswer();
      const ctx = stage.context(1);
      const error = await stage.verb.do(ctx, stage.params).then(
        () => null,
        (caught: unknown) => caught,
      );
      if (error === null)
        return assert.equal(
          stage.mayRepeat === true || stage.verb.retry === "idempotent",
          true,
          "expected only an idempotent verb to get over it by itself",
        );
      assert.ok(
        error instanceof CountersignError && error.code === "OUTSIDE_UNKNOWN",
        `expected OUTSIDE_UNKNOWN, got ${String(error)}`,
      );
      clean(stage, error.message, error.facts, String(error.stack));
      const past = [attemptOf(stage, ctx, null)];
      const [effects, seen] = [await stage.effects(), await stage.seen()];
      const found = await stage.verb.reconcile?.(stage.context(1, "do", past), stage.params);
      assert.ok(found !== undefined && found.kind !== "unknown", "expected a verdict");
      assert.equal(await stage.effects(), effects, "expected a look to have no effect");
      assert.equal(await stage.seen(), seen, "expected a look to change nothing");
      for (const left of found.kind === "not-done" ? (found.left ?? []) : [])
        await stage.verb.discard?.(stage.context(left.attempt, "discard", past), stage.params, left.objectIds);
      if (found.kind === "done") assert.notEqual(await stage.seen(), before, "expected the effect to be there");
      else assert.equal(await stage.seen(), before, "expected nothing to be left of it");
      return undefined;
    });
  }

  if (lacks.otherWriter === undefined) {
    check("another writer is noticed and not overwritten", async (stage) => {
      assert.ok(stage.otherWriter, "expected another writer, or a sentence in `lacks.otherWriter`");
      await stage.otherWriter();
      const theirs = await stage.seen();
      await assert.rejects(
        async () => stage.verb.do(stage.context(1), stage.params),
        (error) => error instanceof CountersignError && error.code === "PLAN_DRIFTED",
      );
      assert.equal(await stage.seen(), theirs, "expected the other writer's content to stay");
    });
    check("after another writer, undo refuses", async (stage) => {
      const { done, past } = await act(stage);
      await stage.otherWriter?.();
      const theirs = await stage.seen();
      await assert.rejects(
        async () => stage.verb.undo?.(stage.context(2, "undo", past), stage.params, done),
        (error) => error instanceof CountersignError && error.code === "UNDO_IMPOSSIBLE",
      );
      assert.equal(await stage.seen(), theirs, "expected the other writer's content to stay");
    });
  }
  return checks;
}

async function act<P>(stage: Stage<P>): Promise<{ done: Done; ctx: VerbContext; past: PastAttempt[] }> {
  const ctx = stage.context(1);
  const identity = await stage.verb.identify(ctx, stage.params);
  assert.ok(Object.keys(identity).length > 0, "expected an identity");
  const done = await stage.verb.do(ctx, stage.params);
  return { done, ctx, past: [attemptOf(stage, ctx, done)] };
}

/** A journal line as the executor would keep it. */
export function attemptOf<P>(
  stage: Pick<Stage<P>, "verb" | "params">,
  ctx: VerbContext,
  done: Done | null,
): PastAttempt {
  return {
    attempt: ctx.attempt,
    direction: ctx.direction,
    nonce: ctx.nonce,
    intent: stage.verb.intent?.(ctx, stage.params) ?? {},
    outcome: done === null ? "unknown" : "done",
    objectIds: done?.objectIds ?? {},
    facts: done?.facts ?? {},
    intentAt: ctx.clock.now(),
  };
}

async function undone<P>(stage: Stage<P>, ctx: VerbContext, done: Done): Promise<Done> {
  const answer = await stage.verb.undo?.(ctx, stage.params, done);
  assert.ok(answer, "expected an undo, or a sentence in `lacks.undo`");
  return answer;
}

async function settled<P>(stage: Stage<P>, ctx: VerbContext, done: Done) {
  for (let looks = 0; ; looks += 1) {
    const verified = await stage.verb.verify?.(ctx, stage.params, done);
    assert.ok(verified, "expected a verdict");
    if (verified.kind !== "not-yet" || looks > 50) return verified;
    await ctx.clock.sleep(verified.lookAgainMs, ctx.signal);
  }
}

/** Fails when a secret stands in `outputs`: raw, base64, base64url, hex, URL-encoded or JSON-escaped (I7). */
export function clean(stage: Pick<Stage<unknown>, "secrets">, ...outputs: readonly unknown[]): void {
  const text = outputs.map((output) => (typeof output === "string" ? output : JSON.stringify(output))).join("\n");
  for (const secret of stage.secrets()) {
    const bytes = Buffer.from(secret);
    const forms = [
      secret,
      bytes.toString("base64").replace(/=+$/, ""),
      bytes.toString("base64url"),
      bytes.toString("hex"),
      encodeURIComponent(secret),
      JSON.stringify(secret).slice(1, -1),
    ];
    for (const form of forms) assert.ok(!text.includes(form), "expected no secret in an output, got one");
  }
}
