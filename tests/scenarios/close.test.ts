import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { Remains } from "@countersign/contract";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { root } from "../crash/stage/process.ts";
import { password, personId } from "./documents.ts";
import { tellOnFailure } from "./failure.ts";
import { refusal, Stage } from "./stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open({
    applications: [
      { name: "app-stuck", consumers: ["latest"] },
      { name: "app-again", consumers: ["latest"] },
      { name: "app-forged", consumers: ["latest"] },
    ],
  });
});
afterAll(() => stage?.close());
beforeEach(() => tellOnFailure(stage));

const reason = "the partner writes there by a contract; both secrets are listed with the owner";

/** A run that overlaps; then a stranger writes a newer version of the vault entry, and nothing goes on. */
async function stuck(application: string): Promise<string> {
  const run = await stage.request(application);
  await stage.approve(run);
  await stage.advanceUntil(run, ["overlapping"], { stepSeconds: 60, hoursMax: 1 });
  // Whoever reads the stranger's value cannot sign in: that is what the run is held for.
  stage.expectBroken(run, "I1");
  await stage.foreign("PUT", `/secrets/${application}`, { value: "somebody-else-wrote-this" });
  await stage.advanceUntil(run, ["held"], { stepSeconds: 1_800, hoursMax: 24 });
  return run;
}

async function decideHold(run: string, choice: "retry" | "roll-back"): Promise<void> {
  await (await stage.as("ben")).decideHold({ params: { id: run }, body: { choice, reason: "trying the way out" } });
  await stage.advance(60);
}

const closeOf = async (run: string) => {
  const { close } = await stage.run(run);
  if (close === null) throw new Error("expected a run that is held");
  return { ...close, list: Remains.parse(JSON.parse(close.remains.text)) };
};

/** `countersign close` as cleo. */
async function close(run: string, ...options: string[]): Promise<string> {
  const main = join(root, "packages/cli/src/main.ts");
  const env = { PATH: process.env["PATH"] ?? "", COUNTERSIGN_LOGIN: "cleo", COUNTERSIGN_PASSWORD: password };
  const { stdout } = await promisify(execFile)(process.execPath, [main, "close", run, "--url", stage.url, ...options], {
    env,
  });
  return stdout;
}

describe("a run that nothing can end", () => {
  it("is closed as it stands by an owner and a second person of security, over a list of what remains", async () => {
    const run = await stuck("app-stuck");
    await decideHold(run, "roll-back");
    expect((await stage.run(run)).run).toMatchObject({ state: "held", because: { code: "UNDO_IMPOSSIBLE" } });
    const secrets = await stage.secretsOf("app-stuck");
    const { list, remains } = await closeOf(run);
    // Both credentials by id, where the new one was written, and who uses it.
    expect(secrets).toHaveLength(2);
    const created = list.left.find(({ step }) => step === "create")?.ids["keyId"];
    expect(new Set([list.old.id, created])).toEqual(new Set(secrets));
    expect(list.left.map(({ step, standing }) => [step, standing])).toContainEqual(["store", "done"]);
    expect(list.consumers).toHaveLength(1);

    // Nobody confirms what nobody asked for; who asks gives a reason and is an owner or an operator.
    expect((await refusal(stage.sayClose("cleo", run, "security", "close-confirm"))).code).toBe("FORBIDDEN");
    expect((await refusal(stage.sayClose("ada", run, "app-owner", "close"))).code).toBe("INPUT_INVALID");
    expect((await refusal(stage.sayClose("ada", run, "security", "close", reason))).code).toBe("FORBIDDEN");
    await stage.sayClose("ada", run, "app-owner", "close", reason);
    await stage.sink.until(({ type, data }) => type === "close.asked" && data.run === run);
    await stage.advance(3_600);
    expect(await stage.stateOf(run)).toBe("held");
    expect((await closeOf(run)).asked).toMatchObject({ person: personId("ada"), reason });
    // Neither the first person nor anybody outside security is the second one.
    expect((await refusal(stage.sayClose("ada", run, "app-owner", "close-confirm"))).code).toBe("FORBIDDEN");
    expect((await refusal(stage.sayClose("ben", run, "platform", "close-confirm"))).code).toBe("FORBIDDEN");
    const before = (await stage.effects("app-stuck")).length;
    expect((await closeOf(run)).remains.digest).toBe(remains.digest);
    // The command shows the list, refuses another digest than the list's, and signs for who is of security.
    expect(await close(run, "--json")).toContain(remains.digest);
    await expect(close(run, "--confirm", `sha256:${"0".repeat(64)}`)).rejects.toThrow("CONFLICT");
    await close(run, "--confirm", remains.digest);
    await stage.settle();

    expect(await stage.stateOf(run)).toBe("left_as_is");
    await stage.sink.until(({ type, data }) => type === "run.left-as-is" && data.run === run);
    // Nothing outside was touched, and the application is free for another run.
    expect((await stage.effects("app-stuck")).length).toBe(before);
    expect((await stage.secretsOf("app-stuck")).toSorted()).toEqual(secrets.toSorted());
    expect([await stage.verdict(run), stage.secondVerdict(run)]).toEqual(["proven", "proven"]);
    const next = await stage.request("app-stuck");
    expect(next).not.toBe(run);
    await stage.advanceUntil(next, ["awaiting_approval"], { stepSeconds: 300, hoursMax: 1 });
  });

  it("is not closed by words that were said before it went on and was held anew", async () => {
    const run = await stuck("app-again");
    await stage.sayClose("ben", run, "platform", "close", reason);
    await decideHold(run, "retry");
    expect(await stage.stateOf(run)).toBe("held");
    expect((await closeOf(run)).asked).toBeNull();
    expect((await refusal(stage.sayClose("cleo", run, "security", "close-confirm"))).code).toBe("FORBIDDEN");
    await stage.sayClose("cleo", run, "security", "close", reason);
    // Cleo is of security, and still no second person for her own word.
    expect((await refusal(stage.sayClose("cleo", run, "security", "close-confirm"))).code).toBe("FORBIDDEN");
    await stage.advance(60);
    expect(await stage.stateOf(run)).toBe("held");
    expect([await stage.verdict(run), stage.secondVerdict(run)]).toEqual(["proven", "proven"]);
  });

  it("is not closed by a second word that the database took from somebody who holds the API's login, signed by nobody", async () => {
    const run = await stuck("app-forged");
    await stage.sayClose("ada", run, "app-owner", "close", reason);
    const { remains } = await closeOf(run);
    await stage.asDatabaseOwner(async (owner) => {
      const { rows } = await owner.query<{ statement: Buffer; envelope: Buffer; at: string }>(
        `select s.bytes as statement, e.bytes as envelope, w.at from cs.close_word w
           join cs.attachment s on s.digest = w.statement_digest join cs.attachment e on e.digest = w.evidence_digest
         where w.run_id = $1`,
        [run],
      );
      const [word] = rows;
      const { rows: plans } = await owner.query<{ digest: string }>("select digest from cs.plan where run_id = $1", [
        run,
      ]);
      await owner.query("set session authorization cs_api");
      await owner.query("select cs.close_say($1, 'confirmed', $2, $3, 'security', 'session', $4, $5, $6, $7)", [
        run,
        plans[0]?.digest,
        personId("cleo"),
        word?.statement,
        word?.envelope,
        Buffer.from(remains.text),
        word?.at,
      ]);
    });
    await stage.advance(600);
    expect(await stage.stateOf(run)).toBe("held");
    expect([await stage.verdict(run), stage.secondVerdict(run)]).toEqual(["refused", "refused"]);
  });
});
