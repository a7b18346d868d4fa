import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Clock,
  type Confirmation,
  CountersignError,
  type Done,
  type PastAttempt,
  SecretValue as Secret,
  type SecretValue,
  type VerbContext,
} from "@countersign/core";
import { type KnobChange, type Simulator, startSimulator } from "@countersign/simulator";
import { type BuiltConnectors, createConnectors } from "../src/index.ts";
import { formatMarker } from "../src/kit/markers.ts";

export const run = "run_01k9zzzzzzzzzzzzzzzzzzzzzz".slice(0, 30);
const DAY = 86_400;

/** A clock that passes as soon as somebody waits for it. */
export function jumpingClock(start = Date.UTC(2026, 10, 22)): Clock & { passed: number } {
  let now = start;
  return {
    passed: 0,
    now: () => now,
    sleep(ms, signal) {
      signal?.throwIfAborted();
      now += ms;
      this.passed += ms;
      return Promise.resolve();
    },
  };
}

/** The simulator's clock as our port: a wait walks it, workloads and all. */
export function clockOf(sim: Simulator): Clock {
  return {
    now: () => sim.world.clock.nowMs,
    async sleep(ms, signal) {
      signal?.throwIfAborted();
      await sim.driver.advanceBy(ms, 10_000);
    },
  };
}

export interface ContextOptions {
  clock: Clock;
  tenantId?: string;
  step?: string;
  attempt?: number;
  direction?: VerbContext["direction"];
  past?: readonly PastAttempt[];
  outcomes?: ReadonlyMap<string, Done>;
  confirmed?: (step: string, direction: "do" | "undo") => Confirmation | null;
  value?: () => SecretValue | null;
  signal?: AbortSignal;
  assertAlive?: () => void;
  effectSent?: () => Promise<void>;
  effectMayStand?: () => void;
}

export function contextOf(options: ContextOptions): VerbContext {
  const attempt = options.attempt ?? 1;
  const nonce = attempt.toString(16).padStart(32, "a");
  return {
    run,
    tenantId: options.tenantId ?? "",
    step: options.step ?? "create",
    attempt,
    direction: options.direction ?? "do",
    clock: options.clock,
    nonce,
    marker: formatMarker({ run, attempt, nonce }),
    signal: options.signal ?? new AbortController().signal,
    past: options.past ?? [],
    outcomeOf: (step) => options.outcomes?.get(step),
    confirmed: (step, direction) => Promise.resolve(options.confirmed?.(step, direction) ?? null),
    value() {
      const value = options.value?.() ?? null;
      if (value === null) throw new CountersignError("VALUE_NOT_HELD", "expected a held value, got none");
      return value;
    },
    assertAlive: options.assertAlive ?? (() => undefined),
    effectSent: options.effectSent ?? (() => Promise.resolve()),
  };
}

