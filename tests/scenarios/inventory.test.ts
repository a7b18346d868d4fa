/**
 * How an organisation gets an inventory: drafted from what its directory and vaults show, compared with them both ways.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Simulator, startSimulator } from "@countersign/simulator";
import { afterEach, describe, expect, it } from "vitest";

const main = fileURLToPath(new URL("../../packages/cli/src/main.ts", import.meta.url));
let open: { sim: Simulator; folder: string } | null = null;
afterEach(async () => {
  await open?.sim.close();
  if (open !== null) rmSync(open.folder, { recursive: true });
  open = null;
});

const ids = (n: number) => ({
  objectId: `8f1c5a52-0000-4000-8000-00000000000${n}`,
  appId: `8f1c5a52-0000-4000-8000-00000000001${n}`,
});
const secrets = [{ name: "current", expiresInDays: 30 }];
const scenario = {
  users: [{ name: "ada" }, { name: "bob", accountEnabled: false }],
  applications: [
    { name: "billing", displayName: "Billing API - prod", ...ids(1), owners: ["ada", "bob", "writer"], secrets },
    { name: "reports", ...ids(2), secrets },
    { name: "left", ...ids(3), owners: ["bob"], secrets },
  ],
  vaults: [{ name: "prod" }],
  vaultEntries: [
    { vault: "prod", secret: "billing-secret", value: "v", tags: { appId: ids(1).appId } },
    { vault: "prod", secret: "reports-copy", value: "v" },
  ],
};

interface Callers {
  readonly [name: string]: { readonly clientId: string; readonly clientSecret: string };
}

/** A tenant, and a folder with a configuration for it. */
async function openInstallation(inventory: string, file = "inventory.yaml") {
  const sim = await startSimulator({ seed: 11, knobs: "off", scenario, start: new Date().toISOString() });
  const folder = mkdtempSync(join(tmpdir(), "inventory-"));
  open = { sim, folder };
  const answer = await fetch(`${sim.urls.management}/directory`);
  const { callers, tenant } = (await answer.json()) as { callers: Callers; tenant: { id: string } };
  const client = (name: string) => `{ clientId: ${callers[name]?.clientId}, secret: "file:${name}.secret" }`;
  for (const name of ["reader", "writer", "vault"])
    writeFileSync(join(folder, `${name}.secret`), callers[name]?.clientSecret ?? "", { mode: 0o600 });
  const person = (id: string, name: string) =>
    `{ person: ${id}, name: ${name}, email: "${name}@${sim.world.tenant.domain}", iss: local, sub: ${name}, roles: [app-owner], password: "env:NO" }`;
  writeFileSync(
    join(folder, "countersign.yaml"),
    `version: 1
profile: test
network: { loopback: true }
api: { listen: "127.0.0.1:8080", url: "http://127.0.0.1:8080" }
inventory: { file: ${file} }
tenants:
  - { name: contoso, id: ${tenant.id}, authority: "${sim.urls.authority}", graph: "${sim.urls.graph}", reader: ${client("reader")}, writer: ${client("writer")} }
connections:
  - { name: billing-vault, kind: key-vault, environment: prod, prod: true, tenant: contoso, url: "${sim.urls.vaults.prod}", audience: "https://vault.azure.net", client: ${client("vault")}, names: ["*-secret"] }
signIn:
  local: [${person("p_00000000000000aa", "ada")}, ${person("p_00000000000000bb", "bob")}]
`,
  );
  writeFileSync(join(folder, file), inventory);
  return { sim, folder };
}

async function countersign(
  folder: string,
  ...words: string[]
): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [main, ...words, "--config", join(folder, "countersign.yaml")]);
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, out, err })));
}

interface Checked {
  readonly listed: number;
  readonly proposed: number;
  readonly toMend: number;
  readonly findings: readonly { readonly application: string; readonly code: string; readonly observed: string }[];
}
const found = (text: string) =>
  (JSON.parse(text) as Checked).findings.map(({ application, code }) => `${application}: ${code}`);

const empty = "apiVersion: countersign/inventory/v1\napplications: []\n";
const row = (name: string, n: number, more: string) =>
  `  - { name: ${name}, procedure: entra-client-secret, environment: prod, tenant: contoso, objectId: ${ids(n).objectId}, appId: ${ids(n).appId}, ${more} }\n`;

