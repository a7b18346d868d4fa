import { readFileSync } from "node:fs";
import { pathOf } from "@countersign/contract";
import { FILES, type Population, parseTrust, readBundle, verifyBundle } from "@countersign/evidence";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { withEmergencyTerms } from "./documents.ts";
import { tellOnFailure } from "./failure.ts";
import { Stage } from "./stage.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open({
    applications: [
      { name: "app-run", consumers: ["latest"], instant: true },
      { name: "app-alone", consumers: ["latest"], instant: true },
      { name: "app-others", consumers: ["latest"] },
    ],
    scenario: {
      users: [{ name: "mallory" }],
      callers: [{ name: "other-tool", roles: ["Application.ReadWrite.All"] }],
    },
    policy: withEmergencyTerms,
    config: (yaml) => yaml.replace("audit: { everySeconds: 0 }", "audit: { everySeconds: 3600, lateSeconds: 3600 }"),
    // The log is as late, as disordered and as repetitive as it comes; pages of four, so that it has many.
    knobs: {
      preset: "off",
      auditLagSeconds: [30, 300],
      auditLate: 0.2,
      auditLateSeconds: [600, 2_400],
      auditDisorderSeconds: 60,
      auditRepeat: 0.5,
      reportsPer10Seconds: 5,
      pageSize: 4,
    },
  });
});
afterAll(() => stage?.close());
beforeEach(() => tellOnFailure(stage));

interface Change {
  readonly act: string;
  readonly credential: string;
  readonly object_id: string;
  readonly verdict: string;
  readonly because: string;
  readonly run_id: string | null;
  readonly step: string | null;
}

const query = <T>(text: string) =>
  stage.asDatabaseOwner(async (client) => (await client.query(text)).rows as readonly T[]);
const changesOf = (application: string) =>
  query<Change>(
    `select act, credential, object_id, verdict, because, run_id, step from cs.audit_change
     where object_id = '${stage.idsOf(application).objectId}' order by at, entry`,
  );
const byHand = async (path: string, body: object) =>
  ((await stage.manage("POST", path, { user: "mallory", ...body })) as { keyId: string }).keyId;

/** What the tenant itself knows to have been changed, by whomever. */
async function outside(): Promise<string[]> {
  const { entries } = (await stage.manage("GET", "/effects?effect=true&limit=10000")) as {
    entries: { op: string; target: { keyId?: string } }[];
  };
  return entries
    .filter(({ op }) => /^(application\.(add|remove)Password|portal\.(add|remove))$/.test(op))
    .map(({ op, target }) => `${/add/.test(op) ? "added" : "removed"} ${target.keyId ?? ""}`);
}

/** A secret by a program that has the right to, as any other rotation tool has. */
async function byOtherTool(application: string): Promise<string> {
  const { callers, tenant } = (await stage.manage("GET", "/directory")) as {
    callers: Record<string, { clientId: string; clientSecret: string }>;
    tenant: { id: string };
  };
  const tool = callers["other-tool"];
  const token = await fetch(new URL(`/${tenant.id}/oauth2/v2.0/token`, stage.urls.authority), {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "client_credentials",
      client_id: tool?.clientId ?? "",
      client_secret: tool?.clientSecret ?? "",
      scope: "https://graph.microsoft.com/.default",
    }),
  });
  const { access_token: bearer } = (await token.json()) as { access_token: string };
  const { objectId } = stage.idsOf(application);
  const answer = await fetch(new URL(`/v1.0/applications/${objectId}/addPassword`, stage.urls.graph), {
    method: "POST",
    headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json" },
    body: JSON.stringify({ passwordCredential: { displayName: "tool" } }),
  });
  return ((await answer.json()) as { keyId: string }).keyId;
}

