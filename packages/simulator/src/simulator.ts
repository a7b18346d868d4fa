import { readFileSync, writeFileSync } from "node:fs";
import { seedSites } from "./appservice/seed.ts";
import { createArmSurface } from "./appservice/surface.ts";
import { createPrivateAuthority } from "./certificate/authority.ts";
import { createChatSurface, roomPath } from "./chat/surface.ts";
import { ClockClients } from "./clock/clients.ts";
import { ClockDriver } from "./clock/driver.ts";
import { SimClock } from "./clock/sim-clock.ts";
import { runControl } from "./control.ts";
import { createDevopsSurface } from "./devops/surface.ts";
import { figures } from "./effects/figures.ts";
import { EffectLog } from "./effects/log.ts";
import { createEntraSurface } from "./entra/surface.ts";
import { TokenKeys } from "./entra/token-keys.ts";
import { Holds } from "./faults/holds.ts";
import { applyKnobs, defaultKnobs, type KnobChange } from "./faults/knobs.ts";
import { Rules } from "./faults/rules.ts";
import { createGatewaySurface } from "./gateway/surface.ts";
import { createGithubSurface } from "./github/surface.ts";
import { createGraphSurface } from "./graph/surface.ts";
import type { Surface } from "./http/exchange.ts";
import { type Handler, type Listener, listen, serve, type TlsPair } from "./http/listener.ts";
import { createClusterSurface } from "./kubernetes/surface.ts";
import { EventHub } from "./management/events.ts";
import { createManagement } from "./management/server.ts";
import { openPostgresProxy } from "./postgres/proxy.ts";
import { createRandom, type Random } from "./random.ts";
import { createTenant } from "./tenant/create.ts";
import { parseScenario, type ScenarioInput } from "./tenant/scenario.ts";
import { seedScenario } from "./tenant/seed.ts";
import { type RestoredState, readState, type SavedState, StateFile } from "./tenant/state-file.ts";
import { createJiraSurface } from "./tickets/jira.ts";
import { createServiceNowSurface } from "./tickets/servicenow.ts";
import { parseTime } from "./time.ts";
import { createVaultSurface } from "./vault/surface.ts";
import { act } from "./workloads/act.ts";
import { WorkloadSchedule } from "./workloads/schedule.ts";
import type { Addresses, World } from "./world.ts";

/** How to start a simulated tenant. */
export interface SimulatorOptions {
  /** Picks names, ids, order and faults; default 1. */
  seed?: number;
  /** Port of token endpoint and Graph; 0 (default) = a free one. */
  port?: number;
  managementPort?: number;
  /** https with a CA of its own for everything but the management port. */
  tls?: boolean;
  /** Where to write the CA certificate; only with `tls`. */
  caFile?: string;
  /** Virtual seconds per real second; 0 (default) = the clock moves only by `POST /clock/advance`. */
  rate?: number;
  /** Virtual time at the start, RFC 3339; default: real time. */
  start?: string;
  /** How it misbehaves; default: as it comes. */
  knobs?: KnobChange;
  /** What is in the tenant at the start, besides the three standard callers. */
  scenario?: ScenarioInput;
  /** Keeps tenant and clock over restarts. Demo only. */
  stateFile?: string;
  /** Called when the management port is asked to stop; default: closes this simulator. */
  onStop?: () => void;
}

/** A running simulated tenant. */
export interface Simulator {
  urls: Addresses;
  tenantId: string;
  /** PEM of the CA certificate, null without `tls`. */
  caPem: string | null;
  world: World;
  driver: ClockDriver;
  /** Adds a scenario and opens what it brings; answers with ids and addresses. */
  seed(scenario: unknown): Promise<unknown>;
  close(): Promise<void>;
}

/** Callers every tenant has: a reader, a writer limited to what it owns, and one that works on vaults. */
const standardCallers: ScenarioInput["callers"] = [
  { name: "reader", roles: ["Application.Read.All", "AuditLog.Read.All", "Policy.Read.All"] },
  {
    name: "writer",
    roles: ["Application.ReadWrite.OwnedBy", "Application.Read.All", "AuditLog.Read.All", "Policy.Read.All"],
  },
  { name: "vault", vaults: { "*": "officer" } },
];

