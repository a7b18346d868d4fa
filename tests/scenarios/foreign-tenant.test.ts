/**
 * docs/foreign-tenant.md, run as it stands: its documents with addresses and ids filled in, its commands as processes. The
 * server is a process of its own on https with a private authority; the product is told nothing of its clock.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Client, createClient } from "@countersign/contract";
import { parseEntry, readBundle } from "@countersign/evidence";
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const page = readFileSync(join(root, "docs/foreign-tenant.md"), "utf8");
const blocks = (language: string) =>
  [...page.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
    .filter(([, found]) => found === language)
    .map(([, , text]) => text ?? "");
const [configuration = "", inventory = "", policy = "", seenConsumer = "", strongRetire = ""] = blocks("yaml");
const [scenario = ""] = blocks("json");
const password = "correct horse";
const limitMs = 60_000;

interface Directory {
  readonly tenant: { readonly id: string };
  readonly callers: Readonly<
    Record<"reader" | "writer" | "vault", { readonly clientId: string; readonly clientSecret: string }>
  >;
  readonly applications: readonly { readonly name: string; readonly objectId: string; readonly appId: string }[];
}
interface Ready {
  readonly urls: {
    readonly authority: string;
    readonly management: string;
    readonly vaults: { readonly main: string };
  };
}

const folder = mkdtempSync(join(tmpdir(), "cs-foreign-"));
// As root the database server runs as another user, who has to get there.
chmodSync(folder, 0o711);
const file = (name: string) => join(folder, name);
const said: string[] = [];
const running: ChildProcess[] = [];
let ready: Ready;
let url: string;

/** Starts a program that stays; resolves with its first line that `tells` it is ready. */
function stays(args: readonly string[], tells: (line: string) => boolean): Promise<string> {
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  running.push(child);
  return new Promise((resolve, reject) => {
    const hear = (chunk: Buffer) => {
      const lines = chunk.toString("utf8").split("\n");
      said.push(...lines.filter((line) => line !== ""));
      const line = lines.find(tells);
      if (line !== undefined) resolve(line);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.once("exit", (code) =>
      reject(new Error(`expected ${args[0]} to stay, it ended with ${code}\n${said.join("\n")}`)),
    );
  });
}

/** One command of the page. Answers its exit code and what it printed on stdout. */
function countersign(...args: string[]): Promise<{ code: number | null; out: string }> {
  const env = { ...process.env, COUNTERSIGN_URL: url, COUNTERSIGN_LOGIN: "cleo", COUNTERSIGN_PASSWORD: password };
  const child = spawn(process.execPath, [join(root, "packages/cli/src/main.ts"), ...args], {
    cwd: folder,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString("utf8")));
  child.stderr.on("data", (chunk: Buffer) => said.push(`${args[0]}: ${chunk.toString("utf8").trim()}`));
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, out })));
}

async function succeeds(...args: string[]): Promise<string> {
  const { code, out } = await countersign(...args);
  if (code !== 0)
    throw new Error(`expected ${args.join(" ")} to succeed, it ended with ${code}\n${said.slice(-10).join("\n")}`);
  return out;
}

async function json<T>(...args: string[]): Promise<T> {
  return JSON.parse(await succeeds(...args, "--json")) as T;
}

