import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultPolicyYaml } from "@countersign/core";
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { countersign } from "../src/program.ts";

const folder = mkdtempSync(join(tmpdir(), "countersign-failure-"));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

let out: string[];
let said: string[];
beforeEach(() => {
  [out, said] = [[], []];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => out.push(String(text)) > 0);
  vi.spyOn(process.stderr, "write").mockImplementation((text) => said.push(String(text)) > 0);
  vi.stubEnv("COUNTERSIGN_LOGIN", "ada");
  vi.stubEnv("COUNTERSIGN_PASSWORD", "none");
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

/** Runs a command in this process; what the process would end with is taken, and not kept. */
async function exitOf(...args: string[]) {
  const before = process.exitCode;
  await countersign(args);
  const code = process.exitCode;
  process.exitCode = before;
  return code;
}

const configuration = `version: 1
profile: test
network: { loopback: true }
api: { listen: "127.0.0.1:8080", url: "http://127.0.0.1:8080" }
tenants:
  - name: main
    id: 11111111-2222-4333-8444-555555555555
    reader: { clientId: 22222222-3333-4444-8555-666666666666, secret: "file:reader.secret" }
    writer: { clientId: 33333333-4444-4555-8666-777777777777, secret: "file:writer.secret" }
connections: []
`;

const policy = (change: (text: string) => string = (text) => text) => file("policy.yaml", change(defaultPolicyYaml));

const inventory = `apiVersion: countersign/inventory/v1
applications:
  - name: billing
    procedure: entra-client-secret
    environment: dev
    tenant: main
    objectId: 55555555-6666-4777-8888-999999999999
    appId: 66666666-7777-4888-8999-aaaaaaaaaaaa
    owners: [p_00000000000000aa]
    record: { connection: main, name: billing }
    consumers: []
`;

describe("documents before they count", () => {
  it("`config check` reads the configuration, with nothing set up and no secret there", async () => {
    const config = file("countersign.yaml", configuration);
    expect(await exitOf("config", "check", "--config", config, "--json")).toBeUndefined();
    const secrets = ["file:reader.secret", "file:writer.secret"];
    expect(JSON.parse(out.join(""))).toEqual({
      profile: "test",
      tenants: ["main"],
      connections: [],
      people: 0,
      secrets,
    });
  });

  it("`config check` refuses an authority that is no certificate, which Node would ignore", async () => {
    file("ca.pem", "-----BEGIN PRIVATE KEY-----\n");
    const config = file("ca.yaml", configuration.replace("{ loopback", "{ ca: [ca.pem], loopback"));
    expect(await exitOf("config", "check", "--config", config)).toBe(1);
    expect(said.join("")).toMatch(/^CONFIG_INVALID: expected certificates in PEM in .*ca\.pem, got something else\n$/);
  });

  it("`policy lint` passes the default policy, and fails on one that cannot work out", async () => {
    const config = file("countersign.yaml", configuration);
    expect(await exitOf("policy", "lint", policy(), "--config", config)).toBe(0);
    expect(out.splice(0).join("")).toMatch(/^nothing to say against sha256:/);
    policy((text) => text.replace("rotateWhenExpiresIn: P14D", "rotateWhenExpiresIn: P1D"));
    expect(await exitOf("policy", "lint", "--config", config, "--json")).toBe(1);
    expect(JSON.parse(out.join(""))).toMatchObject({
      found: expect.arrayContaining([expect.objectContaining({ code: "rotate-too-late", result: "block" })]) as unknown,
    });
  });

  it("`policy what-if` says what another policy would change for each application, and changes nothing", async () => {
    const config = file("countersign.yaml", configuration);
    policy();
    file("inventory.yaml", inventory);
    const other = file(
      "other.yaml",
      defaultPolicyYaml.replaceAll("secretLifetime: { max: P90D }", "secretLifetime: { max: P60D }"),
    );
    expect(await exitOf("policy", "what-if", other, "--config", config, "--json")).toBeUndefined();
    const day = 86_400;
    expect(JSON.parse(out.join(""))).toEqual({
      changes: [{ row: "billing", field: "lifetimeMaxSeconds", before: `${90 * day}`, after: `${60 * day}` }],
    });
  });
});

describe("a command that fails", () => {
  it.each([
    ["the product does not answer", 1, "API_UNREACHABLE", ["runs", "--url", "http://127.0.0.1:9"]],
    ["an option is not known", 2, "INPUT_INVALID", ["runs", "--bogus"]],
    ["there is no such bundle", 2, "INPUT_INVALID", ["verify", join(folder, "none.zip")]],
    ["there is no configuration", 1, "CONFIG_INVALID", ["config", "check", "--config", join(folder, "none.yaml")]],
    ["a file cannot be read", 1, "FILE_UNUSABLE", ["policy", "lint", join(folder, "none.yaml")]],
  ])("has its one object with --json when %s", async (_, exit, code, args) => {
    const config = ["--config", file("countersign.yaml", configuration)];
    expect(await exitOf(...args, ...(args[0] === "policy" ? config : []), "--json")).toBe(exit);
    expect(JSON.parse(out.join(""))).toEqual({ error: { code, message: expect.stringMatching(/^\w.+/) as unknown } });
    expect(said.join("")).not.toBe("");
  });

  it("does not repeat a file that is no configuration: it may be a secret", async () => {
    expect(await exitOf("config", "check", "--config", file("key.yaml", "hunter2-as-it-stands\n"))).toBe(1);
    expect(said.join("")).toBe("CONFIG_INVALID: 1:1 expected a mapping, got one text\n");
  });
});
