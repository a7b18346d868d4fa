/**
 * Composition: the only place that constructs. Each role gets the database login and the outside rights that its work
 * needs and nothing else (design: custody); `all` is one process with every role, for one laptop, and says so.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { type BuiltConnectors, openMailer, openOutside, reachOf } from "@countersign/connectors";
import { CountersignError, describe, type ResolvedPolicy, resolvePolicy } from "@countersign/core";
import {
  auditEvents,
  bundleOf,
  createAcceptanceEnd,
  createAuditPoll,
  createExecutor,
  createGuard,
  createInvariantsJob,
  createJudge,
  createNotifier,
  createPlanner,
  createRecorder,
  createScanner,
  createScanWatch,
  createVaultLook,
  type EngineClock,
  type Ground,
  judgeFleet,
  keepLedgerCounts,
  noPauses,
  openCheckpointer,
  openDispatch,
  openStore,
  pausesOver,
  populationBundle,
  type Store,
  type TermsOf,
} from "@countersign/engine";
import { type ApiDependencies, createApi, databaseSessions, databaseStore, idempotencyInMemory } from "./api/index.ts";
import { build } from "./installation/build.ts";
import { openClock } from "./installation/clock.ts";
import { openConnectors } from "./installation/connectors.ts";
import { confinedTo, separationOf } from "./installation/custody.ts";
import { type Database, openDatabase } from "./installation/database.ts";
import { groundOf, type Installation, loadInstallation } from "./installation/load.ts";
import { createLog, type Log } from "./installation/log.ts";
import { createReach } from "./installation/reach.ts";
import { readinessOf, shownGround } from "./installation/readiness.ts";
import { logins, type Role } from "./installation/roles.ts";
import { loadKey, readTrust } from "./installation/state.ts";
import { watchedOf } from "./installation/watched.ts";
import { LocalSignIn, Sessions, sessionLimits } from "./signin/index.ts";
import { openHook } from "./triggers/receive.ts";

export interface StartOptions {
  readonly configPath: string;
  readonly role: Role;
  /** Folder of the built console; null serves the API alone. */
  readonly consoleDir: string | null;
  /** Only for crash tests, profile test: where positions are announced (see `execution/pauses.ts`). */
  readonly pauseUrl: string | null;
  /** The process may not go on: its lease was lost. */
  readonly fenced: (because: string) => void;
  readonly log?: Log;
}

export interface Running {
  /** Address of page and API; null without the role api. */
  readonly url: string | null;
  readonly stop: () => Promise<void>;
}

/** What the roles of one process share. */
interface Parts {
  readonly options: StartOptions;
  readonly installation: Installation;
  readonly ground: Ground;
  readonly database: Database;
  readonly separation: "none" | "roles";
  readonly clock: EngineClock;
  readonly log: Log;
  readonly stops: (() => Promise<void>)[];
}

