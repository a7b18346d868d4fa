import { createHash } from "node:crypto";
import { canonicalBytes, type Json } from "@countersign/evidence";
import type pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { personId } from "./documents.ts";
import { tellOnFailure } from "./failure.ts";
import { Stage } from "./stage.ts";

let stage: Stage;
const names = [
  "plan",
  "digest",
  "copy",
  "missing",
  "role",
  "statement",
  "envelope",
  "target",
  "requester",
  "policy",
  "locks",
  "phase",
  "rollback",
  "overlap",
  "made",
  "file-policy",
  "file-inventory",
];
beforeAll(async () => {
  stage = await Stage.open({
    applications: [...names, "bystander"].map((name) => ({
      name: `app-${name}`,
      consumers: ["latest", "copied"] as const,
    })),
  });
});
afterAll(() => stage?.close());
beforeEach(() => tellOnFailure(stage));

type Owner = Pick<pg.Client, "query">;

/** A run that two people have approved and that the kill switch keeps from beginning. */
async function approvedRun(application: string): Promise<string> {
  const run = await stage.request(application);
  await (await stage.as("ben")).freeze({ body: {} });
  await stage.approve(run);
  await stage.settle();
  return run;
}

/** Lifts the kill switch and gives the executor ten minutes; answers with the state that the run came to. */
async function letGo(run: string): Promise<string> {
  await (await stage.as("cleo")).liftFreeze({});
  await stage.advance(600);
  return stage.asDatabaseOwner(async (owner) => {
    const { rows } = await owner.query<{ state: string }>("select state from cs.run where id = $1", [run]);
    return rows[0]?.state ?? "gone";
  });
}

/** Edits rows of an approved run as the owner of the database; whatever it is, nothing may be changed outside. */
async function tamper(application: string, edit: (owner: Owner, run: string) => Promise<unknown>): Promise<string> {
  const run = await approvedRun(application);
  await stage.asDatabaseOwner((owner) => edit(owner, run));
  const state = await letGo(run);
  expect(await stage.effects(application)).toEqual([]);
  expect(await stage.effects("app-bystander")).toEqual([]);
  return state;
}

const digest = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/** Replaces the plan by an edited one, with its digest recomputed wherever it stands outside the log. */
async function replacePlan(owner: Owner, run: string, change: (plan: Record<string, Json>) => void): Promise<void> {
  const { rows } = await owner.query<{ body: Buffer; digest: string; frozen_at: string }>(
    "select * from cs.plan where run_id = $1",
    [run],
  );
  const [old] = rows;
  if (old === undefined) throw new Error("expected a plan");
  const plan = JSON.parse(old.body.toString("utf8")) as Record<string, Json>;
  change(plan);
  const bytes = Buffer.from(canonicalBytes(plan));
  await owner.query("update cs.plan set body = $2, digest = $3 where run_id = $1", [run, bytes, digest(bytes)]);
  await owner.query("update cs.run set plan_digest = $2 where id = $1", [run, digest(bytes)]);
  await owner.query("update cs.approval set plan_digest = $2 where run_id = $1", [run, digest(bytes)]);
}

const stored = "select digest from cs.attachment join cs.approval on digest =";