/** Starts a tenant on loopback. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const saved = options.stateFile === undefined ? null : readState(options.stateFile);
  const seed = saved?.seed ?? options.seed ?? 1;
  const starts = (saved?.starts ?? 0) + 1;
  const authority = options.tls === true ? createPrivateAuthority(new Date()) : null;
  const clock = new SimClock(saved?.nowMs ?? startTime(options.start));
  const world = createWorld(seed, starts, clock, applyKnobs(defaultKnobs, options.knobs ?? {}), saved);
  const host = new Host(world, authority?.server ?? null);
  const clients = new ClockClients(clock);
  const driver = new ClockDriver(clock, clients, new WorkloadSchedule(world, act));
  const ports = { tenant: 0, management: 0 };
  const stateFile = options.stateFile === undefined ? null : openStateFile(options.stateFile, world, starts, ports);
  const close = async (): Promise<void> => {
    world.holds.decideAll("drop");
    await driver.close();
    await host.close();
    stateFile?.flush();
  };
  const seedAndOpen = async (value: unknown): Promise<unknown> => {
    const scenario = parseScenario(value);
    const seeded = seedScenario(world, scenario);
    await host.openNew();
    // Their references name vaults by address.
    seedSites(world, scenario.sites);
    await host.openNew();
    world.persist();
    return { ...seeded, urls: world.addresses };
  };

  ports.tenant = await host.openTenant(options.port || saved?.ports.tenant || 0);
  if (saved === null) seedScenario(world, parseScenario({ callers: standardCallers }));
  if (saved === null && options.scenario !== undefined) await seedAndOpen(options.scenario);
  await host.openNew();
  const management = createManagement({
    world,
    clock,
    clients,
    driver,
    seed: seedAndOpen,
    figures: () => figures(world),
    control: (body) => runControl({ world, driver, seed: seedAndOpen }, readControl(body), startSimulator),
    stop: options.onStop ?? (() => void close()),
  });
  ports.management = await host.openManagement(management, options.managementPort || saved?.ports.management || 0);
  if (options.caFile !== undefined && authority !== null) writeFileSync(options.caFile, authority.caPem);
  if (stateFile !== null) {
    world.persist = () => stateFile.flush();
    world.touch = () => stateFile.touch();
    clock.subscribe(() => stateFile.touch());
    stateFile.flush();
  }
  driver.setRate(options.rate ?? 0);
  return {
    urls: world.addresses,
    tenantId: world.tenant.id,
    caPem: authority?.caPem ?? null,
    world,
    driver,
    seed: seedAndOpen,
    close,
  };
}

function startTime(text: string | undefined): number {
  if (text === undefined) return Date.now();
  const ms = parseTime(text);
  if (ms === null) throw new RangeError(`start: expected an RFC 3339 time, got ${JSON.stringify(text)}`);
  return ms;
}

function openStateFile(path: string, world: World, starts: number, ports: SavedState["ports"]): StateFile {
  const snapshot = (): SavedState => {
    const { signIns: _, ...tenant } = world.tenant;
    return { v: 1, seed: world.seed, starts, nowMs: world.clock.nowMs, keyPem: world.keys.toPem(), ports, tenant };
  };
  return new StateFile(path, snapshot, { signIns: world.tenant.signIns, effects: world.effects.all() });
}

/** Body of `POST /control/naive`: `{}` or `{"knobs": …}`. */
function readControl(body: Record<string, unknown>): KnobChange | null {
  return body.knobs === undefined ? null : (body.knobs as KnobChange);
}

function createWorld(
  seed: number,
  starts: number,
  clock: SimClock,
  knobs: World["knobs"],
  saved: RestoredState | null,
): World {
  const streams = new Map<string, Random>();
  const events = new EventHub();
  const effects = new EffectLog(
    () => clock.nowMs,
    () => world.touch(),
  );
  if (saved !== null) effects.restore(saved.effects);
  const world: World = {
    seed,
    clock,
    knobs,
    tenant: saved === null ? createTenant(seed) : { ...createTenant(seed), ...saved.tenant, signIns: saved.signIns },
    effects,
    events,
    holds: new Holds(events),
    rules: new Rules(),
    keys: new TokenKeys(saved?.keyPem ?? null),
    addresses: {
      authority: "",
      graph: "",
      management: "",
      vaults: {},
      postgres: {},
      devops: {},
      github: {},
      clusters: {},
      gateways: {},
      arm: "",
      chat: {},
      desks: {},
    },
    random(stream) {
      // A restart must not draw the same ids again.
      const known = streams.get(stream) ?? createRandom(seed, starts === 1 ? stream : `${stream}#${starts}`);
      streams.set(stream, known);
      return known;
    },
    persist: () => undefined,
    touch: () => undefined,
  };
  return world;
}

/** The listening servers of a tenant. */
class Host {
  readonly #world: World;
  readonly #tls: TlsPair | null;
  readonly #listeners: Listener[] = [];