async function manage<T>(method: string, path: string, body?: unknown): Promise<T> {
  const answer = await fetch(new URL(path, ready.urls.management), {
    method,
    ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`expected ${method} ${path} to work, got ${answer.status}`);
  return (await answer.json()) as T;
}

/** A client of the API, signed in as this person. */
async function as(login: string): Promise<Client> {
  const bearer = new Map<string, string>();
  const client = createClient(url, fetch, () => Object.fromEntries(bearer));
  const { token } = await client.signIn({ body: { login, password, kind: "bearer" } });
  bearer.set("authorization", `Bearer ${token}`);
  return client;
}

/** The two calls of the page. Answers the run's state after them. */
async function approve(login: string, role: "app-owner" | "platform", id: string): Promise<string> {
  const client = await as(login);
  const { statement, planDigest } = await client.makeStatement({ params: { id }, body: { decision: "approve", role } });
  const headers = { "if-match": `"${planDigest}"` };
  return (await client.decide({ params: { id }, body: { statement, planDigest }, headers })).state;
}

async function untilState(id: string, wanted: string): Promise<void> {
  const client = await as("cleo");
  const ends = performance.now() + limitMs;
  for (;;) {
    const { run } = await client.getRun({ params: { id } });
    if (run.state === wanted) return;
    if (performance.now() > ends || ["held", "rolled_back", "blocked"].includes(run.state))
      throw new Error(`expected ${id} to be ${wanted}, it is ${run.state}: ${JSON.stringify(run.because)}`);
    await delay(100);
  }
}

/** Approves as two people, waits for the end, and proves the bundle as the page does. Answers the run's entries. */
async function approveAndProve(run: string) {
  await untilState(run, "awaiting_approval");
  expect(await approve("ada", "app-owner", run)).toBe("awaiting_approval");
  expect(await approve("ben", "platform", run)).toBe("approved");
  await untilState(run, "completed");
  expect(await json("run", run)).toMatchObject({ run: { id: run, state: "completed" } });
  await json("bundle", run, "--out", file(`${run}.zip`));
  await succeeds("verify", file(`${run}.zip`), "--trust", ".state/trust.json");
  return [...readBundle(file(`${run}.zip`))]
    .filter(([path]) => /^entries\/\d+\.json$/.test(path))
    .map(([, bytes]) => parseEntry(bytes));
}

async function figures() {
  type Figures = { applications: { name: string; failedSignIns: number; orphans: unknown[] }[] };
  const { failedSignIns, orphans } =
    (await manage<Figures>("GET", "/figures")).applications.find(({ name }) => name === "billing") ?? {};
  return { failedSignIns, orphans };
}

beforeAll(async () => {
  writeFileSync(file("scenario.json"), scenario);
  const knobs = { preset: "off", throttle: 0.05, replicationSeconds: [0, 1], signInLogLagSeconds: [0, 1] };
  const simulator = [
    join(root, "packages/simulator/src/main.ts"),
    "--tls",
    "--ca-file",
    "ca.pem",
    "--rate",
    "1",
    "--knobs",
    JSON.stringify(knobs),
    "--scenario",
    "scenario.json",
  ];
  ready = JSON.parse(await stays(simulator, (line) => line.startsWith('{"ready"'))) as Ready;
  const { tenant, callers, applications } = await manage<Directory>("GET", "/directory");
  const billing = applications.find(({ name }) => name === "billing");
  for (const name of ["reader", "writer", "vault"] as const)
    writeFileSync(file(`${name}.secret`), callers[name].clientSecret, { mode: 0o600 });
  writeFileSync(file("people.secret"), password, { mode: 0o600 });
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  const real: readonly (readonly [string, string])[] = [
    ["11111111-2222-4333-8444-555555555555", tenant.id],
    ["22222222-3333-4444-8555-666666666666", callers.reader.clientId],
    ["33333333-4444-4555-8666-777777777777", callers.writer.clientId],
    ["44444444-5555-4666-8777-888888888888", callers.vault.clientId],
    ["55555555-6666-4777-8888-999999999999", billing?.objectId ?? ""],
    ["66666666-7777-4888-8999-aaaaaaaaaaaa", billing?.appId ?? ""],
    ["https://localhost:9443", ready.urls.authority],
    ["https://localhost:9444", ready.urls.vaults.main],
    ["127.0.0.1:8080", `127.0.0.1:${port}`],
  ];
  const filled = (text: string) => real.reduce((done, [from, to]) => done.replaceAll(from, to), text);
  writeFileSync(file("countersign.yaml"), filled(configuration));
  writeFileSync(file("inventory.yaml"), filled(inventory));
  writeFileSync(file("policy.yaml"), policy);
  await succeeds("init");
  await succeeds("doctor");
  await stays([join(root, "packages/cli/src/main.ts"), "serve"], (line) => line === `ready at ${url}`);
});

afterAll(async () => {
  for (const child of running.reverse()) {
    const gone = new Promise((resolve) => child.once("exit", resolve));
    if (child.kill("SIGTERM")) await gone;
  }
  rmSync(folder, { recursive: true, force: true });
});

describe("a server that speaks the vendor's API and has no clock for us", () => {
  it("has its due secret rotated in about a minute, also where it keeps no reports and shows no policies", async () => {
    onTestFailed(() => console.error(said.slice(-40).join("\n")));
    for (const op of ["signIns.list", "activities.list", "application.policies", "policy.default"])
      await manage("POST", "/faults", { op, kind: "404", times: "always" });
    expect(await json("status")).toMatchObject({ installation: { profile: "test", clock: "system" } });

    await json("scan");
    let run: string | undefined;
    while (run === undefined) run = (await json<{ items: { id: string }[] }>("runs")).items[0]?.id;
    const entries = await approveAndProve(run);

    expect(entries.find(({ type }) => type === "gate.checked")?.data).toMatchObject({ grade: "none", open: true });
    const at = (verb: string) =>
      Date.parse(entries.findLast(({ type, data }) => type === "step.outcome" && data.verb === verb)?.at ?? "");
    const overlapMs = at("entra.remove-password@1") - at("keyvault.write@1");
    expect(overlapMs).toBeGreaterThanOrEqual(8_000);
    expect(overlapMs).toBeLessThan(limitMs);
    // No scan has seen the new one yet: its end is what the directory said when it was made.
    const { items } = await json<{ items: { state: string; expiresAt: string }[] }>("credentials", "billing");
    const ends = items.filter(({ state }) => state === "ours-active").map(({ expiresAt }) => Date.parse(expiresAt));
    expect(ends.map((end) => Math.round((end - Date.now()) / 86_400_000))).toEqual([90]);
    expect(await figures()).toEqual({ failedSignIns: 0, orphans: [] });
  });

  it("gives strong evidence of disuse where it keeps a sign-in log, asked for by a person", async () => {
    onTestFailed(() => console.error(said.slice(-40).join("\n")));
    await manage("DELETE", "/faults");
    const line = (text: string, like: RegExp, by: string) => {
      expect(text).toMatch(like);
      return text.replace(like, by);
    };
    writeFileSync(
      file("inventory.yaml"),
      line(readFileSync(file("inventory.yaml"), "utf8"), /^ +- \{ kind: latest.*\n/m, seenConsumer),
    );
    writeFileSync(file("policy.yaml"), line(policy, /^ +retire:.*\n/m, strongRetire));
    await json("inventory", "accept");
    await json("policy", "activate");

    const { run } = await json<{ run: string }>("request", "billing", "--reason", "first try");
    const entries = await approveAndProve(run);

    // Quiet is longer than the overlap: the gate is shut when it is first asked, and asked again before long.
    const gates = entries.filter(({ type }) => type === "gate.checked").map(({ data }) => data);
    expect(gates.at(0)).toMatchObject({ open: false });
    expect(gates.at(-1)).toMatchObject({ grade: "strong", open: true, reasons: [] });
    const confirmed = entries.find(({ type, data }) => type === "step.outcome" && data.verb === "consumer.confirm@1");
    expect(confirmed?.data).toMatchObject({ outcome: "done", verified: "used" });
    expect(await figures()).toEqual({ failedSignIns: 0, orphans: [] });
  });
});

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