describe("whoever owns the database changes nothing outside by", () => {
  it("editing the approved plan, with every digest recomputed", async () => {
    const state = await tamper("app-plan", (owner, run) =>
      replacePlan(owner, run, (plan) => {
        plan.timing = { ...(plan.timing as Record<string, Json>), overlapSeconds: 1 };
      }),
    );
    expect(state).toBe("blocked");
  });

  it("editing the plan's bytes under the old digest", async () => {
    const state = await tamper("app-digest", (owner, run) =>
      owner.query(
        "update cs.plan set body = convert_to(replace(convert_from(body, 'UTF8'), 'app-digest', 'app-bystander'), 'UTF8') where run_id = $1",
        [run],
      ),
    );
    expect(state).toBe("blocked");
  });

  it("copying one person's approval to stand for the other's", async () => {
    const state = await tamper("app-copy", async (owner, run) => {
      await owner.query("delete from cs.approval where run_id = $1 and person = $2", [run, personId("ben")]);
      await owner.query(
        "insert into cs.approval select run_id, $2, plan_digest, 'platform', decision, level, statement_digest, evidence_digest, at from cs.approval where run_id = $1",
        [run, personId("ben")],
      );
    });
    expect(state).toBe("blocked");
  });

  it("calling a run approved that one person has approved", async () => {
    const run = await stage.request("app-missing");
    await stage.decide("ada", run, "app-owner");
    await stage.asDatabaseOwner((owner) =>
      owner.query("update cs.run set state = 'approved', not_before = updated_at where id = $1", [run]),
    );
    await stage.advance(600);
    // The row was moved past its log.
    stage.expectBroken(run, "I9");
    expect(await stage.effects("app-missing")).toEqual([]);
  });

  it("editing the roles of the approvals", async () => {
    await tamper("app-role", async (owner, run) => {
      await owner.query("delete from cs.approval where run_id = $1 and role = 'app-owner'", [run]);
      await owner.query("update cs.approval set role = 'app-owner' where run_id = $1", [run]);
    });
  });

  it("editing a signed statement, with its digest recomputed", async () => {
    const state = await tamper("app-statement", async (owner, run) => {
      const { rows } = await owner.query<{ digest: string; bytes: Buffer }>(
        `${stored.replace("digest from", "digest, bytes from")} statement_digest where run_id = $1 and role = 'platform'`,
        [run],
      );
      const [old] = rows;
      if (old === undefined) throw new Error("expected a statement");
      const statement = JSON.parse(old.bytes.toString("utf8")) as Record<string, Json>;
      statement.expiresAt = "2027-12-31T00:00:00.000Z";
      const bytes = Buffer.from(canonicalBytes(statement));
      await owner.query("insert into cs.attachment (digest, kind, bytes, stored_at) values ($1, 'statement', $2, 0)", [
        digest(bytes),
        bytes,
      ]);
      await owner.query("update cs.approval set statement_digest = $2 where run_id = $1 and role = 'platform'", [
        run,
        digest(bytes),
      ]);
    });
    expect(state).toBe("blocked");
  });

  it("putting another person's envelope under an approval", async () => {
    const state = await tamper("app-envelope", (owner, run) =>
      owner.query(
        "update cs.approval a set evidence_digest = b.evidence_digest from cs.approval b where a.run_id = $1 and b.run_id = $1 and a.role = 'platform' and b.role = 'app-owner'",
        [run],
      ),
    );
    expect(state).toBe("blocked");
  });

  it("pointing the run at another application", async () => {
    const { objectId, appId } = stage.idsOf("app-bystander");
    await tamper("app-target", (owner, run) =>
      owner.query("update cs.run set target_key = 'app-bystander', target = $2 where id = $1", [
        run,
        { objectId, appId },
      ]),
    );
  });

  it("naming another requester, so that nobody has approved what he asked for", async () => {
    const state = await tamper("app-requester", (owner, run) =>
      owner.query("update cs.run set requester = 'system:scanner' where id = $1", [run]),
    );
    expect(state).toBe("blocked");
  });

  it("editing the stored policy", async () => {
    const state = await tamper("app-policy", async (owner, run) => {
      const { rows } = await owner.query<{ bytes: Buffer; digest: string }>(
        "select a.bytes, a.digest from cs.attachment a join cs.run r on r.policy_digest = a.digest where r.id = $1",
        [run],
      );
      const [old] = rows;
      if (old === undefined) throw new Error("expected a policy");
      const bytes = Buffer.from(old.bytes.toString("utf8").replaceAll("count: 1", "count: 0"));
      await owner.query("insert into cs.attachment (digest, kind, bytes, stored_at) values ($1, 'policy', $2, 0)", [
        digest(bytes),
        bytes,
      ]);
      await owner.query("update cs.run set policy_digest = $2 where id = $1", [run, digest(bytes)]);
    });
    expect(state).toBe("blocked");
  });

  it("moving a run into a phase with effects that nobody has authorised", async () => {
    const run = await stage.request("app-phase");
    await stage.asDatabaseOwner((owner) =>
      owner.query("update cs.run set state = 'executing', not_before = updated_at where id = $1", [run]),
    );
    stage.expectBroken(run, "I9");
    await stage.advance(600);
    expect(await stage.effects("app-phase")).toEqual([]);
    expect(await stage.stateOf(run)).toBe("held");
  });

  it("forging a journal that a roll back would follow", async () => {
    const run = await stage.request("app-rollback");
    const old = (JSON.parse((await stage.run(run)).plan?.text ?? "{}") as { old: { id: string } }).old.id;
    await stage.asDatabaseOwner(async (owner) => {
      await owner.query(
        `insert into cs.step (run_id, step, direction, attempt, verb, call, fence, nonce, intent, intent_at, outcome, outcome_data, outcome_at)
         values ($1, 'create', 'do', 1, 'entra.add-password@1', 'application.addPassword', 1, repeat('ab', 16), '{}', 1, 'done', $2, 1)`,
        [run, { error: null, facts: {}, objectIds: { keyId: old }, requestIds: [], verified: null }],
      );
      await owner.query("update cs.run set state = 'rolling_back', not_before = updated_at where id = $1", [run]);
    });
    stage.expectBroken(run, "I4", "I6", "I9");
    await stage.advance(600);
    expect(await stage.effects("app-rollback")).toEqual([]);
  });

  it("forging what an authorised run has made: a roll back removes this run's secret and no other", async () => {
    const run = await stage.request("app-made");
    const { old } = JSON.parse((await stage.run(run)).plan?.text ?? "{}") as { old: { id: string } };
    const { objectId } = stage.idsOf("app-made");
    const { passwordCredentials: before } = (await stage.foreign("GET", `/v1.0/applications/${objectId}`)) as {
      passwordCredentials: { keyId: string }[];
    };
    await stage.approve(run);
    await stage.advance(3_600);
    expect(await stage.stateOf(run)).toBe("overlapping");
    await stage.asDatabaseOwner(async (owner) => {
      for (const [attempt, outcome] of [
        [8, "done"],
        [9, "failed"],
      ] as const)
        await owner.query(
          `insert into cs.step (run_id, step, direction, attempt, verb, call, fence, nonce, intent, intent_at, outcome, outcome_data, outcome_at)
           values ($1, 'create', 'do', $2, 'entra.add-password@1', 'application.addPassword', 1, $3, '{}', 1, $4, $5, 1)`,
          [
            run,
            attempt,
            attempt.toString(16).repeat(32),
            outcome,
            {
              error: null,
              facts: { reconciled: "left" },
              objectIds: { keyId: old.id },
              requestIds: [],
              verified: null,
            },
          ],
        );
    });
    stage.expectBroken(run, "I2", "I5", "I6");
    await (await stage.as("ben")).rollBack({ params: { id: run }, body: { reason: "something looks odd" } });
    await stage.advance(4 * 3_600);
    const gone = (await stage.effects("app-made"))
      .filter(({ op }) => op === "application.removePassword")
      .map(({ target }) => target.keyId);
    for (const { keyId } of before) expect(gone).not.toContain(keyId);
    expect(await stage.stateOf(run)).toBe("held");
  });

  it("shortening the overlap in the working data: the old secret stays for the time that was approved", async () => {
    const run = await stage.request("app-overlap");
    await stage.approve(run);
    await stage.advance(3_600);
    expect(await stage.stateOf(run)).toBe("overlapping");
    await stage.asDatabaseOwner((owner) =>
      owner.query(`update cs.run set data = data || '{"overlapUntil": 1}', not_before = updated_at where id = $1`, [
        run,
      ]),
    );
    await stage.advance(4 * 3_600);
    expect((await stage.effects("app-overlap")).map(({ op }) => op)).not.toContain("application.removePassword");
  });

  it("holding the locks or editing the working data", async () => {
    const state = await tamper("app-locks", async (owner, run) => {
      const { tenant } = (await stage.manage("GET", "/directory")) as { tenant: { id: string } };
      const other = await owner.query<{ id: string }>("select id from cs.run where id <> $1 limit 1", [run]);
      stage.expectBroken(other.rows[0]?.id ?? "", "I2");
      await owner.query("insert into cs.run_lock values ($1, $2, 'run')", [
        `application:${tenant.id}/${stage.idsOf("app-locks").objectId}`,
        other.rows[0]?.id,
      ]);
      await owner.query(`update cs.run set data = data || '{"resumedAt": 1, "overlapUntil": 1}' where id = $1`, [run]);
    });
    expect(state).toBe("scheduled");
  });
});

describe("a document edited on disk and not accepted", () => {
  it("lets nothing begin, whatever it would allow: policy", async () => {
    const run = await approvedRun("app-file-policy");
    const before = stage.read("policy.yaml");
    stage.write(
      "policy.yaml",
      before.replaceAll("separation: [requester-cannot-approve, one-person-one-role]", "separation: []"),
    );
    const state = await letGo(run);
    expect(await stage.effects("app-file-policy")).toEqual([]);
    expect(state).toBe("scheduled");
    stage.write("policy.yaml", before);
    await stage.advance(300);
    expect(await stage.stateOf(run)).toBe("overlapping");
  });

  it("lets nothing begin, whatever it would allow: inventory", async () => {
    const run = await approvedRun("app-file-inventory");
    const before = stage.read("inventory.yaml");
    stage.write("inventory.yaml", before.replace(`    owners: [${personId("ada")}, `, "    owners: ["));
    const state = await letGo(run);
    expect(await stage.effects("app-file-inventory")).toEqual([]);
    expect(state).toBe("scheduled");
    stage.write("inventory.yaml", before);
    await stage.advance(300);
    expect(await stage.stateOf(run)).toBe("overlapping");
  });
});
