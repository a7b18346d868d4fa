import { figures } from "./effects/figures.ts";
import type { KnobChange } from "./faults/knobs.ts";
import { rotateNaively } from "./naive-rotator.ts";
import type { Simulator, SimulatorOptions } from "./simulator.ts";
import type { ScenarioInput } from "./tenant/scenario.ts";

const APPLICATIONS = 6;
const ROTATIONS_EACH = 10;
/** Drawn per round, so that rotations do not fall in step with the consumers' own look-ups. */
const PAUSE_SECONDS = [3600, 7200] as const;
const IDLE_LIMIT_MS = 30_000;

/** What the negative control measured. */
export interface ControlResult {
  rotations: number;
  signIns: number;
  failedSignIns: number;
  orphans: number;
  knobs: KnobChange | "as-running";
}

/**
 * Runs the naive rotator over six applications, ten times each, one to two hours apart, while their consumers sign in every ten
 * minutes and look into the vault every half hour. Counts only what stands on these applications.
 *
 * Without `knobs` it runs in the given tenant, under the faults that are set there. With `knobs` it runs in a twin: a
 * second tenant of the same seed under those faults, so that nothing else is disturbed.
 */
export async function runControl(
  simulator: Pick<Simulator, "world" | "driver" | "seed">,
  knobs: KnobChange | null,
  startTwin: (options: SimulatorOptions) => Promise<Simulator>,
): Promise<ControlResult> {
  if (knobs === null && simulator.world.addresses.graph.startsWith("https:")) {
    // Node's fetch takes no private CA per request, and the rotator is to stay as plain as it is.
    throw new RangeError("control: expected knobs (a twin without https), since this tenant speaks https");
  }
  if (knobs === null) return { ...(await rotateAll(simulator)), knobs: "as-running" };
  const { clock, seed } = simulator.world;
  const twin = await startTwin({ seed, knobs, start: new Date(clock.nowMs).toISOString() });
  try {
    return { ...(await rotateAll(twin)), knobs };
  } finally {
    await twin.close();
  }
}

async function rotateAll(
  simulator: Pick<Simulator, "world" | "driver" | "seed">,
): Promise<Omit<ControlResult, "knobs">> {
  const { world, driver } = simulator;
  const round = Object.keys(world.tenant.names).filter((name) => name.startsWith("control-")).length / APPLICATIONS;
  const names = Array.from({ length: APPLICATIONS }, (_, index) => `control-${round}-${index}`);
  await simulator.seed(scenario(names, `control-${round}`));
  const current = new Map(names.map((name) => [name, world.tenant.names[name]?.secrets.current ?? ""]));

  for (let turn = 0; turn < ROTATIONS_EACH; turn += 1) {
    for (const name of names) {
      const keyId = await rotateNaively({
        graph: world.addresses.graph,
        token: (resource) => token(simulator, `control-${round}`, resource),
        objectId: world.tenant.names[name]?.objectId ?? "",
        vaultUrl: world.addresses.vaults[`control-${round}`] ?? "",
        secretName: name,
        oldKeyId: current.get(name) ?? "",
      });
      current.set(name, keyId);
    }
    await driver.advanceBy(Math.round(world.random("control").between(PAUSE_SECONDS)) * 1000, IDLE_LIMIT_MS);
  }
  const all = figures(world).applications as {
    name: string;
    signIns: number;
    failedSignIns: number;
    orphans: unknown[];
  }[];
  const mine = all.filter((item) => names.includes(item.name));
  for (const workload of world.tenant.workloads) if (names.includes(workload.name)) workload.stopped = true;
  return {
    rotations: APPLICATIONS * ROTATIONS_EACH,
    signIns: mine.reduce((sum, item) => sum + item.signIns, 0),
    failedSignIns: mine.reduce((sum, item) => sum + item.failedSignIns, 0),
    orphans: mine.reduce((sum, item) => sum + item.orphans.length, 0),
  };
}

function scenario(names: readonly string[], vault: string): ScenarioInput {
  return {
    callers: [{ name: vault, roles: ["Application.ReadWrite.OwnedBy"], vaults: { [vault]: "officer" } }],
    vaults: [{ name: vault }],
    applications: names.map((name) => ({ name, owners: [vault], secrets: [{ name: "current", expiresInDays: 10 }] })),
    vaultEntries: names.map((name) => ({ vault, secret: name, from: { application: name, secret: "current" } })),
    workloads: names.map((name) => ({
      name,
      kind: "entra-latest" as const,
      application: name,
      vault,
      secret: name,
      intervalSeconds: 600,
      cacheSeconds: 1800,
    })),
  };
}

/** A token for the control's own caller; throws on an error, as a careless client does. */
async function token({ world }: Pick<Simulator, "world">, name: string, resource: string): Promise<string> {
  const caller = world.tenant.callers.find((item) => item.name === name);
  const response = await fetch(`${world.addresses.authority}/${world.tenant.id}/oauth2/v2.0/token`, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "client_credentials",
      client_id: caller?.appId ?? "",
      client_secret: caller?.secret ?? "",
      scope: `${resource}/.default`,
    }),
  });
  if (!response.ok) throw new Error(`token: ${response.status}`);
  return ((await response.json()) as { access_token: string }).access_token;
}
