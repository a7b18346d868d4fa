import { describe, expect, test } from "vitest";
import { type CheckCode, makeBundle, parseTrust, verifyBundle, writeTrust } from "@countersign/evidence";
import { BUILD, LIVES, ORIGIN, approved, begin, bundleOf, inputOf, key, keysOf, trustFileOf, trustOf } from "./builder.ts";
import { FORGERIES } from "./forgeries.ts";
import { remade, strangerKeys, strangerTrust } from "./stranger.ts";

const trust = trustOf(keysOf("home"));

describe("a run that broke a rule is refused by the check that is there for it", () => {
  test.each(FORGERIES)("%s -> %s", async (_, code, live) => {
    const run = await live();
    const report = verifyBundle(await bundleOf(run), trust);
    expect(report.verdict).toBe("refused");
    expect(report.checks.at(-1)).toMatchObject({ code, result: "fail" });
  });
});

test("a whole bundle made anew under other keys is proven for those and refused for ours -> checkpoint", async () => {
  for (const live of [LIVES.completed, LIVES.rolledBack, LIVES.rejected]) {
    const keys = strangerKeys(ORIGIN);
    const strange = await remade(await bundleOf(await live()), keys, BUILD);
    const theirs = parseTrust(writeTrust(strangerTrust(trustFileOf(keysOf("home")), keys)));
    expect(verifyBundle(strange, theirs).verdict).toBe("proven");
    expect(verifyBundle(strange, trust).checks.at(-1)).toMatchObject({ code: "checkpoint", result: "fail" });
  }
});

describe("a trust file that does not fit refuses", () => {
  const cases: [string, CheckCode, (file: Record<string, unknown>) => void][] = [
    ["a policy it does not know", "policy", (f) => { f["policies"] = []; }],
    ["an inventory it does not know", "inventory", (f) => { f["inventories"] = []; }],
    ["a person it does not know", "approvals", (f) => { f["people"] = []; }],
    ["a person enrolled at a higher level", "approvals", (f) => { for (const p of f["people"] as { level: string }[]) p.level = "passkey"; }],
    ["another profile", "genesis", (f) => { f["profile"] = "production"; }],
  ];
  test.each(cases)("%s -> %s", async (_, code, change) => {
    const report = verifyBundle(await bundleOf(await LIVES.completed()), trustOf(keysOf("home"), change));
    expect(report.checks.at(-1)).toMatchObject({ code, result: "fail" });
  });

  test("a run summary of another run key -> run-record", async () => {
    const files = makeBundle(await inputOf(await LIVES.completed(), { runSigner: key("stranger") }));
    expect(verifyBundle(files, trust).checks.at(-1)).toMatchObject({ code: "run-record", result: "fail" });
  });

  test("session approvals for prod in profile production -> quorum", async () => {
    const run = begin("home", { profile: "production" });
    await approved(run, (p) => { p["prod"] = true; });
    const production = trustOf(keysOf("home"), (f) => { f["profile"] = "production"; });
    expect(verifyBundle(await bundleOf(run), production).checks.at(-1)).toMatchObject({ code: "quorum", result: "fail" });
  });

  test("prod in a one-person installation -> quorum", async () => {
    const run = begin();
    await approved(run, (p) => { p["prod"] = true; });
    const solo = trustOf(keysOf("home"), (f) => { f["solo"] = true; });
    expect(verifyBundle(await bundleOf(run), solo).checks.at(-1)).toMatchObject({ code: "quorum", result: "fail" });
  });
});
