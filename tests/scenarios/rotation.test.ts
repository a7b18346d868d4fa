import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { overlapSeconds } from "./documents.ts";
import { tellOnFailure } from "./failure.ts";
import { Stage } from "./stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open({
    applications: [
      { name: "app-billing", expiresInDays: 13 },
      { name: "app-later", expiresInDays: 200 },
    ],
  });
});
afterAll(() => stage?.close());
beforeEach(() => tellOnFailure(stage));

describe("a due secret", () => {
  it("is found by the daily scan, approved by two people, rotated, and removed only after overlap and last use", async () => {
    await stage.advance(12 * 3_600);
    const run = await stage.newestOf("app-billing");
    if (run === null) throw new Error("expected the scan to find what expires, it did not");
    expect(await stage.newestOf("app-later")).toBeNull();
    expect((await stage.run(run)).run).toMatchObject({
      trigger: "due",
      requester: "system:scanner",
      state: "awaiting_approval",
    });
    expect(await stage.effects("app-billing")).toEqual([]);

    await stage.approve(run);
    await stage.advance(60);
    expect(await stage.stateOf(run)).toBe("overlapping");
    const published = await stage.effects("app-billing");
    expect(published.map(({ op, target }) => (op === "secret.set" ? `${op} ${String(target.vault)}` : op))).toEqual([
      "application.addPassword",
      "secret.set main",
      "secret.set partner",
    ]);

    await stage.advanceUntil(run, ["completed"], { hoursMax: 48 });
    const effects = await stage.effects("app-billing");
    const retired = effects.at(-1);
    expect(effects).toHaveLength(4);
    expect(retired?.op).toBe("application.removePassword");
    const overlap = Date.parse(retired?.at ?? "") - Date.parse(published[2]?.at ?? "");
    expect(overlap).toBeGreaterThanOrEqual(overlapSeconds * 1_000);

    const { failedSignIns, orphans, signIns, uses } = await stage.figures("app-billing");
    expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
    expect(signIns).toBeGreaterThan(100);
    const old = retired?.target.keyId;
    const onNew = uses.filter(({ credential, workload, ok }) => workload !== null && credential !== old && ok > 0);
    expect(onNew).toHaveLength(3);
    expect(await stage.verdict(run)).toBe("proven");
  });

  it("is bound to its record by our own word the next time, however many others of ours the tenant has", async () => {
    const crowd = 1_100;
    await stage.asDatabaseOwner((owner) =>
      owner.query(
        `insert into cs.credential (tenant, object_id, id, app_id, application, kind, state, expires_at, seen_at)
         select c.tenant, 'object-' || n, 'id-' || n, 'client-' || n, 'app-' || n, c.kind, 'ours-active', 1, c.seen_at
           from (select * from cs.credential where application = 'app-billing' limit 1) c, generate_series(1, ${crowd}) n`,
      ),
    );
    const run = await stage.request("app-billing");
    const { plan } = await stage.run(run);
    expect(JSON.parse(plan?.text ?? "{}").old).toMatchObject({ binding: "ours" });
  });
});
