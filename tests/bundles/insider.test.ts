import { describe, expect, test } from "vitest";
import { digestOf, verifyBundle } from "@countersign/evidence";
import { type Draft, LIVES, type Run, bundleOf, keysOf, rewritten, trustOf } from "./builder.ts";

/*
 * The operator holds the log key and the run key, changes one entry, rebuilds chain and tree, and signs everything anew.
 * What approvers signed, they cannot make again.
 */

const trust = trustOf(keysOf("home"));

function changeFirst(type: Draft["type"], edit: (data: Record<string, unknown>) => Record<string, unknown>) {
  return (drafts: Draft[]): Draft[] => {
    const at = drafts.findIndex((d) => d.type === type);
    const draft = drafts[at] as Draft;
    return drafts.with(at, { ...draft, data: edit(draft.data as never) as never });
  };
}

const lastCheck = async (run: Run) => verifyBundle(await bundleOf(run), trust).checks.at(-1);

describe("an insider with the log's keys", () => {
  test("cannot rewrite what stood before the approvals", async () => {
    const forged = rewritten(await LIVES.completed(), changeFirst("run.requested", (d) => ({ ...d, trigger: "leaver" })));
    expect(await lastCheck(forged)).toMatchObject({ code: "anchors", result: "fail" });
  });

  test("cannot do so by signing the earlier checkpoints anew either", async () => {
    const honest = await LIVES.completed();
    const forged = rewritten(honest, changeFirst("run.requested", (d) => ({ ...d, trigger: "leaver" })));
    const replay = rewritten(forged, () => []);
    for (const draft of forged.log.drafts) {
      if (honest.log.notes.has(replay.log.size)) await replay.log.sign();
      replay.log.replay(draft);
    }
    expect(await lastCheck(replay)).toMatchObject({ code: "anchors", result: "fail" });
  });

  test("cannot drop an entry from before the approvals", async () => {
    const forged = rewritten(await LIVES.completed(), (drafts) => drafts.filter((d) => d.type !== "service.started"));
    expect((await lastCheck(forged))?.result).toBe("fail");
  });

  test("cannot change what was authorised to a plan nobody signed", async () => {
    const forged = rewritten(await LIVES.completed(), changeFirst("run.authorised", (d) => ({ ...d, planDigest: digestOf("other") })));
    expect(await lastCheck(forged)).toMatchObject({ result: "fail" });
  });

  test("CAN rewrite a step's result after the last approval: documented, not detected, and said in every report", async () => {
    const honest = await LIVES.completed();
    const forged = rewritten(honest, (drafts) =>
      drafts.map((d) => (d.type === "step.outcome" ? { ...d, data: { ...d.data, requestIds: ["rewritten"] } as never } : d)),
    );
    const report = verifyBundle(await bundleOf(forged), trust);
    expect(report.verdict).toBe("proven");
    const anchor = report.facts.find((f) => f.code === "anchor");
    expect(anchor?.sentence).toContain("could have rewritten what follows");
  });
});

describe("erasure", () => {
  test("an erased reason verifies as erased by an entry of the log", async () => {
    const run = await LIVES.completed();
    const [reason] = run.papers.attachments.splice(0, 1) as [Uint8Array];
    run.log.add("attachment.erased", { attachment: digestOf(reason), by: "system:retention", reasonDigest: null });
    const report = verifyBundle(await bundleOf(run), trust);
    expect(report.verdict).toBe("proven");
    expect(report.facts.map((f) => f.code)).toContain("erased");
  });

  test("a reason that is simply gone is refused", async () => {
    const run = await LIVES.completed();
    run.papers.attachments.length = 0;
    expect(await lastCheck(run)).toMatchObject({ code: "attachments", result: "fail" });
  });

  test("a counted approval that was erased proves nothing any more", async () => {
    const run = await LIVES.completed();
    const gone = run.papers.approvals.shift() as { statement: Uint8Array };
    run.log.add("attachment.erased", { attachment: digestOf(gone.statement), by: "system:retention", reasonDigest: null });
    expect(await lastCheck(run)).toMatchObject({ code: "authorisation", result: "fail" });
  });
});
