import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startSimulator } from "@countersign/simulator";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { readEffects } from "../crash/stage/effects.ts";
import { scenarioOf } from "./documents.ts";
import { changesTo, readFigures } from "./effects.ts";
import { tellOnFailure } from "./failure.ts";
import { type Directory, Stage, type StageTenant, tenantStart } from "./stage.ts";

/** Each name exists in both tenants, as other applications with other ids; the inventory says which one is meant. */
const names = ["app-here", "app-there", "app-swapped", "app-moved"] as const;
const overThere: readonly string[] = ["app-there", "app-swapped"];
const applications = names.map((name) => ({ name, consumers: ["latest"] as const }));
const callers = ["reader", "writer", "vault"] as const;

let other: StageTenant;
let directory: Directory;
let secrets: string;
let clock: Server;
let stage: Stage;

beforeAll(async () => {
  secrets = mkdtempSync(join(tmpdir(), "cs-other-"));
  other = await startSimulator({ seed: 8, knobs: "off", start: tenantStart });
  await post("/seed", scenarioOf(applications, secrets));
  directory = (await (await fetch(new URL("/directory", other.urls.management))).json()) as Directory;
  for (const name of callers)
    writeFileSync(join(secrets, `${name}.secret`), directory.callers[name].clientSecret, { mode: 0o600 });
  clock = createServer();
  await new Promise<void>((resolve) => clock.listen(0, "127.0.0.1", resolve));
  stage = await Stage.open({
    applications,
    beside: [other],
    config: (yaml) => withOneClock(withOther(yaml)),
    inventory: (yaml) => overThere.reduce((text, name) => rowThere(text, name), yaml),
  });
}, 60_000);
afterAll(async () => {
  await stage?.close();
  clock?.closeAllConnections();
  clock?.close();
  await other?.close();
  rmSync(secrets, { recursive: true, force: true });
});
beforeEach(() => tellOnFailure(stage));

function post(path: string, body: object): Promise<Response> {
  return fetch(new URL(path, other.urls.management), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

function idsThere(name: string): { readonly name: string; readonly objectId: string; readonly appId: string } {
  const found = directory.applications.find((application) => application.name === name);
  if (found === undefined) throw new Error(`expected ${name} in the other tenant`);
  return found;
}

/** The second tenant of the installation, with callers and a vault of its own. */
function withOther(yaml: string): string {
  const { authority, graph, vaults } = other.urls;
  const client = (name: (typeof callers)[number]) =>
    `{ clientId: ${directory.callers[name].clientId}, secret: "file:${join(secrets, name)}.secret" }`;
  return yaml.replace(
    "connections:\n",
    `  - name: other
    id: ${directory.tenant.id}
    authority: "${authority}"
    graph: "${graph}"
    reader: ${client("reader")}
    writer: ${client("writer")}
    signInLogLagSeconds: 60
connections:
  - { name: other-main, kind: key-vault, environment: dev, prod: false, tenant: other, url: "${vaults.main}", audience: "https://vault.azure.net", client: ${client("vault")}, names: ["app-*"] }
`,
  );
}

/** Both tenants live at the same time: the product hears of an instant once the other one has come to it as well. */
function withOneClock(yaml: string): string {
  const [, url = ""] = /clock: \{ url: "(.+?)" \}/.exec(yaml) ?? [];
  const pass = async (request: IncomingMessage, response: ServerResponse) => {
    const body = request.method === "POST" ? Buffer.concat(await request.toArray()) : null;
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    const headers = { "content-type": "application/json" };
    const asked = { method: request.method ?? "GET", signal: gone.signal, ...(body === null ? {} : { headers, body }) };
    try {
      const answer = await fetch(new URL(request.url ?? "/", url), asked);
      response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "application/json" });
      for await (const chunk of answer.body ?? []) {
        const times = [
          ...Buffer.from(chunk)
            .toString()
            .matchAll(/^data: (.+)$/gm),
        ].map(([, data = ""]) => data);
        for (const data of times) await post("/clock/advance", { to: (JSON.parse(data) as { now: string }).now });
        response.write(chunk);
      }
      response.end();
    } catch {
      response.destroy();
    }
  };
  clock.on("request", (request, response) => void pass(request, response));
  return yaml.replace(url, `http://127.0.0.1:${(clock.address() as AddressInfo).port}`);
}

