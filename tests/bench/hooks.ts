import { createHmac, randomBytes } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { SecretValue } from "@countersign/core";
import { openHook } from "@countersign/server";
import { Stage } from "../scenarios/stage.ts";

export interface HooksReport {
  readonly bench: "hooks";
  /** Deliveries judged in this process, and sent over HTTP. */
  readonly n: number;
  readonly http: number;
  readonly seconds: number;
  /** Growth of the resident size between the first tenth and the end, garbage collected. */
  readonly rssGrowthMb: number;
  /** Deliveries that no key vouches for and that were taken all the same. */
  readonly unsignedAccepted: number;
  readonly thrown: number;
  /** Answers over HTTP by status. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Requests filed for 500 deliveries of one signed event. */
  readonly filedByReplays: number;
}

const key = "the key of the hook";
const replays = 500;
const inFlight = 16;
const rules = [{ when: `event.type == "secret.expiring" && event.data.daysLeft < 14`, application: "event.data.app" }];
const expiring = Buffer.from(JSON.stringify({ type: "secret.expiring", data: { app: "app-one", daysLeft: 3 } }));

interface Noise {
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

/** Deliveries of noise, of pieces of valid ones, of valid ones under another key, and of signed ones with another body. */
function noise(n: number, now: number): Noise {
  const bytes = randomBytes(n % 96);
  const valid = sign(expiring, n % 4 === 0 ? key : "another key", `msg_${n}`, now);
  const { headers } = valid;
  // What the right key has signed must be changed, or it would be no noise.
  const body =
    n % 4 === 0 || n % 3 === 0
      ? Buffer.concat([expiring.subarray(0, n % expiring.length), bytes, Buffer.from([n % 256])])
      : expiring;
  if (n % 5 === 0) headers["webhook-signature"] = `v1,${bytes.toString("base64")}`;
  if (n % 7 === 0) headers["webhook-timestamp"] = bytes.toString("hex");
  if (n % 11 === 0) headers["webhook-id"] = bytes.toString("base64url");
  if (n % 13 === 0) headers["webhook-signature"] = `${"v1, ".repeat(n % 40)}v2,${bytes.toString("hex")}`;
  return { headers, body };
}

function sign(body: Buffer, by: string, id: string, now: number): Noise {
  const stamp = String(Math.floor(now / 1_000));
  const mac = createHmac("sha256", by).update(`${id}.${stamp}.`).update(body).digest("base64");
  return { headers: { "webhook-id": id, "webhook-timestamp": stamp, "webhook-signature": `v1,${mac}` }, body };
}

/** Noise in process and over HTTP: nothing of it may be taken, nothing may fail, nothing may stay in memory. */
export async function benchHooks(options: {
  readonly count: number;
  readonly http: number;
  readonly say: (line: string) => void;
}): Promise<HooksReport> {
  const started = performance.now();
  const config = { name: "noise", kind: "standard", keys: ["env:KEY"], perMinuteMax: 60_000, rules } as const;
  const hook = openHook({ ...config, keys: [...config.keys], rules: [...rules] }, () => SecretValue.of(key));
  let [unsignedAccepted, thrown, atFirst] = [0, 0, 0];
  const tenth = Math.floor(options.count / 10);
  for (let n = 0; n < options.count; n += 1) {
    // Deliveries come over the event loop, and what native code holds for a dead one is given back there.
    if (n % 100 === 0) await turn();
    // Regularly: what grows is then what stays, and not garbage that nobody has needed to collect.
    if (n % tenth === 0) {
      const now = resident();
      if (n === tenth) atFirst = now;
    }
    const now = Date.now();
    try {
      if (hook.receive(noise(n, now), [], now).kind !== "unverified") unsignedAccepted += 1;
    } catch {
      thrown += 1;
    }
  }
  const rssGrowthMb = Math.round((resident() - atFirst) / 1_048_576);
  options.say(
    `${options.count} judged in process: ${unsignedAccepted} taken, ${thrown} thrown, ${rssGrowthMb} MB more`,
  );
  const over = await overHttp(options.http);
  return {
    bench: "hooks",
    n: options.count,
    ...over,
    seconds: Math.round((performance.now() - started) / 100) / 10,
    rssGrowthMb,
    unsignedAccepted,
    thrown,
  };
}

setFlagsFromString("--expose-gc");
/** Only contexts made from now on know it. */
const collectGarbage = runInNewContext("gc") as () => void;

function resident(): number {
  collectGarbage();
  return process.memoryUsage.rss();
}

async function overHttp(count: number): Promise<Pick<HooksReport, "http" | "statuses" | "filedByReplays">> {
  process.env.BENCH_HOOK_KEY = key;
  const [rule] = rules;
  const stage = await Stage.open({
    applications: [{ name: "app-one", consumers: ["latest"] }],
    config: (yaml) => `${yaml}webhooks:
  - { name: noise, kind: standard, keys: ["env:BENCH_HOOK_KEY"], perMinuteMax: 60000, rules: [{ when: '${rule?.when}', application: '${rule?.application}' }] }
`,
  });
  try {
    const statuses: Record<string, number> = {};
    const send = async ({ headers, body }: Noise) => {
      const answer = await fetch(`${stage.url}/hooks/noise`, { method: "POST", headers, body }).catch(() => null);
      await answer?.arrayBuffer();
      const status = String(answer?.status ?? "refused by the client");
      statuses[status] = (statuses[status] ?? 0) + 1;
    };
    let next = 0;
    const lane = async () => {
      for (let n = next++; n < replays + count; n = next++)
        await send(n < replays ? sign(expiring, key, "msg_again", Date.now()) : noise(n, Date.now()));
    };
    await Promise.all(Array.from({ length: inFlight }, lane));
    await stage.settle();
    const filed = await stage.asDatabaseOwner(async (client) => (await client.query("select id from cs.run")).rowCount);
    return { http: count + replays, statuses, filedByReplays: filed ?? 0 };
  } finally {
    await stage.close();
  }
}
