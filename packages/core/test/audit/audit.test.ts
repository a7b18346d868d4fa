import { describe, expect, it } from "vitest";
import { type AuditAttempt, type AuditChange, type AuditFacts, auditReasons, judgeAudit } from "../../src/index.ts";

const us = "0A0A0A0A-0000-4000-8000-000000000001";
const run = "run_01m83ccy40wb6hne8eejfbh5d1";
const marker = { run, attempt: 2, nonce: "ab".repeat(16) };
const at = Date.UTC(2026, 10, 23);

const change = (over: Partial<AuditChange> = {}): AuditChange => ({
  entry: "Directory_1",
  at,
  activity: "update application - certificates and secrets management",
  correlation: null,
  actor: { kind: "application", id: us.toLowerCase() },
  objectId: "app-1",
  holder: "application",
  act: "added",
  credential: "k1",
  kind: "client-secret",
  marker,
  ...over,
});
const attempt = (over: Partial<AuditAttempt> = {}): AuditAttempt => ({
  run,
  step: "create",
  direction: "do",
  attempt: 2,
  intentAt: at - 1_000,
  outcome: "done",
  objectId: "APP-1",
  breakGlass: false,
  ...over,
});
const nothing: AuditFacts = { made: null, removals: [] };
const person = { kind: "person", id: "u1" } as const;
const unnamed = { kind: "unnamed", id: null } as const;
const removed = { act: "removed" } as const;
const retire = attempt({ step: "retire", attempt: 1 });

describe("whose doing a change is", () => {
  const cases: readonly [string, Partial<AuditChange>, AuditFacts, string, keyof typeof auditReasons][] = [
    ["made by an attempt", {}, { made: attempt(), removals: [] }, "ours", "made-by-attempt"],
    ["the same, alone", {}, { made: attempt({ breakGlass: true }), removals: [] }, "break-glass", "made-by-attempt"],
    ["outcome not known here", {}, { made: attempt({ outcome: "unknown" }), removals: [] }, "ours", "made-by-attempt"],
    ["a copied marker", { actor: person }, { made: attempt(), removals: [] }, "out-of-band", "marker-by-another"],
    ["another number", {}, { made: attempt({ attempt: 3 }), removals: [] }, "out-of-band", "marker-without-intent"],
    ["no such nonce", {}, nothing, "out-of-band", "marker-without-intent"],
    ["elsewhere", { objectId: "app-2" }, { made: attempt(), removals: [] }, "out-of-band", "marker-elsewhere"],
    ["nobody named", { actor: unnamed }, { made: attempt(), removals: [] }, "unknown", "attempt-unnamed-actor"],
    ["too early", { at: at - 600_000 }, { made: attempt(), removals: [] }, "unknown", "before-its-intent"],
    ["refused", {}, { made: attempt({ outcome: "failed" }), removals: [] }, "unknown", "attempt-failed"],
    ["our own name, no marker", { marker: null }, nothing, "out-of-band", "own-application-without-intent"],
    ["a person", { marker: null, actor: person }, nothing, "out-of-band", "by-person"],
    ["a program", { marker: null, actor: { kind: "application", id: "x" } }, nothing, "out-of-band", "by-application"],
    ["nobody named, no marker", { marker: null, actor: unnamed }, nothing, "out-of-band", "actor-unnamed"],
    ["a person with our appId", { actor: { kind: "person", id: us } }, nothing, "out-of-band", "marker-without-intent"],
    ["retired", { ...removed, marker: null }, { made: null, removals: [retire] }, "ours", "removed-by-attempt"],
    [
      "a person was first",
      { ...removed, actor: person },
      { made: null, removals: [retire] },
      "out-of-band",
      "by-person",
    ],
    ["removed, no intent", removed, nothing, "out-of-band", "own-application-without-intent"],
    [
      "removed, lost value",
      removed,
      { made: attempt({ outcome: "unknown" }), removals: [] },
      "ours",
      "left-over-removed",
    ],
    ["removed in use", removed, { made: attempt(), removals: [] }, "out-of-band", "own-application-without-intent"],
    ["says nothing", { act: "unreadable", credential: null }, nothing, "unknown", "change-unreadable"],
  ];
  it.each(cases)("%s", (_name, over, facts, verdict, because) => {
    expect(judgeAudit(change(over), facts, [us])).toMatchObject({ verdict, because });
  });

  it("every reason is one that some case has", () => {
    expect(new Set(cases.map(([, , , , because]) => because))).toEqual(new Set(Object.keys(auditReasons)));
  });

  it("a removal is that of the newest intent before it", () => {
    const first = attempt({ step: "retire", attempt: 1, intentAt: at - 10_000 });
    const later = attempt({ step: "retire", attempt: 2, intentAt: at + 3_600_000 });
    expect(judgeAudit(change(removed), { made: null, removals: [later, first] }, [us]).by).toEqual(first);
  });
});