/** The row of an application names the other tenant, its vault and the application's ids there. */
function rowThere(yaml: string, name: string): string {
  return yaml
    .split(/(?=^ {2}- name: )/m)
    .map((row) =>
      row.startsWith(`  - name: ${name}\n`)
        ? row
            .replace("tenant: stage", "tenant: other")
            .replace(/objectId: .*/, `objectId: ${idsThere(name).objectId}`)
            .replace(/appId: .*/, `appId: ${idsThere(name).appId}`)
            .replace("connection: main", "connection: other-main")
        : row,
    )
    .join("");
}

/** What the product changed of the application of this name in each tenant. */
async function changes(name: string) {
  const [here, there] = await Promise.all([
    stage.effects(name),
    changesTo(other.urls.management, { ...idsThere(name), name }),
  ]);
  return { here: here.length, there: there.length };
}

/** Who asked for a token where: the callers of one tenant have no business in the other. */
async function callersAt(management: string): Promise<string[]> {
  const { effects } = await readEffects(management, 0, { origin: "outside" });
  return [...new Set(effects.flatMap(({ op, target }) => (op === "token" ? [String(target.appId)] : [])))].sort();
}

async function restartWith(config: string): Promise<void> {
  await stage.stop();
  stage.write("countersign.yaml", config);
  await stage.start();
}

describe("an installation with two tenants", () => {
  it("rotates each application in its own tenant, and touches its namesake in the other one never", async () => {
    const runs = [await stage.request("app-here"), await stage.request("app-there")];
    for (const run of runs) await stage.approve(run);
    for (const run of runs) await stage.advanceUntil(run, ["completed"]);
    for (const run of runs) expect(await stage.verdict(run)).toBe("proven");
    const [inHere, inThere] = await Promise.all(["app-here", "app-there"].map(changes));
    expect(inHere).toEqual({ here: expect.any(Number), there: 0 });
    expect(inThere).toEqual({ here: 0, there: inHere?.here });
    expect(inHere?.here).toBeGreaterThan(2);
    const { failedSignIns, orphans } = await readFigures(other.urls.management, "app-there");
    expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
    const at = (of: Directory["callers"]) => callers.map((name) => of[name].clientId).sort();
    expect(await callersAt(other.urls.management)).toEqual(expect.arrayContaining(at(directory.callers)));
    const strangers = new Set(at(directory.callers));
    expect((await callersAt(stage.urls.management)).filter((appId) => strangers.has(appId))).toEqual([]);
  });

  it("carries out no plan while the names of its tenants are mixed up, and the same plan once they are put right", async () => {
    const run = await stage.request("app-swapped");
    await stage.decide("ada", run, "app-owner");
    const right = stage.read("countersign.yaml");
    const nameOf = (name: string) => new RegExp(`- name: ${name}(?=\\n    id: )`);
    const mixed = right
      .replace(nameOf("stage"), "- name: neither")
      .replace(nameOf("other"), "- name: stage")
      .replace(nameOf("neither"), "- name: other");
    await restartWith(mixed);
    await stage.decide("ben", run, "platform");
    await stage.advance(120);
    expect((await stage.run(run)).run).toMatchObject({ state: "scheduled", because: { code: "world-unreadable" } });
    expect(await changes("app-swapped")).toEqual({ here: 0, there: 0 });

    await restartWith(right);
    await stage.advanceUntil(run, ["overlapping"], { stepSeconds: 60, hoursMax: 1 });
    expect(await changes("app-swapped")).toEqual({ here: 0, there: expect.any(Number) });
    expect((await changes("app-swapped")).there).toBeGreaterThan(1);
  });

  it("plans nothing for a row that names one tenant and the application of the other", async () => {
    const { objectId, appId } = idsThere("app-moved");
    await stage.editRow("app-moved", (row) =>
      row.replace(/objectId: .*/, `objectId: ${objectId}`).replace(/appId: .*/, `appId: ${appId}`),
    );
    const run = await stage.request("app-moved");
    expect((await stage.run(run)).run.state).toBe("blocked");
    expect(await changes("app-moved")).toEqual({ here: 0, there: 0 });
  });
});
