import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { Loose } from "./tenant.ts";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const folder = () => mkdtempSync(join(tmpdir(), "simulator-"));

interface Ready {
  tenantId: string;
  urls: { authority: string; management: string; vaults: Record<string, string> };
}

async function start(args: string[]) {
  const child = spawn(process.execPath, [main, "--port", "0", "--management-port", "0", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ready = await new Promise<Ready>((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes("\n")) resolve(JSON.parse(text.slice(0, text.indexOf("\n"))) as Ready);
    });
    child.once("exit", (code) => reject(new Error(`ended with ${code}`)));
  });
  const end = (signal: "SIGTERM" | "SIGKILL") =>
    new Promise<number | null>((resolve) => {
      child.once("exit", (code) => resolve(code));
      child.kill(signal);
    });
  const manage = async (method: string, path: string, body?: unknown): Promise<Loose> =>
    (
      await fetch(`${ready.urls.management}${path}`, {
        method,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
    ).json();
  return { ready, end, manage };
}

test("it prints its addresses when it is ready and ends on SIGTERM", async () => {
  const { ready, end, manage } = await start(["--seed", "5", "--knobs", "off"]);
  expect((await manage("GET", "/")).urls).toEqual(ready.urls);
  expect(await end("SIGTERM")).toBe(0);
});

test("with a state file tenant, clock, addresses and effect log outlive kill -9; a token from before still works", async () => {
  const file = join(folder(), "state.json");
  const args = ["--seed", "5", "--knobs", "off", "--state-file", file];
  const first = await start(args);
  await first.manage("POST", "/seed", {
    vaults: [{ name: "prod" }],
    applications: [{ name: "billing", owners: ["writer"], secrets: [{ name: "current", expiresInDays: 14 }] }],
    vaultEntries: [{ vault: "prod", secret: "billing", from: { application: "billing", secret: "current" } }],
    workloads: [
      { name: "w", kind: "entra-latest", application: "billing", vault: "prod", secret: "billing", cacheSeconds: 60 },
    ],
  });
  const before = await first.manage("GET", "/directory");
  const { writer } = before.callers;
  const token = (await (
    await fetch(`${before.urls.authority}/${before.tenant.id}/oauth2/v2.0/token`, {
      method: "POST",
      body: new URLSearchParams({
        grant_type: "client_credentials",
        client_id: writer.clientId,
        client_secret: writer.clientSecret,
        scope: "https://graph.microsoft.com/.default",
      }),
    })
  ).json()) as { access_token: string };
  const billing = before.applications.find((item: { name: string }) => item.name === "billing");
  const headers = { authorization: `Bearer ${token.access_token}` };
  await first.manage("POST", "/clock/advance", { by: 1800 });
  await fetch(`${before.urls.graph}/v1.0/applications/${billing.objectId}/addPassword`, {
    method: "POST",
    headers,
    body: "{}",
  });
  const effects = await first.manage("GET", "/effects?limit=10000");
  await first.end("SIGKILL");

  const second = await start(args);
  expect(second.ready).toMatchObject({ tenantId: first.ready.tenantId, urls: first.ready.urls });
  const app = (await (
    await fetch(`${before.urls.graph}/v1.0/applications/${billing.objectId}`, { headers })
  ).json()) as Loose;
  expect(app.passwordCredentials.length).toBe(2);
  const after = await second.manage("GET", "/effects?limit=10000");
  expect(after.entries.slice(0, effects.entries.length)).toEqual(effects.entries);
  expect((await second.manage("GET", "/clock")).now).toBe(effects.entries.at(-1).at);
  await second.manage("POST", "/clock/advance", { by: "PT1H" });
  expect((await second.manage("GET", "/figures")).applications[0]).toMatchObject({ name: "billing", failedSignIns: 0 });
  expect(await second.end("SIGTERM")).toBe(0);
  expect(readFileSync(`${file}.log`, "utf8")).not.toContain(writer.clientSecret);
});
