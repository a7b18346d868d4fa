import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, expect, test } from "vitest";
import { type Simulator, startSimulator } from "../src/index.ts";
import { smallScenario } from "./tenant.ts";

let simulator: Simulator;
afterEach(() => simulator.close());

const caFile = () => join(mkdtempSync(join(tmpdir(), "simulator-")), "ca.pem");

test("the vendor's clients sign in and work on a vault, over https with the private CA", async () => {
  const file = caFile();
  const old = { name: "old", secrets: [{ name: "s", expiresInDays: -1 }] };
  const scenario = { ...smallScenario, applications: [...(smallScenario.applications ?? []), old] };
  simulator = await startSimulator({ seed: 2, knobs: "off", tls: true, caFile: file, scenario });
  const caller = simulator.world.tenant.callers.find((item) => item.name === "vault");
  const oldApp = simulator.world.tenant.applications.find((item) => item.displayName === "old");
  const input = {
    expired: { clientId: oldApp?.appId, clientSecret: oldApp?.credentials[0]?.secretText },
    authority: simulator.urls.authority,
    tenantId: simulator.tenantId,
    vaultUrl: simulator.urls.vaults.prod,
    clientId: caller?.appId,
    clientSecret: caller?.secret,
  };
  const script = fileURLToPath(new URL("azure-clients.mjs", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script, JSON.stringify(input)], {
    env: { ...process.env, NODE_EXTRA_CA_CERTS: file },
  });
  expect(JSON.parse(stdout)).toEqual({
    tokenParts: 3,
    latest: "two",
    pinned: "one",
    versions: 2,
    disabled: [403, "SecretDisabled"],
    conflict: 409,
    recovered: "one",
    msal: { good: "ok", wrongSecret: "7000215", unknownApplication: "700016", expired: "7000222" },
  });
});

test("the server certificate is signed by the CA and is refused by whoever does not trust it", async () => {
  simulator = await startSimulator({ tls: true });
  const url = new URL(simulator.urls.authority);
  const get = (ca?: string) =>
    new Promise<string>((resolve) => {
      request({ host: url.hostname, port: url.port, path: "/", ...(ca === undefined ? {} : { ca }) }, (response) => {
        response.resume();
        resolve(String(response.statusCode));
      })
        .on("error", (error: NodeJS.ErrnoException) => resolve(String(error.code)))
        .end();
    });
  expect(await get()).toMatch(/SELF_SIGNED|UNABLE_TO_VERIFY/);
  expect(await get(simulator.caPem ?? "")).toBe("400");
  const ca = new X509Certificate(simulator.caPem ?? "");
  expect(ca.ca).toBe(true);
  expect(ca.verify(ca.publicKey)).toBe(true);
});
