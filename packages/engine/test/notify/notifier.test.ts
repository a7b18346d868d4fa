import { setTimeout as delay } from "node:timers/promises";
import { type Facts, type NotifyConfig, SecretValue } from "@countersign/core";
import type pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../src/clock/system.ts";
import { openClient } from "../../src/database/connect.ts";
import { type Connections, embeddedAdmin } from "../../src/database/users.ts";
import { createNotifier, type Notifier } from "../../src/notify/notifier.ts";
import type { Outgoing, Outside } from "../../src/notify/outside.ts";
import { openStore, type Store } from "../../src/store/store.ts";
import { ada, startServer } from "../store/harness.ts";

let server: Awaited<ReturnType<typeof startServer>>;
let connections: Connections;
let admin: pg.Client;
let executor: Store;
let ends: (() => unknown)[] = [];

beforeAll(async () => {
  server = await startServer();
  connections = await server.database();
  admin = await openClient(await embeddedAdmin(server.embedded, "countersign_1"), "test");
  executor = openStore({ role: "cs_executor", connection: connections.cs_executor });
});
afterAll(async () => {
  await executor.close();
  await admin.end();
  await server.end();
});
afterEach(async () => {
  for (const end of ends.reverse()) await end();
  ends = [];
  await admin.query("truncate cs.notice, cs.channel cascade");
});

const room = (name: string, kinds?: string[]): NotifyConfig =>
  ({ name, kind: "slack", url: `env:${name}`, hosts: ["chat.example"], ...(kinds && { kinds }) }) as NotifyConfig;

/** What was sent, by channel; a channel of `hangs` never gets an answer. */
function outsideOf(sent: { channel: string; text: string }[], hangs: ReadonlySet<string>): Outside {
  return {
    base: (address) => new URL(address),
    secretAddress: (address) => new URL(address),
    async send({ url, body, signal }: Outgoing) {
      const channel = url.pathname.slice(1);
      sent.push({ channel, text: body ?? "" });
      if (!hangs.has(channel)) return { status: 200, headers: {}, text: "ok" };
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      return { noAnswer: "aborted", errorCode: null };
    },
  };
}

interface Options {
  /** Channels that never get an answer. */
  readonly hangs?: readonly string[];
  /** Hears no notification. */
  readonly deaf?: true;
  /** Sees nothing when it looks by itself. */
  readonly blind?: true;
}

const nothingWaits = { notices: null, digests: null, channels: {}, scanned: null };

/** A notifier with a store of its own, and how often each of the store's methods was called, by channel where it has one. */
async function start(notify: readonly NotifyConfig[], options: Options = {}) {
  const sent: { channel: string; text: string }[] = [];
  const calls: string[] = [];
  const store = openStore({ role: "cs_notifier", connection: connections.cs_notifier });
  const counted = new Proxy(store, {
    get(target, name: string) {
      const method = target[name as keyof Store];
      if (options.deaf && name === "listen") return async () => async () => {};
      if (options.blind && name === "noticesWait") return async () => nothingWaits;
      if (typeof method !== "function") return method;
      return (...args: unknown[]) => {
        calls.push(name === "deliveryTake" ? `${name} ${String(args[0])}` : name);
        return (method as (...given: unknown[]) => unknown)(...args);
      };
    },
  });
  const notifier: Notifier = createNotifier({
    store: counted,
    clock: systemClock(),
    outside: outsideOf(sent, new Set(options.hangs)),
    mailer: { send: () => Promise.reject(new Error("expected no mail")) },
    secret: (reference) => SecretValue.of(`https://chat.example/${reference.slice("env:".length)}`),
    callDeadlineMs: 60_000,
    notify,
    tickets: [],
    notices: { remindAfterSeconds: [], escalate: null, digest: null, expiry: { itemsMax: 10 }, weekly: null },
    peopleOf: () => [],
    ownersOf: () => null,
    watched: () => [],
    pageUrl: "https://page.example",
    log: () => {},
  });
  await notifier.start();
  ends.push(
    () => store.close(),
    () => notifier.stop(),
  );
  return { sent, calls, notifier };
}

