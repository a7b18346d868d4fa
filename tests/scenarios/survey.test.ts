import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type Simulator, startSimulator } from "@countersign/simulator";
import { afterEach, describe, expect, it } from "vitest";

let tenant: Simulator | null = null;
afterEach(async () => {
  await tenant?.close();
  tenant = null;
});

const main = fileURLToPath(new URL("../../packages/cli/src/main.ts", import.meta.url));

interface Surveyed {
  readonly applications: number;
  readonly secrets: number;
  readonly certificates: number;
  readonly counts: Readonly<Record<string, number | null>>;
  readonly rows: readonly {
    readonly codes: readonly string[];
    readonly owners: { readonly owners: unknown[] } | null;
  }[];
}

/** `countersign scan` as somebody runs it on the first day: ids and a secret of a reader, nothing else. */
async function scan(sim: Simulator, ...options: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const { callers, tenant: of } = (await (await fetch(`${sim.urls.management}/directory`)).json()) as {
    readonly callers: { readonly reader: { readonly clientId: string; readonly clientSecret: string } };
    readonly tenant: { readonly id: string };
  };
  const where = ["--authority", sim.urls.authority, "--graph", sim.urls.graph];
  const who = ["--tenant-id", of.id, "--client-id", callers.reader.clientId];
  const child = spawn(process.execPath, [main, "scan", ...who, ...where, ...options], {
    env: { ...process.env, COUNTERSIGN_READER_SECRET: callers.reader.clientSecret },
  });
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, out, err })));
}

async function openFleet(applications: number) {
  // The survey reads the machine's clock, so the tenant's begins there.
  tenant = await startSimulator({ seed: 5, knobs: "off", start: new Date().toISOString() });
  const answer = await fetch(`${tenant.urls.management}/fleet`, {
    method: "POST",
    body: JSON.stringify({ applications, seed: 3 }),
  });
  const fleet = (await answer.json()) as Record<string, number>;
  return { sim: tenant, fleet };
}

describe("the first day, with a reader and nothing else", () => {
  it("a scan counts what the tenant holds, says what nobody owns, and changes nothing", async () => {
    const { sim, fleet } = await openFleet(1_500);
    const { code, out } = await scan(sim, "--json");
    expect(code).toBe(0);
    const seen = JSON.parse(out) as Surveyed;
    // The double's own callers are applications with a secret each.
    const callers = seen.applications - (fleet.applications ?? 0);
    expect(callers).toBeGreaterThan(0);
    expect(seen.secrets - callers).toBe(fleet.secrets);
    expect(seen.certificates).toBe(fleet.certificates);
    expect(seen.counts.expired).toBe(fleet.expired);
    expect(seen.counts.ownerless).toBeGreaterThan(0);
    expect(Math.max(...seen.rows.map(({ owners }) => owners?.owners.length ?? 0))).toBe(25);
    const done = await fetch(`${sim.urls.management}/effects?after=0&limit=10000&effect=true`);
    const { entries } = (await done.json()) as { readonly entries: readonly { readonly op: string }[] };
    expect(new Set(entries.map(({ op }) => op))).toEqual(new Set(["token"]));
  });

  it("every row comes as CSV, with nothing in it that a spreadsheet would run", async () => {
    const { sim } = await openFleet(400);
    const json = JSON.parse((await scan(sim, "--json")).out) as Surveyed;
    const { out } = await scan(sim, "--csv");
    const lines = out.trimEnd().split("\r\n");
    expect(lines).toHaveLength(json.rows.length + 1);
    expect(lines.filter((line) => /(^|,)"?[=+@\t-]/.test(line))).toEqual([]);
  });

  it("a person is shown counts and the most urgent rows; without rights it says which are missing", async () => {
    const { sim } = await openFleet(200);
    const { code, out } = await scan(sim, "--days", "60");
    expect(code).toBe(0);
    expect(out).toMatch(/^2\d\d applications and \d+ service principals with \d+ secrets/);
    expect(out).toContain("Nobody owns the application");
    expect((await scan(sim, "--days", "0")).code).toBe(2);
    const refused = await scan(sim, "--client-id", "00000000-0000-4000-8000-000000000000");
    expect(refused.code).toBe(1);
    expect(refused.err).toMatch(/OUTSIDE_AUTH|OUTSIDE_INVALID/);
  });
});