describe("every change of a credential in the directory's own log", () => {
  it("is ours where a run had committed to it, break-glass where one person alone had started that run", async () => {
    const [old = ""] = await stage.secretsOf("app-run");
    const run = await stage.report("app-run", old);
    const [leaked = ""] = await stage.secretsOf("app-alone");
    const alone = await stage.report("app-alone", leaked);
    // Who used the leaked one is read first; the report takes few requests.
    await stage.advance(120);
    await stage.decide("cleo", run, "security");
    await stage.say("ben", alone, "platform", "break-glass", "nobody of security answers");
    await stage.advance(120);
    await stage.say("ada", alone, "app-owner", "confirm");
    for (const one of [run, alone]) await stage.advanceUntil(one, ["completed"], { stepSeconds: 300, hoursMax: 1 });
    await stage.advance(2 * 3_600);

    const ours = await changesOf("app-run");
    expect(ours.map(({ act, verdict, because, run_id }) => [act, verdict, because, run_id])).toEqual([
      ["added", "ours", "made-by-attempt", run],
      ["removed", "ours", "removed-by-attempt", run],
    ]);
    expect(ours[1]?.credential).toBe(old);
    const broken = await changesOf("app-alone");
    expect(new Set(broken.map(({ verdict, run_id }) => `${verdict} ${run_id}`))).toEqual(
      new Set([`break-glass ${alone}`]),
    );
    expect(broken.map(({ act }) => act).sort()).toEqual(["added", "removed"]);
  });

  it("is out of band where a person, another program or a thief of our own credential did it, and operators hear of each once", async () => {
    const made = await byHand("/portal/credentials", { application: "app-others" });
    const certificate = await byHand("/portal/credentials", { application: "app-others", kind: "certificate" });
    await byHand("/portal/removals", { application: "app-others", keyId: made });
    const tool = await byOtherTool("app-others");
    const path = `/v1.0/applications/${stage.idsOf("app-others").objectId}/addPassword`;
    const stolen = (await stage.foreign("POST", path, { passwordCredential: { displayName: "x" } })) as {
      keyId: string;
    };
    // Somebody copies what our secrets are called, without any attempt that had said so.
    const marker = `cs:run_${"0".repeat(26)}:1:${"ab".repeat(16)}`;
    const forged = await byHand("/portal/credentials", { application: "app-others", displayName: marker });
    // The product stops in the middle of it, and another process goes on.
    await stage.advance(600);
    await stage.stop();
    await stage.start();
    await stage.advance(2 * 3_600);

    const found = await changesOf("app-others");
    expect(
      new Set(found.map(({ act, credential, verdict, because }) => `${verdict} ${because} ${act} ${credential}`)),
    ).toEqual(
      new Set([
        `out-of-band by-person added ${made}`,
        `out-of-band by-person added ${certificate}`,
        `out-of-band by-person removed ${made}`,
        `out-of-band by-application added ${tool}`,
        `out-of-band own-application-without-intent added ${stolen.keyId}`,
        `out-of-band marker-without-intent added ${forged}`,
      ]),
    );
    expect(found).toHaveLength(6);
    const told = await query<{ key: string }>("select key from cs.notice where kind = 'audit.out-of-band'");
    expect(told).toHaveLength(6);
    const counted = await query<{ entry: Buffer }>(
      "select entry from journal.log_entry where type = 'audit.read' order by idx",
    );
    const reads = counted.map(({ entry }) => (JSON.parse(entry.toString()) as { data: Record<string, number> }).data);
    const sums = ["ours", "breakGlass", "outOfBand", "unknown"].map((name) =>
      reads.reduce((sum, data) => sum + (data[name] ?? 0), 0),
    );
    expect(sums).toEqual([2, 2, 6, 0]);
  });

  it("is a finding until a person who answers for it says what it was, and then an entry of the log", async () => {
    const standing = async () => {
      const { items } = await (await stage.as("cleo")).listFindings({
        query: { code: "changed-out-of-band", limit: 50 },
      });
      return items.map(({ application, credential }) => `${application} ${credential}`).sort();
    };
    const ada = await stage.as("ada");
    // Findings are of what a listing has seen. It sees the forged marker too, and the judge of invariants says so.
    stage.expectBroken(`run_${"0".repeat(26)}`, "I3");
    await ada.scan({ body: {} });
    await stage.advance(300);
    const { items } = await ada.listChanges({ query: { standing: "true", limit: 50 } });
    // What was made by hand and taken away by hand is one credential: its removal stands.
    expect(items).toHaveLength(5);
    expect(await standing()).toEqual([...new Set(items.map(({ credential }) => `app-others ${credential}`))].sort());
    for (const [n, { tenant, entry, credential, act }] of items.entries()) {
      await ada.explainChange({ body: { tenant, entry, credential, act, reason: "The vendor's migration." } });
      expect(await standing()).toHaveLength(4 - n);
    }
    const said = await query<{ entry: Buffer }>(
      "select entry from journal.log_entry where type = 'audit.explained' order by idx",
    );
    expect(said).toHaveLength(5);
  });

  it("is the same list that the tenant itself keeps, over a span without a hole", async () => {
    const known = await query<Change>("select act, credential from cs.audit_change");
    expect(known.map(({ act, credential }) => `${act} ${credential}`).sort()).toEqual((await outside()).sort());
    const spans = await query<{ settled: boolean }>("select settled from cs.audit_span order by settled");
    expect(spans).toEqual([{ settled: false }, { settled: true }]);
  });

  it("is exported with every run of the period, as a list that both verifiers prove to be whole", async () => {
    await stage.advance(2 * 86_400);
    const sample = { seed: "auditor-4711", size: 3 };
    const period = { from: "2026-11-15T00:00:00.000Z", to: "2026-12-15T00:00:00.000Z" };
    const file = await stage.download(pathOf("exportPopulation", {}), "period.zip", { ...period, sample });
    const files = readBundle(file);
    const report = verifyBundle(files, parseTrust(readFileSync(stage.path("state/trust.json"))));
    expect(report.checks.filter(({ result }) => result === "fail")).toEqual([]);
    expect([report.verdict, stage.secondVerdict("period")]).toEqual(["proven", "proven"]);
    const list = JSON.parse(Buffer.from(files.get(FILES.population) ?? []).toString()) as Population;
    expect(list.changes.map(({ act, credential }) => `${act} ${credential}`).sort()).toEqual((await outside()).sort());
    expect(list.counts).toMatchObject({ ours: 2, breakGlass: 2, outOfBand: 6, unknown: 0, explained: 5, runs: 2 });
    expect([list.sample?.changes.length, list.sample?.runs]).toEqual([3, [0, 1]]);
    // Before what the directory still had, and after the last look: said, not passed over.
    const whys = list.gaps.map(({ why }) => why);
    expect([whys[0], whys.at(-1)]).toEqual(["lost", "ahead"]);
    const told = report.facts.filter(({ code }) => code === "gap");
    expect(told).toHaveLength(list.gaps.length);

    const day = { from: "2026-11-23T00:00:00.000Z", to: "2026-11-24T00:00:00.000Z", sample: null };
    const whole = readBundle(await stage.download(pathOf("exportPopulation", {}), "day.zip", day));
    const { gaps, counts } = JSON.parse(Buffer.from(whole.get(FILES.population) ?? []).toString()) as Population;
    expect([gaps, counts.runs, stage.secondVerdict("day")]).toEqual([[], 0, "proven"]);
  });
});
