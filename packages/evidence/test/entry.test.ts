import { describe, expect, test } from "vitest";
import { canonicalBytes, ENTRY_DATA, type EntryDraft, EvidenceError, encodeEntry, parseEntry } from "../src/index.ts";

const D = `sha256:${"ab".repeat(32)}` as const;
const ROOT = Buffer.alloc(32).toString("base64");
const RUN = "run_01k9zzzzzz0123456789abcdef";
const P = "p_0123456789abcdef";
const CALL = {
  attempt: 1,
  call: "application.addPassword",
  direction: "do",
  step: "update:batch",
  verb: "entra.add-password@1",
};

const signed = { evidenceDigest: D, level: "session", person: P, role: "security", statementDigest: D };

/** One good `data` per type. */
const SAMPLES: { readonly [T in keyof typeof ENTRY_DATA]: Record<string, unknown> } = {
  "log.genesis": {
    build: "b1",
    clock: "virtual",
    founders: [P],
    origin: "o/1",
    profile: "demo",
    separation: "none",
    trustDigest: D,
  },
  "policy.activated": { policyDigest: D, previous: null },
  "inventory.accepted": { inventoryDigest: D },
  "log.restored": {
    held: 1,
    person: P,
    reasonDigest: D,
    reportDigest: D,
    seen: { origin: "o/1", root: ROOT, size: 9 },
    signed: { origin: "o/1", root: ROOT, size: 7 },
    unknown: 1,
    withdrawn: 0,
  },
  "service.started": { build: "b1", role: "api", separation: "roles", worker: "w1" },
  "service.stopped": { role: "all", worker: "w1" },
  "scan.completed": {
    applications: 5000,
    findings: 3,
    kind: "listing",
    query: "/applications?$select=id, appId",
    queryDigest: D,
    tenant: "t1",
  },
  "population.exported": {
    by: P,
    changes: 3,
    digest: D,
    from: "2026-10-01T00:00:00.000Z",
    gaps: 0,
    runs: 2,
    sample: { seed: "4711", size: 2 },
    to: "2027-01-01T00:00:00.000Z",
  },
  "audit.explained": {
    act: "added",
    credential: null,
    entry: "Directory_1_ABC_2",
    objectId: "o1",
    person: "p_0011223344556677",
    reasonDigest: D,
    tenant: "t1",
    verdict: "out-of-band",
  },
  "audit.read": {
    breakGlass: 1,
    entries: 4_000,
    from: "2026-11-22T00:00:00.000Z",
    new: 3,
    ours: 1,
    outOfBand: 1,
    query: "GET /v1.0/auditLogs/directoryAudits?$filter=activityDateTime ge {from}",
    tenant: "t1",
    to: "2026-11-22T01:00:00.000Z",
    unknown: 1,
    unreadable: 0,
  },
  "run.requested": {
    procedure: "entra-client-secret@1",
    reasonDigest: D,
    replaces: RUN,
    requester: "system:scanner",
    target: { objectId: "o" },
    trigger: "due",
  },
  "run.validated": {
    findings: [{ code: "overlap-floor", observed: 3600, required: "1 h", result: "pass" }],
    inventoryDigest: D,
    policyDigest: D,
  },
  "plan.frozen": { planDigest: D, policyDigest: D, procedure: "entra-client-secret@1", procedureDigest: D },
  "approval.given": {
    decision: "approve",
    evidenceDigest: D,
    level: "session",
    person: P,
    role: "app-owner",
    statementDigest: D,
  },
  "approval.voided": { reasons: [{ code: "key-added", observed: "k2", required: null }] },
  "run.authorised": {
    checkpoint: { origin: "o/1", root: ROOT, size: 7 },
    kind: "quorum",
    planDigest: D,
    statements: [D],
  },
  "run.moved": { because: { code: "OUTSIDE_UNKNOWN", step: "store" }, fence: 3, from: "executing", to: "held" },
  "step.intent": { ...CALL, facts: { nonce: "00ff", of: { keyId: "k" } }, target: { objectId: "o" } },
  "step.outcome": {
    ...CALL,
    build: "b1",
    connector: { id: "entra", version: "1" },
    error: { code: "X", status: 503 },
    facts: { seen: [1, 2] },
    objectIds: { keyId: "k" },
    outcome: "failed",
    requestIds: ["r"],
    verified: null,
  },
  "step.confirmed": {
    confirmation: "given",
    direction: "do",
    level: "session",
    person: "p_0123456789abcdef",
    step: "update:desk",
  },
  "recovery.started": { deadAfterMs: 1, holder: "w1", provenDead: false, settleMs: 1000, worker: "w2" },
  "gate.checked": {
    evidence: { callers: ["10.0.0.1"], deep: { quietSeconds: 5 } },
    grade: "weak",
    open: false,
    reasons: ["old-key-used"],
  },
  "sweep.intent": {
    credential: "k1",
    of: "run_01m83ccy40hawjha22zrrxsv9z",
    step: "create",
    target: { objectId: "o1" },
  },
  "sweep.outcome": { credential: "k1", of: "run_01m83ccy40hawjha22zrrxsv9z", outcome: "done", step: "create" },
  "notice.sent": { attempt: 1, channel: "mail", kind: "run.held", outcome: "unknown", status: null },
  "breakglass.granted": signed,
  "breakglass.confirmed": signed,
  "breakglass.reviewed": { ...signed, of: RUN, result: "accepted" },
  "close.asked": { ...signed, remainsDigest: D },
  "close.confirmed": { ...signed, remainsDigest: D },
  "freeze.set": { person: P, scope: "all" },
  "freeze.lifted": { person: P, scope: "tenant:contoso" },
  "acceptance.asked": {
    acceptance: 7,
    code: "long-lived",
    credential: "k1",
    object: "o1",
    observed: "400 days",
    person: P,
    reasonDigest: D,
    tenant: "t1",
    until: "2026-12-31T00:00:00.000Z",
  },
  "acceptance.confirmed": { acceptance: 7, askedBy: "p_000000000000000b", person: P },
  "acceptance.expired": { acceptance: 7 },
  "acceptance.withdrawn": { acceptance: 7, person: P },
  "attachment.erased": { attachment: D, by: P, reasonDigest: D },
  "run.closed": { entries: 9, state: "completed" },
};

