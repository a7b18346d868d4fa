import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { z } from "zod";
import { type Effect, readEffects } from "./effects.ts";
import { endProcess, root } from "./process.ts";

const Urls = z.object({
  authority: z.string(),
  graph: z.string(),
  management: z.string(),
  vaults: z.record(z.string(), z.string()),
  postgres: z.record(z.string(), z.string()),
  devops: z.record(z.string(), z.string()),
  arm: z.string(),
});
const Ready = z.object({ urls: Urls });

const Caller = z.object({ clientId: z.string(), clientSecret: z.string() });
const Version = z.object({ version: z.string(), enabled: z.boolean(), tags: z.record(z.string(), z.string()) });
const Directory = z.object({
  chat: z.array(z.object({ name: z.string(), url: z.string() })),
  desks: z.array(z.object({ name: z.string(), url: z.string(), user: z.string(), password: z.string() })),
  tenant: z.object({ id: z.string() }),
  urls: Urls,
  callers: z.object({ reader: Caller, writer: Caller, vault: Caller }).catchall(Caller),
  applications: z.array(
    z.object({
      name: z.string(),
      objectId: z.string(),
      appId: z.string(),
      credentials: z.array(z.object({ keyId: z.string(), displayName: z.string().nullable(), end: z.string() })),
    }),
  ),
  subscription: z.string(),
  sites: z.array(z.object({ name: z.string() })),
  vaults: z.array(
    z.object({ name: z.string(), secrets: z.array(z.object({ name: z.string(), versions: z.array(Version) })) }),
  ),
});
/** Ids of everything in the tenant, and the secrets of its callers. */
export type Directory = z.infer<typeof Directory>;

const Figures = z.object({
  applications: z.array(z.object({ name: z.string(), orphans: z.array(z.unknown()) })),
  postgres: z.array(z.object({ name: z.string(), orphans: z.array(z.unknown()) })),
});
export type Figures = z.infer<typeof Figures>;

/** A request that a hold has stopped, or an answer that it announces. */
export interface HoldEvent {
  readonly id: string;
  /** Id of the armed hold. */
  readonly rule: string;
  readonly op: string;
  readonly position: string;
  readonly held: boolean;
}

/** The simulated tenant: a process of its own, spoken to over HTTP only. */
export interface Simulator {
  readonly management: string;
  readonly pid: number;
  get(path: string): Promise<unknown>;
  post(path: string, body: unknown): Promise<unknown>;
  put(path: string, body: unknown): Promise<unknown>;
  delete(path: string): Promise<unknown>;
  /** Drops every armed rule and what it holds. */
  clear(): Promise<void>;
  directory(): Promise<Directory>;
  figures(): Promise<Figures>;
  /** Where the effect log ends now. */
  cursor(): Promise<number>;
  /** Entries of the effect log after a cursor. */
  effects(after: number): Promise<Effect[]>;
  /** Every hold as it is reached, until the simulator ends. */
  onHold(listener: (event: HoldEvent) => void): Promise<void>;
  stop(): Promise<void>;
}

const startDeadlineMs = 30_000;

/** Starts a simulator without faults of its own: what goes wrong here is that processes die. */
export async function startSimulator(seed: number): Promise<Simulator> {
  const main = join(root, "packages/simulator/src/main.ts");
  const child = spawn(process.execPath, [main, "--seed", String(seed), "--knobs", "off"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const { urls } = Ready.parse(JSON.parse(await firstLine(child)));
  const call = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const answer = await fetch(new URL(path, urls.management), {
      method,
      ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`expected ${method} ${path} to work, got ${answer.status} ${text.slice(0, 300)}`);
    return text === "" ? null : JSON.parse(text);
  };
  const ending = new AbortController();
  let read = 0;
  return {
    management: urls.management,
    pid: child.pid ?? 0,
    get: (path) => call("GET", path),
    post: (path, body) => call("POST", path, body),
    put: (path, body) => call("PUT", path, body),
    delete: (path) => call("DELETE", path),
    clear: async () => void (await call("DELETE", "/faults")),
    directory: async () => Directory.parse(await call("GET", "/directory")),
    figures: async () => Figures.parse(await call("GET", "/figures")),
    async cursor() {
      read = (await readEffects(urls.management, read)).cursor;
      return read;
    },
    effects: async (after) => (await readEffects(urls.management, after)).effects,
    async onHold(listener) {
      const answer = await fetch(new URL("/events", urls.management), { signal: ending.signal });
      void followEvents(answer, listener).catch(() => {});
    },
    async stop() {
      ending.abort();
      await endProcess(child);
    },
  };
}

async function followEvents(answer: Response, listener: (event: HoldEvent) => void): Promise<void> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of answer.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    const events = text.split("\n\n");
    text = events.pop() ?? "";
    for (const event of events) {
      const data = event.split("\n").find((line) => line.startsWith("data: "));
      if (event.startsWith("event: hold") && data !== undefined) listener(JSON.parse(data.slice(6)) as HoldEvent);
    }
  }
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const late = setTimeout(() => reject(new Error("expected the simulator to start, got no answer")), startDeadlineMs);
    child.once("exit", (code) => reject(new Error(`expected the simulator to run, it ended with ${code}`)));
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      const end = text.indexOf("\n");
      if (end === -1) return;
      clearTimeout(late);
      resolve(text.slice(0, end));
    });
  });
}