/** A tenant with one application, its vault, a copy, and the connectors built for them. */
export async function openTenant(options: { knobs?: KnobChange; tls?: boolean; seed?: number } = {}) {
  const folder = await mkdtemp(join(tmpdir(), "countersign-connectors-"));
  const sim = await startSimulator({
    knobs: options.knobs ?? "off",
    start: "2026-11-22T08:00:00Z",
    seed: options.seed ?? 7,
    ...(options.tls ? { tls: true } : {}),
  });
  const seeded = (await sim.seed({
    users: [{ name: "ada" }],
    applications: [
      {
        name: "billing",
        owners: ["ada", "writer"],
        secrets: [
          { name: "old", expiresInDays: 12 },
          { name: "other", expiresInDays: 200 },
        ],
      },
      { name: "neighbour", owners: ["ada"], secrets: [{ name: "only", expiresInDays: 90 }] },
    ],
    vaults: [{ name: "main" }, { name: "copy" }],
    vaultEntries: [
      {
        vault: "main",
        secret: "billing-secret",
        from: { application: "billing", secret: "old" },
        tags: { team: "billing" },
      },
      { vault: "main", secret: "other-secret", value: "untouched" },
      { vault: "copy", secret: "billing-copy", from: { application: "billing", secret: "old" } },
    ],
    workloads: [
      {
        name: "api",
        kind: "entra-latest",
        application: "billing",
        vault: "main",
        secret: "billing-secret",
        intervalSeconds: 600,
        ipAddress: "203.0.113.7",
      },
    ],
  })) as { applications: Record<string, { objectId: string; appId: string; secrets: Record<string, string> }> };
  const billing = seeded.applications.billing;
  if (billing === undefined) throw new Error("expected the seeded application");
  const caller = (name: string) => {
    const found = sim.world.tenant.callers.find((candidate) => candidate.name === name);
    if (found === undefined) throw new Error(`expected caller ${name}`);
    return found;
  };
  const secrets: Record<string, string> = Object.fromEntries(
    sim.world.tenant.callers.map((one) => [`env:${one.name}`, one.secret]),
  );
  /** Of a caller that was seeded later. */
  const callerSecret = (reference: string) =>
    sim.world.tenant.callers.find(({ name }) => `env:${name}` === reference)?.secret ?? "";
  const client = (name: string) => ({ clientId: caller(name).appId, secret: `env:${name}` });
  const clock = clockOf(sim);
  const vaultUrl = (name: string) => sim.urls.vaults[name] ?? "";
  const vault = (name: string, url: string, names: string[]) => ({
    name,
    kind: "key-vault",
    settings: {
      name,
      environment: "dev",
      prod: false,
      tenant: "contoso",
      url,
      audience: "https://vault.azure.net",
      client: client("vault"),
      names,
    },
  });
  await writeFile(join(folder, "billing.ref"), `${vaultUrl("main")}/secrets/billing-secret/seed\n`);
  const connectors: BuiltConnectors = createConnectors(
    {
      profile: "test",
      network: { ca: sim.caPem === null ? [] : [sim.caPem], proxy: null, loopback: true },
      callDeadlineMs: 2_000,
      tenants: [
        {
          name: "contoso",
          id: sim.tenantId,
          authority: sim.urls.authority,
          graph: sim.urls.graph,
          reader: client("reader"),
          writer: client("writer"),
          ownExecutorAppIds: [],
          ownAddresses: ["127.0.0.1"],
        },
      ],
      connections: [
        vault("main-vault", vaultUrl("main"), ["billing-*"]),
        vault("copy-vault", vaultUrl("copy"), ["billing-*"]),
        {
          name: "app-files",
          kind: "files",
          settings: { name: "app-files", environment: "dev", prod: false, root: folder, paths: ["*.ref", "*.json"] },
        },
      ],
    },
    {
      clock,
      version: "0.0.0-test",
      readSecret: (reference) => Promise.resolve(Secret.of(secrets[reference] ?? callerSecret(reference))),
    },
  );
  const app = { tenant: "contoso", objectId: billing.objectId, appId: billing.appId };
  return {
    sim,
    clock,
    connectors,
    folder,
    app,
    oldKeyId: billing.secrets.old ?? "",
    otherKeyId: billing.secrets.other ?? "",
    secrets: () => Object.values(secrets),
    application: () => {
      const found = sim.world.tenant.applications.find((one) => one.id === billing.objectId);
      if (found === undefined) throw new Error("expected the application");
      return found;
    },
    liveKeys: () => {
      const found = sim.world.tenant.applications.find((one) => one.id === billing.objectId);
      return (found?.credentials ?? [])
        .filter((one) => one.removedMs === null)
        .map((one) => one.keyId)
        .sort();
    },
    latestVersion: (name: string, secret: string) =>
      sim.world.tenant.vaults.find((one) => one.name === name)?.secrets[secret]?.versions.at(-1),
    effects: (op: string) =>
      sim.world.effects.all().filter((one) => one.op === op && one.effect && one.workload === null).length,
    arm: (op: string, kind: FaultKind, position: "before-effect" | "after-effect" = "after-effect", times = 1) =>
      sim.world.rules.arm({
        op,
        nth: 1,
        times,
        match: {},
        action: { type: "fault", position, kind, retryAfterSeconds: kind === "429" ? 3 : null, delayMs: 0 },
      }),
    /** Writes as somebody else would, past our connectors. */
    async putSecret(name: string, secret: string, value: string) {
      const { clientId, secret: reference } = client("vault");
      const form = new URLSearchParams({
        client_id: clientId,
        client_secret: secrets[reference] ?? "",
        grant_type: "client_credentials",
        scope: "https://vault.azure.net/.default",
      });
      const token = (await (
        await fetch(`${sim.urls.authority}/${sim.tenantId}/oauth2/v2.0/token`, { method: "POST", body: form })
      ).json()) as { access_token: string };
      const answer = await fetch(`${vaultUrl(name)}/secrets/${secret}?api-version=7.6`, {
        method: "PUT",
        headers: { authorization: `Bearer ${token.access_token}`, "content-type": "application/json" },
        body: JSON.stringify({ value }),
      });
      if (!answer.ok) throw new Error(`expected the write to work, got ${answer.status}`);
    },
    async close() {
      await connectors.close();
      await sim.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

type FaultKind = Extract<Parameters<Simulator["world"]["rules"]["arm"]>[0]["action"], { type: "fault" }>["kind"];
export type OpenTenant = Awaited<ReturnType<typeof openTenant>>;
export const lifetimeSeconds = 90 * DAY;

/** A verb by id, for calling it with plain parameters. */
export function verbOf(connectors: BuiltConnectors, id: string) {
  const verb = connectors.verbs.get(id);
  if (verb === undefined) throw new Error(`expected verb ${id}`);
  return verb as unknown as import("@countersign/core").Verb<Record<string, unknown>>;
}
