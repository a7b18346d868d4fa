import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { tellOnFailure } from "./failure.ts";
import { Stage } from "./stage.ts";

/**
 * What one rotation asks of the database, counted and not timed: a count does not depend on the machine. What is asked on
 * behalf of a run names it (or its application, plan or policy); what is asked every so often names none and is not in it.
 */
const bounds = {
  /** Statements of the executor from due to `overlapping`. */
  executor: 28,
  /** Those of them that write: each is a transaction of its own, made durable before it returns. */
  executorWrites: 15,
  /** Statements of the notifier that name the run, for the notices of a rotation. */
  notifier: 6,
};
/** A function that changes something; each statement is one transaction. */
const writes = /\bcs\.(intent|outcome|transition|release|data_put|note|append|claim|credentials_set|wake)\(/;

const name = "app-one";
let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open({
    applications: [{ name, consumers: ["latest", "copied"] }],
    knobs: { preset: "off" },
    policy: (yaml) => yaml.replaceAll("spacing: PT5S", "spacing: PT0S"),
  });
});
afterAll(() => stage?.close());
beforeEach(() => tellOnFailure(stage));

interface Asked {
  readonly login: string;
  readonly text: string;
  readonly values: readonly unknown[];
}

/** Every statement of this process that goes through pg, until it is ended. */
function listenToStatements(): { end(): readonly Asked[] } {
  const asked: Asked[] = [];
  const prototype = pg.Client.prototype as { query: (...args: unknown[]) => unknown };
  const { query } = prototype;
  prototype.query = function (this: pg.Client, ...args: unknown[]) {
    const [first, second] = args;
    const config = typeof first === "string" ? { text: first, values: second } : (first as Partial<Asked> | undefined);
    const values = Array.isArray(config?.values) ? config.values : Array.isArray(second) ? second : [];
    asked.push({ login: this.user ?? "", text: String(config?.text), values });
    return query.apply(this, args);
  };
  return {
    end() {
      prototype.query = query;
      return asked;
    },
  };
}

describe("what a rotation asks of the database", () => {
  it("stays within its bounds", async () => {
    const run = await stage.request(name);
    await stage.settle();
    const { planDigest, policyDigest } = await rowOf(run);
    const statements = listenToStatements();
    await stage.approve(run);
    await stage.advanceUntil(run, ["overlapping"], { stepSeconds: 30 });
    await stage.settle();
    const asked = statements.end();

    const ofRun = (values: readonly unknown[]) =>
      [run, name, planDigest, policyDigest].some((known) => JSON.stringify(values).includes(known));
    const by = (login: string) =>
      asked.filter((statement) => statement.login === login && ofRun(statement.values)).map(({ text }) => text);
    const executor = by("cs_executor").filter((text) => !text.includes("pgboss"));
    const written = executor.filter((text) => writes.test(text));
    const notifier = by("cs_notifier");
    const counted = { executor: executor.length, executorWrites: written.length, notifier: notifier.length };
    // A rotation did happen, and was heard: two steps of the plan at the least, each with intent and outcome.
    expect(written.filter((text) => text.includes("cs.intent")).length).toBeGreaterThanOrEqual(2);
    expect(notifier.length).toBeGreaterThan(0);
    for (const [what, most] of Object.entries(bounds))
      expect(
        counted[what as keyof typeof bounds],
        JSON.stringify({ counted, executor, notifier }, null, 1),
      ).toBeLessThanOrEqual(most);
  });
});

async function rowOf(run: string): Promise<{ planDigest: string; policyDigest: string }> {
  return stage.asDatabaseOwner(async (owner) => {
    const { rows } = await owner.query<{ planDigest: string; policyDigest: string }>(
      `select plan_digest as "planDigest", policy_digest as "policyDigest" from cs.run where id = $1`,
      [run],
    );
    return rows[0] ?? { planDigest: "none", policyDigest: "none" };
  });
}