/** Starts one role, or all. Errors are ours and say what to do; nothing is left running when one is thrown. */
export async function startProduct(options: StartOptions): Promise<Running> {
  const log = options.log ?? createLog(options.role);
  const whole = loadInstallation(options.configPath);
  const installation = saying(confinedTo(whole, options.role), log);
  const ground = groundOf(installation);
  readTrust(installation.state);
  if (options.pauseUrl !== null && installation.config.profile === "production") {
    throw new CountersignError("CONFIG_INVALID", "expected no crash tests in profile production, got a pause address");
  }
  const stops: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const end of stops.splice(0).reverse()) await end().catch(() => {});
  };
  try {
    const database = await openDatabase(whole, options.role);
    stops.push(() => database.stop());
    const { separation, because } = separationOf(whole, options.role, database.ownLogin);
    if (options.role !== "all" && separation === "none" && installation.config.profile === "production")
      throw new CountersignError(
        "CONFIG_INVALID",
        `expected a process with the rights of its role only, got more: ${because}`,
      );
    log("custody", { separation, because, ownLogin: database.ownLogin });
    const clock = await openClock(installation, (message) => log("clock", { message }));
    stops.push(() => clock.close());
    const parts: Parts = { options, installation, ground, database, separation, clock, log, stops };
    const runs = (role: Role) => options.role === role || options.role === "all";
    if (runs("executor")) await startExecutor(parts);
    if (runs("scanner")) await startScanner(parts);
    if (runs("notifier")) await startNotifier(parts);
    const url = runs("api") ? await startApi(parts) : null;
    await recordService(parts);
    log("started", {
      build,
      profile: installation.config.profile,
      clock: clock.kind,
      separation,
      url,
    });
    return { url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Says once which reference was resolved, so that it can be seen what a process holds. Never a value. */
function saying(installation: Installation, log: Log): Installation {
  const said = new Set<string>();
  return {
    ...installation,
    secret(reference) {
      const value = installation.secret(reference);
      if (!said.has(reference)) log("secret.read", { reference });
      said.add(reference);
      return value;
    },
  };
}

/** Start and stop of each process stand in the log: a gap in which nobody watched can be seen. */
async function recordService(parts: Parts): Promise<void> {
  const { options, clock, separation, stops } = parts;
  const store = storeOf(parts, logins[options.role], 1);
  const about = { role: options.role, worker: randomUUID() };
  await store.append({ type: "service.started", data: { build, separation, ...about } }, clock.now());
  stops.push(async () => {
    await store.append({ type: "service.stopped", data: about }, clock.now());
  });
}

function storeOf(
  { database, stops }: Parts,
  role: "cs_api" | "cs_scanner" | "cs_executor" | "cs_notifier",
  connectionsMax = 8,
): Store {
  const store = openStore({ role, connection: database.connection(role), connectionsMax });
  stops.push(() => store.close());
  return store;
}

function connectorsOf({ installation, clock, log, stops }: Parts, store: Store): BuiltConnectors {
  const reach = createReach(store, clock, (error) => log("reach.failed", { error: describe(error) }));
  const connectors = openConnectors(installation, clock, reach.observe);
  stops.push(async () => {
    await connectors.close();
    await reach.stop();
  });
  return connectors;
}

async function startExecutor(parts: Parts): Promise<void> {
  const { installation, ground, clock, log, stops, options } = parts;
  const { config, state } = installation;
  const store = storeOf(parts, "cs_executor", 16);
  const connectors = connectorsOf(parts, store);
  const trust = readTrust(state);
  const signer = loadKey(state, "log", trust.origin);
  const checkpointer = openCheckpointer({
    store,
    signer,
    stateFolder: state,
    onError: (error) => log("checkpoint.failed", { error: describe(error) }),
  });
  const judge = createJudge({ store, clock, connectors, ground, log });
  const dispatch = await openDispatch({
    connection: parts.database.connection("cs_executor"),
    onError: (error) => log("queue.failed", { error: error.name }),
  });
  stops.push(() => dispatch.stop());
  const executor = createExecutor({
    store,
    dispatch,
    clock,
    connectors,
    guard: createGuard({ store, clock, connectors, ground, judge, checkpointer }),
    assertNotBehind: () => checkpointer.assertNotBehind(),
    planner: createPlanner({ store, judge, ground }),
    twins: connectors.twins,
    pauses: options.pauseUrl === null ? noPauses : pausesOver(options.pauseUrl),
    liveness: config.liveness,
    build,
    runsInFlightMax: config.budgets.runsInFlightMax,
    runsPerTenantMax: config.budgets.runsInFlightMax,
    log,
    fenced: options.fenced,
  });
  const recorder = createRecorder({
    store,
    checkpointer,
    signer: loadKey(state, "run", "run"),
    build,
    onError: (error) => log("record.failed", { error: describe(error) }),
  });
  const invariants = createInvariantsJob({ store, clock, scopes: config.connections, log });
  stops.push(async () => {
    await checkpointer.checkpointNow().catch(() => {});
    await checkpointer.stop();
  });
  checkpointer.start();
  await begin(parts, recorder);
  await begin(parts, executor);
  await begin(parts, invariants);
  const tenants = config.tenants.map(({ name }) => name);
  await begin(parts, createScanWatch({ store, clock, tenants, log }));
  const assertNotBehind = () => checkpointer.assertNotBehind();
  await begin(parts, createAcceptanceEnd({ store, clock, assertNotBehind, log }));
  await begin(parts, createVaultLook({ store, clock, tenants, lister: connectors.finder, log }));
}

/** Starts a part. Its stop is known before that: of a start that fails half-way nothing goes on. */
async function begin({ stops }: Parts, part: { start(): unknown; stop(): Promise<void> }): Promise<void> {
  stops.push(() => part.stop());
  await part.start();
}

async function startScanner(parts: Parts): Promise<void> {
  const { installation, ground, clock, log } = parts;
  const { fenced } = parts.options;
  const store = storeOf(parts, "cs_scanner", 4);
  const { liveness } = installation.config;
  const { scanners, audits } = connectorsOf(parts, store);
  const rows = () => ground.inventory().rows;
  const terms: TermsOf = (row) =>
    termsOf(row === null ? null : resolvePolicy(ground.policy().policy, row), installation.config.scan);
  const scanner = createScanner({
    store,
    clock,
    tenants: scanners,
    rules: {
      ...installation.config.scan,
      rows,
      dueSeconds: (row) => resolvePolicy(ground.policy().policy, row)?.rotateWhenExpiresInSeconds ?? null,
      termsOf: terms,
    },
    liveness,
    fenced,
    log,
  });
  const judge = (tenant: string, objects: readonly string[]) =>
    judgeFleet(store, tenant, { rows: rows(), termsOf: terms }, clock.now(), { only: objects });
  const { rules: auditRules, ...pace } = installation.config.audit;
  const propose = auditEvents(store, auditRules, rows);
  const audit = createAuditPoll({ store, clock, audits, rules: pace, rows, propose, judge, liveness, fenced, log });
  await begin(parts, scanner);
  await begin(parts, audit);
}

/** What is asked of a credential of the fleet: by policy, where one describes it. */
function termsOf(policy: ResolvedPolicy | null, scan: Installation["config"]["scan"]) {
  const daySeconds = 86_400;
  return {
    expiringSeconds: policy?.rotateWhenExpiresInSeconds ?? scan.expiringDays * daySeconds,
    lifetimeSecondsMax: policy?.lifetimeMaxSeconds ?? scan.lifetimeDaysMax * daySeconds,
    quietSeconds: scan.quietDays * daySeconds,
    failingSeconds: scan.failingHours * 3_600,
    failingMin: scan.failingMin,
  };
}

async function startNotifier(parts: Parts): Promise<void> {
  const { installation, ground, clock, log, stops } = parts;
  const { config, ca, secret, state } = installation;
  const { callDeadlineMs } = config.liveness;
  const outside = openOutside({ ...config.network, ca, callDeadlineMs, version: build });
  stops.push(() => outside.close());
  const store = storeOf(parts, "cs_notifier", 6);
  const notifier = createNotifier({
    store,
    clock,
    outside,
    mailer: openMailer({ ...config.network, ca, callDeadlineMs }),
    secret,
    callDeadlineMs,
    notify: config.notify,
    tickets: config.tickets,
    notices: config.notices,
    peopleOf: (role) =>
      readTrust(state).people.flatMap(({ person, roles: held }) => (held.includes(role) ? [person] : [])),
    watched: () => watchedOf(ground),
    ownersOf: (application) => shownGround(ground).rows.find(({ name }) => name === application) ?? null,
    pageUrl: config.api.url,
    log,
  });
  await begin(parts, notifier);
}

async function startApi(parts: Parts): Promise<string> {
  const { installation, ground, clock, log, stops, options } = parts;
  const { config, state } = installation;
  const store = storeOf(parts, "cs_api");
  const counted = await keepLedgerCounts(store);
  stops.push(() => counted.stop());
  const trust = readTrust(state);
  const realNow = () => Math.floor(performance.timeOrigin + performance.now());
  const local =
    config.profile === "production"
      ? null
      : new LocalSignIn(
          config.signIn.local.map(({ person, sub, email, password }) => ({
            person,
            sub,
            email,
            password: installation.secret(password),
          })),
        );
  const api = await createApi({
    installation: {
      profile: config.profile,
      clock: clock.kind,
      separation: parts.separation,
      build,
      origin: trust.origin,
      url: config.api.url,
      rpId: new URL(config.api.url).hostname,
    },
    store: databaseStore(store, () => shownGround(ground), counted),
    sessions: new Sessions(databaseSessions(store, realNow, sessionLimits.absoluteMs), realNow),
    idempotency: idempotencyInMemory(),
    local,
    people: config.signIn.local.map(({ person, name, iss, sub, roles: held }) => ({
      person,
      name,
      iss,
      sub,
      roles: held as ("app-owner" | "business-owner" | "platform" | "security")[],
    })),
    inventory: () => shownGround(ground),
    sessionKey: loadKey(state, "session", "session"),
    now: () => clock.now(),
    advance: config.clock === null ? null : advanceOver(config.clock.url, clock),
    readiness: () => readinessOf(ground, store, state),
    askScan: () => store.scanAsk(clock.now()),
    bundle: (run) => bundleOf(store, run),
    population: (ask) =>
      populationBundle(store, ask, {
        origin: trust.origin,
        build,
        tenants: config.tenants.map(({ name }) => name),
        lateMs: config.audit.lateSeconds * 1_000,
        keptMs: config.audit.retentionDays * 86_400_000,
      }),
    log: ({ level, message, ...facts }) => log(message, { level, ...facts }),
    signInsPerMinuteMax: 30,
    acceptanceDaysMax: config.scan.acceptanceDaysMax,
    hooks: {
      hooks: config.webhooks.map((hook) => openHook(hook, (reference) => installation.secret(reference))),
      store,
      rows: () => shownGround(ground).rows,
      isReadOnly: async () => (await readinessOf(ground, store, state)).mode === "read-only",
      now: () => clock.now(),
      realNow,
    },
    outside: outsideOf(config),
    consoleDir: options.consoleDir,
  });
  const { host, port } = addressOf(config.api.listen);
  await api.listen({ host, port });
  stops.push(() => api.close());
  return config.api.url;
}

/** The systems outside that the configuration names, without anything secret. */
function outsideOf({ tenants, connections, webhooks }: Installation["config"]): ApiDependencies["outside"] {
  return {
    directories: tenants.map(({ name, id, authority, graph, writer }) => ({
      name,
      id,
      writer: writer.clientId,
      reaches: [new URL(authority).origin, new URL(graph).origin],
    })),
    connections: connections.map(({ name, kind, environment, prod, tenant, settings }) => {
      return { name, kind, environment, prod, tenant, reach: reachOf(settings) };
    }),
    webhooks: webhooks.map(({ name, kind, keys, perMinuteMax }) => ({ name, kind, keys: keys.length, perMinuteMax })),
  };
}

/** Asks the clock server to advance, by the protocol's own words (docs/clock-protocol.md). */
function advanceOver(url: string, clock: EngineClock): (seconds: number) => Promise<number> {
  return async (seconds) => {
    const answer = await fetch(new URL("/clock/advance", url), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ by: seconds, limitMs: 120_000 }),
    });
    if (!answer.ok) throw new CountersignError("CONFLICT", `expected the clock to advance, got ${answer.status}`);
    const { now } = (await answer.json()) as { now: string };
    // The tick arrives over the stream; wait until this process has seen it.
    for (let waited = 0; clock.now() < Date.parse(now) && waited < 5_000; waited += 10) await delay(10);
    return clock.now();
  };
}

function addressOf(listen: string): { host: string; port: number } {
  const at = listen.lastIndexOf(":");
  return { host: listen.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(listen.slice(at + 1)) };
}
