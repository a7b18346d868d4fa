import type { BuiltConnectors } from "@countersign/connectors";
import {
  CountersignError,
  type InventoryRow,
  type Outside,
  type OutsideRecord,
  type RunHistory,
  type World,
} from "@countersign/core";
import {
  type Checked,
  checkInvariants,
  type EngineClock,
  openStore,
  type Store,
  systemClock,
} from "@countersign/engine";
import { openClock } from "./clock.ts";
import { openConnectors } from "./connectors.ts";
import type { Database } from "./database.ts";
import { type Installation, readInventory } from "./load.ts";

/** What was found, and which applications could not be looked at outside. */
export interface InstallationChecked extends Checked {
  readonly lookedAt: number;
  readonly unread: readonly { readonly application: string; readonly code: string }[];
}

const dayMs = 24 * 60 * 60_000;
/** Applications that are looked at outside in one check; each costs a few reads and one sign-in. */
const lookedAtMax = 1_000;
const oursMax = 1_000;

/**
 * Judges every open run, and every run that moved within the days given, by every invariant. `outside`: also reads what
 * stands in the directory and in the records of those applications. Changes nothing. Error: FORBIDDEN without the
 * executor's login.
 */
export async function judgeInstallation(
  installation: Installation,
  database: Database,
  { sinceDays, outside }: { readonly sinceDays: number; readonly outside: boolean },
): Promise<InstallationChecked> {
  const clock = await openClock(installation, () => {});
  const store = openStore({ role: "cs_executor", connection: database.connection("cs_executor"), connectionsMax: 2 });
  // A command waits in real time: nobody need advance a virtual clock for it.
  const pace: EngineClock = { ...systemClock(), now: () => clock.now() };
  const connectors = outside ? openConnectors(installation, pace, () => {}) : null;
  const looked = new Looked(readInventory(installation).rows, connectors, store, pace);
  try {
    const now = clock.now();
    const checked = await checkInvariants(store, {
      now,
      since: now - sinceDays * dayMs,
      scopes: installation.config.connections,
      look: connectors === null ? null : (runs) => looked.at(runs),
    });
    return { ...checked, lookedAt: looked.count, unread: looked.unread };
  } finally {
    await connectors?.close();
    await store.close();
    await clock.close();
  }
}

/** What the tenant shows of the applications of runs. Client secrets only: a role's password cannot be listed. */
class Looked {
  readonly unread: { application: string; code: string }[] = [];
  count = 0;
  readonly #rows: readonly InventoryRow[];
  readonly #connectors: BuiltConnectors | null;
  readonly #store: Store;
  readonly #clock: EngineClock;
  readonly #seen = new Map<string, World | null>();

  constructor(rows: readonly InventoryRow[], connectors: BuiltConnectors | null, store: Store, clock: EngineClock) {
    this.#rows = rows;
    this.#connectors = connectors;
    this.#store = store;
    this.#clock = clock;
  }

  async at(runs: readonly RunHistory[]): Promise<Outside> {
    const names = new Set(
      runs.flatMap(({ plan }) => (plan?.target.kind === "entra-application" ? [plan.target.name] : [])),
    );
    const worlds: World[] = [];
    for (const row of this.#rows) {
      const world = names.has(row.name) ? await this.#worldOf(row) : null;
      if (world !== null) worlds.push(world);
    }
    return {
      effects: null,
      signIns: null,
      values: null,
      credentials: worlds.flatMap((world) =>
        world.credentials.map(({ id, marker }) => ({ target: idsOf(world), id, marker })),
      ),
      records: worlds.map(recordOf),
    };
  }

  async #worldOf(row: InventoryRow): Promise<World | null> {
    const known = this.#seen.get(row.name);
    if (known !== undefined) return known;
    const world = this.count < lookedAtMax ? await this.#read(row) : null;
    this.#seen.set(row.name, world);
    return world;
  }

  async #read(row: InventoryRow): Promise<World | null> {
    const reader = this.#connectors?.worlds.get(row.procedure);
    if (reader === undefined) return null;
    this.count += 1;
    const ours = await this.#store.credentials({
      tenant: row.tenant,
      limit: oursMax,
      states: ["ours-active", "ours-retiring"],
    });
    const isOurs = new Set(ours.map(({ id }) => id));
    try {
      const ctx = { clock: this.#clock, signal: new AbortController().signal };
      return await reader.read(ctx, row, (id) => isOurs.has(id));
    } catch (error) {
      if (!(error instanceof CountersignError)) throw error;
      this.unread.push({ application: row.name, code: error.code });
      return null;
    }
  }
}

/** What the record holds. Which credential that is counts only where our own ledger says so. */
function recordOf(world: World): OutsideRecord {
  const { vault, name } = world.record.identity;
  return {
    target: idsOf(world),
    place: `${String(vault)}/${String(name)}`,
    credential: world.binding.by === "ours" ? world.binding.id : null,
    signsIn: world.recordSignsIn,
  };
}

function idsOf({ target }: World): Record<string, string> {
  const { objectId, appId } = target;
  return { objectId: String(objectId), appId: String(appId) };
}