/** Tells operators that a channel does not reach somebody. */
async function tell(key: string, payload: Facts = {}): Promise<void> {
  const at = Date.now();
  const about = { run: null, kind: "recipient.refused", channel: "operators", key, notBefore: at, at };
  await executor.noticePut({ ...about, payload: { channel: "elsewhere", recipient: ada, ...payload } });
}

async function until(holds: () => boolean | Promise<boolean>, withinMs = 30_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error("expected it to hold in time");
    await delay(5);
  }
}

async function states(): Promise<string[]> {
  const { rows } = await admin.query<{ line: string }>(
    "select channel || ' ' || state as line from cs.delivery order by id",
  );
  return rows.map(({ line }) => line);
}

describe("what telling costs", () => {
  it("wakes only the channels that have something, and takes nothing in vain but to see that there is no more", async () => {
    const { calls, sent } = await start([room("a"), room("b", ["run.held"]), room("c")], { blind: true });
    await tell("one");
    await until(async () => (await states()).join() === "a sent,c sent");
    expect(sent.map(({ channel }) => channel).sort()).toEqual(["a", "c"]);
    expect(calls.filter((call) => /^noticeRoute|^delivery/.test(call)).sort()).toEqual(
      ["noticeRoute", "deliveryTake a", "deliveryTake c", "deliveryNext", "deliveryNext"].sort(),
    );
  });

  it("names people as they are when a message goes out, and reads nobody else", async () => {
    const { sent, calls } = await start([room("a")]);
    await executor.personPut({ id: ada, iss: "i", sub: "s", name: "Ada Before", email: null });
    await tell("before");
    await until(() => sent.length === 1);
    await admin.query("update cs.person set name = 'Ada After'");
    await tell("after");
    await until(() => sent.length === 2);
    await admin.query("update cs.person set name = null");
    await tell("erased");
    await until(() => sent.length === 3);
    expect(sent.map(({ text }) => /does not reach ([\w ]+)/.exec(text)?.[1])).toEqual(["Ada Before", "Ada After", ada]);
    expect(calls).not.toContain("people");
  });
});

describe("a notification that is lost", () => {
  it("delays what it was about until the next look, no longer", async () => {
    const { sent, calls } = await start([room("a")], { deaf: true });
    // Asked for once the first look is over.
    await until(() => calls.includes("lastScanEnd"));
    await tell("unheard");
    await until(() => sent.length === 1);
    await until(async () => (await states()).join() === "a sent");
  });
});

describe("two notifiers", () => {
  it("tell everything once, and one of them goes on alone with what the other has left routed", async () => {
    const first = await start([room("a"), room("b")], { hangs: ["a", "b"] });
    await tell("0");
    await until(() => first.sent.length === 2);
    const second = await start([room("a"), room("b")]);
    for (let n = 1; n <= 20; n += 1) await tell(String(n));
    await until(() => second.sent.length === 40);
    // What it has in hand when it stops is due again at once.
    await first.notifier.stop();
    await until(async () => (await states()).every((line) => line.endsWith(" sent")));
    expect(first.sent).toHaveLength(2);
    expect(second.sent).toHaveLength(42);
    expect(await states()).toHaveLength(42);
  });
});

describe("a dead channel", () => {
  it("delays no other, however much waits for it", async () => {
    const { sent } = await start([room("dead"), room("b")], { hangs: ["dead"] });
    for (let n = 0; n < 10; n += 1) await tell(String(n));
    await until(() => sent.filter(({ channel }) => channel === "b").length === 10);
    expect(sent.filter(({ channel }) => channel === "dead")).toHaveLength(1);
    await until(async () => (await states()).filter((line) => line === "b sent").length === 10);
    expect((await states()).filter((line) => line === "dead due")).toHaveLength(10);
  });
});
