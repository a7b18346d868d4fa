import { type ChildProcess, spawn } from "node:child_process";
import { CountersignError } from "@countersign/core";
import { z } from "zod";
import { programFile } from "./programs.ts";

const Ready = z.object({
  seed: z.int(),
  tenantId: z.string(),
  urls: z.object({
    authority: z.string(),
    graph: z.string(),
    management: z.string(),
    vaults: z.record(z.string(), z.string()),
    postgres: z.record(z.string(), z.string()),
  }),
});

const Caller = z.object({ clientId: z.string(), clientSecret: z.string() });
const Directory = z.object({
  tenant: z.object({ id: z.string() }),
  urls: Ready.shape.urls,
  callers: z.object({ reader: Caller, writer: Caller, vault: Caller }),
  chat: z.array(z.object({ name: z.string(), url: z.string() })),
  applications: z.array(z.object({ name: z.string(), objectId: z.string(), appId: z.string() })),
});
export type Directory = z.infer<typeof Directory>;

const startDeadlineMs = 120_000;

/** The simulated tenant: a process of its own, spoken to over HTTP only. */
export interface SimulatedTenant {
  readonly management: string;
  readonly process: ChildProcess;
  get(path: string): Promise<unknown>;
  post(path: string, body: unknown): Promise<unknown>;
  put(path: string, body: unknown): Promise<unknown>;
  directory(): Promise<Directory>;
  stop(): Promise<void>;
}

/** Starts the simulator and waits until it says that it is ready. */
export async function startTenant(args: readonly string[]): Promise<SimulatedTenant> {
  const child = spawn(process.execPath, [programFile("simulator"), ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const line = await firstLine(child);
  const { urls } = Ready.parse(JSON.parse(line));
  return tenantAt(urls.management, child);
}

function tenantAt(management: string, child: ChildProcess): SimulatedTenant {
  const call = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const answer = await fetch(new URL(path, management), {
      method,
      ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`expected ${method} ${path} to work, got ${answer.status} ${text.slice(0, 500)}`);
    return text === "" ? null : JSON.parse(text);
  };
  return {
    management,
    process: child,
    get: (path) => call("GET", path),
    post: (path, body) => call("POST", path, body),
    put: (path, body) => call("PUT", path, body),
    directory: async () => Directory.parse(await call("GET", "/directory")),
    stop: () => endProcess(child),
  };
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const late = setTimeout(
      () => reject(new CountersignError("DEADLINE_PASSED", "expected the simulator to start, got no answer")),
      startDeadlineMs,
    );
    child.once("exit", (code) =>
      reject(new CountersignError("CONFLICT", `expected the simulator to run, it ended with ${code}`)),
    );
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      const end = text.indexOf("\n");
      if (end === -1) return;
      clearTimeout(late);
      resolve(text.slice(0, end));
    });
  });
}

/** Ends a child we started: asks, and waits until it is gone. */
export function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGTERM");
  });
}
