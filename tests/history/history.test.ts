import { type History, invariantIds, violationsOf } from "@countersign/core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { tellOnFailure } from "../scenarios/failure.ts";
import { command } from "../scenarios/role-processes.ts";
import { Stage } from "../scenarios/stage.ts";
import { falsified } from "./falsifications.ts";

let stage: Stage;
let clean: History;
let forth: string;
beforeAll(async () => {
  stage = await Stage.open({
    applications: [{ name: "app-forth" }, { name: "app-back", consumers: ["latest", "copied"] }],
  });

  forth = await stage.request("app-forth");
  const back = await stage.request("app-back");
  await stage.approve(forth);
  await stage.approve(back);
  await stage.advance(3_600);
  await (await stage.as("ben")).rollBack({ params: { id: back }, body: { reason: "the release was called off" } });
  await stage.advanceUntil(back, ["rolled_back"], { stepSeconds: 600 });
  await stage.advanceUntil(forth, ["completed"], { hoursMax: 48 });
  await stage.advance(120);
  clean = await stage.history();
});
afterAll(() => stage?.close());
beforeEach(() => tellOnFailure(stage));

describe("the history of a rotation and of a roll back", () => {
  it("joins journal, log and what happened outside, and breaks no invariant", () => {
    expect(clean.runs.map(({ state }) => state)).toEqual(["completed", "rolled_back"]);
    const kinds = (clean.outside?.effects ?? []).map(({ kind }) => kind).filter((kind) => kind !== "identify");
    expect(kinds.toSorted()).toEqual([
      "create",
      "create",
      "remove",
      "remove",
      ...Array.from({ length: 6 }, () => "write"),
    ]);
    expect(clean.outside?.signIns?.length).toBeGreaterThan(100);
    expect(violationsOf(clean)).toEqual([]);
  });

  it("is reported under the right invariant, however it is falsified", () => {
    const { tried, missed } = falsified(clean);
    expect(missed).toEqual([]);
    for (const id of invariantIds) expect(tried[id], id).toBeGreaterThan(0);
  });
});

const Doctored = z.object({
  ok: z.boolean(),
  checks: z.array(z.object({ check: z.string(), ok: z.boolean(), says: z.string() })),
  invariants: z.object({
    runs: z.int(),
    lookedAt: z.int(),
    unread: z.array(z.unknown()),
    violations: z.array(z.object({ invariant: z.string(), run: z.string().nullable(), sentence: z.string() })),
  }),
});

describe("an installation", () => {
  const doctor = async (...more: string[]) => {
    const { exit, out, errors } = await command(stage.folder, "doctor", "--invariants", "--json", ...more);
    if (out === "") throw new Error(`expected an answer of doctor, got ${exit}: ${errors}`);
    return { exit, ...Doctored.parse(JSON.parse(out)) };
  };

  it("is judged by doctor from journal, log and what the tenant shows", async () => {
    const { exit, ok, invariants, checks } = await doctor();
    expect({ exit, ok, ...invariants }, JSON.stringify(checks)).toEqual({
      exit: 0,
      ok: true,
      runs: 2,
      lookedAt: 2,
      unread: [],
      violations: [],
    });
  });

  it("whose directory has lost what a record holds is named by doctor, and not by a look at the database alone", async () => {
    const [held = ""] = await stage.secretsOf("app-forth");
    const { objectId } = stage.idsOf("app-forth");
    await stage.foreign("POST", `/v1.0/applications/${objectId}/removePassword`, { keyId: held });
    stage.expectBroken(forth, "I1");
    const { exit, ok, invariants } = await doctor();
    expect({ exit, ok }).toEqual({ exit: 1, ok: false });
    expect(invariants.violations.map(({ invariant, run }) => ({ invariant, run }))).toContainEqual({
      invariant: "I1",
      run: forth,
    });
    expect((await doctor("--no-outside")).invariants.violations).toEqual([]);
  });

  it("in which somebody has moved a row past its log is told to its operators within a day", async () => {
    await stage.asDatabaseOwner((owner) => owner.query("update cs.run set state = 'held' where id = $1", [forth]));
    stage.expectBroken(forth, "I2", "I9");
    await stage.advance(25 * 3_600);
    const told = await stage.sink.until(({ type, data }) => type === "invariant.broken" && data.invariant === "I9");
    expect(told.data).toMatchObject({ run: forth, application: "app-forth" });
    expect((await doctor("--no-outside")).invariants.violations.map(({ invariant }) => invariant)).toContain("I9");
  });
});