  constructor(world: World, tls: TlsPair | null) {
    this.#world = world;
    this.#tls = tls;
  }

  get #scheme(): "http" | "https" {
    return this.#tls === null ? "http" : "https";
  }

  /** Token endpoint and Graph share a port: their paths do not meet. */
  async openTenant(port: number): Promise<number> {
    const entra = createEntraSurface(this.#world);
    const graph = createGraphSurface(this.#world);
    const surface: Surface = {
      name: "tenant",
      resolve: (incoming) => entra.resolve(incoming) ?? graph.resolve(incoming),
      fail: (request, incoming) => (entra.resolve(incoming) === null ? graph : entra).fail(request, incoming),
    };
    const listener = await this.#open(surface, port);
    const url = `${this.#scheme}://localhost:${listener.port}`;
    this.#world.addresses.authority = url;
    this.#world.addresses.graph = url;
    return listener.port;
  }

  /** Opens what the tenant has and what does not listen yet. */
  async openNew(): Promise<void> {
    const { tenant, addresses } = this.#world;
    for (const vault of tenant.vaults) {
      if (addresses.vaults[vault.name] !== undefined) continue;
      const { port } = await this.#open(createVaultSurface(this.#world, vault), vault.port);
      vault.port = port;
      addresses.vaults[vault.name] = `${this.#scheme}://localhost:${port}`;
    }
    for (const organization of tenant.devops) {
      if (addresses.devops[organization.name] !== undefined) continue;
      const { port } = await this.#open(createDevopsSurface(this.#world, organization), organization.port);
      organization.port = port;
      addresses.devops[organization.name] = `${this.#scheme}://localhost:${port}`;
    }
    for (const host of tenant.github) {
      if (addresses.github[host.name] !== undefined) continue;
      const { port } = await this.#open(createGithubSurface(this.#world, host), host.port);
      host.port = port;
      addresses.github[host.name] = `${this.#scheme}://localhost:${port}/api/v3`;
    }
    for (const cluster of tenant.clusters) {
      if (addresses.clusters[cluster.name] !== undefined) continue;
      const { port } = await this.#open(createClusterSurface(this.#world, cluster), cluster.port);
      cluster.port = port;
      addresses.clusters[cluster.name] = `${this.#scheme}://localhost:${port}`;
    }
    for (const gateway of tenant.gateways) {
      if (addresses.gateways[gateway.name] !== undefined) continue;
      const { port } = await this.#open(createGatewaySurface(this.#world, gateway), gateway.port);
      gateway.port = port;
      addresses.gateways[gateway.name] = `${this.#scheme}://localhost:${port}`;
    }
    for (const room of tenant.chat) {
      if (addresses.chat[room.name] !== undefined) continue;
      const { port } = await this.#open(createChatSurface(this.#world, room), room.port);
      room.port = port;
      addresses.chat[room.name] = `${this.#scheme}://localhost:${port}${roomPath(room)}`;
    }
    for (const desk of tenant.desks) {
      if (addresses.desks[desk.name] !== undefined) continue;
      const create = desk.kind === "jira" ? createJiraSurface : createServiceNowSurface;
      const { port } = await this.#open(create(this.#world, desk), desk.port);
      desk.port = port;
      addresses.desks[desk.name] = `${this.#scheme}://localhost:${port}`;
    }
    if (addresses.arm === "" && tenant.sites.length > 0) {
      const { port } = await this.#open(createArmSurface(this.#world), tenant.armPort);
      tenant.armPort = port;
      addresses.arm = `${this.#scheme}://localhost:${port}`;
    }
    for (const database of tenant.postgres) {
      if (addresses.postgres[database.name] !== undefined) continue;
      const listener = await openPostgresProxy(this.#world, database);
      this.#listeners.push(listener);
      database.listenPort = listener.port;
      addresses.postgres[database.name] = `postgres://127.0.0.1:${listener.port}`;
    }
  }

  async openManagement(handler: Handler, port: number): Promise<number> {
    const listener = await listen(handler, port, null);
    this.#listeners.push(listener);
    this.#world.addresses.management = `http://localhost:${listener.port}`;
    return listener.port;
  }

  async close(): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener.close()));
  }

  async #open(surface: Surface, port: number): Promise<Listener> {
    const listener = await listen(serve(this.#world, surface, this.#scheme), port, this.#tls);
    this.#listeners.push(listener);
    return listener;
  }
}

/** Reads a scenario file. */
export function readScenarioFile(path: string): ScenarioInput {
  return JSON.parse(readFileSync(path, "utf8")) as ScenarioInput;
}