describe("an inventory, drafted and checked", () => {
  it("a draft names every application with a secret, guesses only what is marked as a guess, and enables nothing", async () => {
    const { sim, folder } = await openInstallation(empty);
    const drafted = await countersign(folder, "inventory", "draft", "--environment", "*prod=prod");
    expect(drafted.code).toBe(0);
    expect(drafted.out).toContain("name: billing-api-prod");
    expect(drafted.out).toContain("environment: prod # guess: your rule *prod=prod");
    expect(drafted.out).toMatch(/name: billing-secret \} # guess: its tag appId points at this application/);
    expect(drafted.out).toMatch(/owners: \[ ?p_00000000000000aa ?\] # guess/);
    expect(drafted.out).toContain("Perhaps its record or a copy: billing-vault/reports-copy (name)");
    // The draft is an inventory that lists nothing: accepting it as it is would allow nothing.
    writeFileSync(join(folder, "inventory.yaml"), drafted.out);
    const { code, out } = await countersign(folder, "inventory", "check", "--json");
    const checked = JSON.parse(out) as Checked;
    expect([code, checked.listed, checked.toMend]).toEqual([0, 0, 0]);
    expect(checked.proposed).toBe(found(out).filter((line) => line.endsWith("still-proposed")).length);
    expect(checked.proposed).toBe(3);
    expect((await countersign(folder, "inventory", "draft", "--out", join(folder, "inventory.yaml"))).code).not.toBe(0);
    const done = await fetch(`${sim.urls.management}/effects?after=0&limit=10000&effect=true`);
    const { entries } = (await done.json()) as { readonly entries: readonly { readonly op: string }[] };
    expect(new Set(entries.map(({ op }) => op))).toEqual(new Set(["token"]));
  });

  it("a check says both ways what does not fit, names owners who left, and fails when something is to be mended", async () => {
    const record = (name: string) => `record: { connection: billing-vault, name: ${name} }`;
    const { folder } = await openInstallation(
      `apiVersion: countersign/inventory/v1\napplications:\n${row("billing", 1, `owners: [p_00000000000000aa, p_00000000000000bb], ${record("other-secret")}, consumers: []`)}${row("left", 3, `owners: [p_00000000000000aa], ${record("left-secret")}, consumers: []`)}${row("gone", 9, `owners: [p_00000000000000cc], ${record("gone-secret")}, consumers: []`)}`,
    );
    const { code, out } = await countersign(folder, "inventory", "check", "--json");
    expect(code).toBe(1);
    const said = found(out);
    for (const line of [
      "billing: owner-disabled",
      "billing: not-declared",
      "left: nobody-enabled",
      "gone: gone",
      "gone: owner-unknown",
      "reports: not-listed",
    ])
      expect(said).toContain(line);
    expect(said).not.toContain("left: owner-disabled");
    const offline = await countersign(folder, "inventory", "check", "--offline", "--json");
    expect([offline.code, found(offline.out)]).toEqual([1, ["gone: owner-unknown"]]);
  });

  it("a report says which applications the writer may rotate, and the exact command that gives it the others; it only reads", async () => {
    const record = (name: string) => `record: { connection: billing-vault, name: ${name} }, consumers: []`;
    const { sim, folder } = await openInstallation(
      `apiVersion: countersign/inventory/v1\napplications:\n${row("billing", 1, `owners: [p_00000000000000aa], ${record("billing-secret")}`)}${row("left", 3, `owners: [p_00000000000000aa], ${record("left-secret")}`)}${row("gone", 9, `owners: [p_00000000000000aa], ${record("gone-secret")}`)}`,
    );
    const writer = sim.world.tenant.callers.find(({ name }) => name === "writer");
    const { code, out, err } = await countersign(folder, "onboarding");
    expect(code).toBe(1);
    expect(out).toBe(`az ad app owner add --id ${ids(3).objectId} --owner-object-id ${writer?.servicePrincipalId}\n`);
    expect(err).toContain("the writer may rotate 1 of the 3 applications of the inventory; it owns 1 of ");
    expect(err).toMatch(/gone +8f1c5a52-0000-4000-8000-000000000009 +gone/);
    const done = await fetch(`${sim.urls.management}/effects?after=0&limit=10000&effect=true`);
    const { entries } = (await done.json()) as { readonly entries: readonly { readonly op: string }[] };
    expect(new Set(entries.map(({ op }) => op))).toEqual(new Set(["token"]));
  });

  it("a report says what the clients lack, and what they may do beyond what they need", async () => {
    const { sim, folder } = await openInstallation(empty);
    const fits = await countersign(folder, "onboarding");
    expect([fits.code, fits.err]).toEqual([0, expect.not.stringMatching(/lacks|may do more than it needs/)]);
    const rolesOf = (name: string) => {
      const caller = sim.world.tenant.callers.find((one) => one.name === name);
      return sim.world.tenant.servicePrincipals.find(({ id }) => id === caller?.servicePrincipalId)?.roles ?? [];
    };
    rolesOf("reader").splice(rolesOf("reader").indexOf("Policy.Read.All"), 1);
    rolesOf("writer").splice(0, 1, "Application.ReadWrite.All", "Mail.Send");
    const { code, out } = await countersign(folder, "onboarding", "--json");
    expect(code).toBe(1);
    const { clients } = JSON.parse(out) as { clients: { client: string; missing: string[]; excessive: string[] }[] };
    expect(clients).toMatchObject([
      { client: "reader", missing: ["Policy.Read.All"], excessive: [] },
      { client: "writer", missing: [], excessive: ["Application.ReadWrite.All", "Mail.Send"] },
    ]);
    const told = await countersign(folder, "onboarding");
    expect(told.err).toMatch(/the reader .* lacks Policy\.Read\.All/);
    expect(told.err).toMatch(/the writer .* may do more than it needs: Application\.ReadWrite\.All, Mail\.Send/);
    // Who may not read that is told so, and nothing is concluded.
    await fetch(`${sim.urls.management}/faults`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ op: "servicePrincipal.appRoleAssignments", kind: "403", times: "always" }),
    });
    const blind = await countersign(folder, "onboarding");
    expect([blind.code, blind.err]).toEqual([0, expect.stringMatching(/not read: what is granted to the writer/)]);
  });

  it("an inventory may be a CSV file; a mistake in it is named by line, column and cell", async () => {
    const { folder } = await openInstallation("name\r\n", "inventory.csv");
    const drafted = await countersign(folder, "inventory", "draft", "--csv", "--environment", "*=prod");
    expect(drafted.code).toBe(0);
    const file = join(folder, "inventory.csv");
    writeFileSync(file, drafted.out);
    writeFileSync(file, readFileSync(file, "utf8").replace("proposed,reports", "approved,reports"));
    const refused = await countersign(folder, "inventory", "check", "--offline");
    expect(refused.code).toBe(1);
    expect(refused.err).toMatch(/^INVENTORY_INVALID: \d+:13 record\.connection: expected a mapping, got nothing/);
  });
});