const ofRun = (type: string) =>
  /^(run|plan|approval|step|gate|recovery|breakglass|close)\./.test(type) && type !== "breakglass.reviewed";

function draft(type: string, data: unknown): EntryDraft {
  const place = ofRun(type)
    ? { run: RUN, runSeq: 1, prevRunLeaf: "cd".repeat(32) }
    : { run: null, runSeq: null, prevRunLeaf: null };
  return {
    at: "2026-11-22T10:00:00.000Z",
    data,
    salt: "AAAAAAAAAAAAAAAAAAAAAA",
    type,
    ...place,
  } as unknown as EntryDraft;
}

const bytesOf = (value: object) => canonicalBytes({ ...value, v: 1 } as never);

describe("every entry type", () => {
  test.each(Object.entries(SAMPLES))(
    "%s is written, read back, and refused with one key more or one key less",
    (type, data) => {
      const good = draft(type, data);
      expect(parseEntry(encodeEntry(good))).toEqual({ ...good, v: 1 });
      expect(() => encodeEntry(draft(type, { ...data, extra: 1 }))).toThrow(EvidenceError);
      expect(() => parseEntry(bytesOf(draft(type, { ...data, extra: 1 })))).toThrow(EvidenceError);
      for (const key of Object.keys(data)) {
        const { [key]: _, ...less } = data;
        expect(() => parseEntry(bytesOf(draft(type, less))), key).toThrow(EvidenceError);
        for (const wrong of [{}, [[]], -1, "a b\u0007c", "x".repeat(5000)]) {
          const isMap = ["target", "facts", "objectIds", "evidence"].includes(key) && JSON.stringify(wrong) === "{}";
          if (isMap) continue;
          expect(
            () => parseEntry(bytesOf(draft(type, { ...data, [key]: wrong }))),
            `${key} = ${JSON.stringify(wrong).slice(0, 20)}`,
          ).toThrow(EvidenceError);
        }
      }
    },
  );
});

describe("an entry is refused", () => {
  const good = draft("run.closed", SAMPLES["run.closed"]);
  const cases: [string, object][] = [
    ["with an unknown type", { ...good, type: "run.forgotten" }],
    ["with a type named like a built-in", { ...good, type: "constructor" }],
    ["with version 2", { ...good, v: 2 }],
    ["with an unknown key", { ...good, note: "hello" }],
    ["at a time without milliseconds", { ...good, at: "2026-11-22T10:00:00Z" }],
    ["at a time that does not exist", { ...good, at: "2026-02-30T10:00:00.000Z" }],
    ["at a time in another zone", { ...good, at: "2026-11-22T10:00:00.000+01:00" }],
    ["with a short salt", { ...good, salt: "AAAA" }],
    ["with a salt of loose bits", { ...good, salt: "AAAAAAAAAAAAAAAAAAAAAB" }],
    ["with an upper-case run id", { ...good, run: RUN.toUpperCase() }],
    ["with the letter i in a run id", { ...good, run: "run_i1k9zzzzzz0123456789abcdef" }],
    ["with a run but no place in it", { ...good, runSeq: null }],
    ["as the first of a run with one before it", { ...good, runSeq: 0 }],
    ["as a later one with none before it", { ...good, prevRunLeaf: null }],
    ["of no run where its type needs one", { ...good, run: null, runSeq: null, prevRunLeaf: null }],
    [
      "of a run where its type has none",
      { ...draft("service.stopped", SAMPLES["service.stopped"]), run: RUN, runSeq: 0 },
    ],
  ];
  test.each(cases)("%s", (_, entry) => {
    expect(() => parseEntry(canonicalBytes({ v: 1, ...entry } as never))).toThrow(EvidenceError);
  });

  test("when it is larger than 65,535 bytes", () => {
    const facts = Object.fromEntries(
      Array.from({ length: 64 }, (_, i) => [`k${i}`, Array.from({ length: 4 }, () => "y".repeat(500))]),
    );
    expect(() => encodeEntry(draft("gate.checked", { ...SAMPLES["gate.checked"], evidence: facts }))).toThrow(
      expect.objectContaining({ code: "too-large" }),
    );
  });

  test("when facts nest five levels deep or could repaint a terminal", () => {
    const evidence = (value: unknown) => draft("gate.checked", { ...SAMPLES["gate.checked"], evidence: value });
    expect(() => encodeEntry(evidence({ a: { b: { c: { d: {} } } } }))).toThrow(EvidenceError);
    encodeEntry(evidence({ a: { b: { c: { d: 1 } } } }));
    for (const bad of ["\u001b[2J", "\u009b", "\u202e", "\u2066"]) {
      expect(() => encodeEntry(evidence({ a: bad }))).toThrow(EvidenceError);
    }
  });
});
