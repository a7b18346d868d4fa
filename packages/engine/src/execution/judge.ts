import {
  type Connectors,
  CountersignError,
  type EnrolledPerson,
  type Finding,
  type InventoryRow,
  isBlocked,
  isKnown,
  type Known,
  type Plan,
  type ResolvedPolicy,
  resolvePolicy,
  thawPlan,
  type ValidationInput,
  validate,
  type World,
} from "@countersign/core";
import type { EngineClock } from "../clock/clock.ts";
import type { RunRow, Store } from "../store/index.ts";
import type { Ground } from "./ground.ts";

/** What the executor found about a request: every rule with what it observed, and the ground it stands on. */
export interface Judgement {
  readonly input: ValidationInput;
  /** Present when row, world and policy are all there. */
  readonly known: Known | null;
  readonly findings: readonly Finding[];
  readonly blocked: boolean;
  readonly row: InventoryRow | null;
  readonly world: World | null;
  readonly policy: ResolvedPolicy | null;
  readonly policyDigest: string;
  readonly policyBytes: Uint8Array;
  readonly inventoryDigest: string;
}

export interface Judge {
  /** Reads the world and evaluates every rule. Throws only what makes judging impossible (trust, files, lease). */
  judge(run: RunRow, at: ValidationInput["at"], signal: AbortSignal): Promise<Judgement>;
}

const openStates = [
  "requested",
  "planned",
  "awaiting_approval",
  "approved",
  "scheduled",
  "executing",
  "overlapping",
  "retiring",
  "held",
  "rolling_back",
] as const;
const runsMax = 200;

/** Judges requests and approved plans from this host's own files and from the world itself. */
export function createJudge(options: {
  readonly store: Store;
  readonly clock: EngineClock;
  readonly connectors: Connectors;
  readonly ground: Ground;
  readonly log: (event: string, facts?: Readonly<Record<string, unknown>>) => void;
}): Judge {
  const { store, clock, connectors, ground } = options;

  async function readWorld(row: InventoryRow, signal: AbortSignal): Promise<World | null> {
    const reader = connectors.worlds.get(row.procedure);
    if (reader === undefined) return null;
    // The ledger says which credential is ours; the tag in the vault alone could have been written by anybody.
    const ours = new Set(
      (await store.credentials({ tenant: row.tenant, limit: runsMax, states: ["ours-active", "ours-retiring"] })).map(
        (credential) => credential.id,
      ),
    );
    try {
      return await reader.read({ clock, signal }, row, (id) => ours.has(id));
    } catch (error) {
      // A world that cannot be read blocks the request; losing the lease or the database ends this attempt to judge.
      if (!(error instanceof CountersignError) || error.code === "LEASE_LOST" || error.code === "DATABASE_UNAVAILABLE")
        throw error;
      options.log("world.unreadable", { row: row.name, error: `${error.code}: ${error.message}` });
      return null;
    }
  }

  async function lastPlanOf(row: string): Promise<Plan | null> {
    const [last] = await store.runs({ targetKey: row, states: ["completed"], limit: 1 });
    if (last === undefined || last.planDigest === null) return null;
    const bytes = await store.plan(last.planDigest);
    return bytes === null ? null : thawPlan(bytes, last.planDigest).plan;
  }

  return {
    async judge(run, at, signal) {
      const inventory = ground.inventory();
      const { policy, digest: policyDigest, bytes: policyBytes } = ground.policy();
      const people: readonly EnrolledPerson[] = ground.trust().people;
      const row = inventory.rows.find((candidate) => candidate.name === run.targetKey) ?? null;
      const [world, lastPlan, open] = await Promise.all([
        row === null ? null : readWorld(row, signal),
        lastPlanOf(run.targetKey),
        store.runs({ targetKey: run.targetKey, states: openStates, limit: runsMax }),
      ]);
      const resolved = row === null ? null : resolvePolicy(policy, row);
      const elder = open.find(
        (other) =>
          other.id !== run.id &&
          (other.createdAt < run.createdAt || (other.createdAt === run.createdAt && other.id < run.id)),
      );
      const { objectId, appId } = run.target;
      const input: ValidationInput = {
        at,
        request: {
          trigger: run.trigger,
          requester: run.requester,
          target: {
            name: run.targetKey,
            tenant: run.tenant,
            ...(objectId === undefined ? {} : { objectId }),
            ...(appId === undefined ? {} : { appId }),
          },
          // A person who asks gives a reason and means it; the reason is kept with the run.
          force: run.trigger === "manual",
          reasonGiven: run.reasonDigest !== null || run.replaces !== null,
        },
        row,
        world,
        config: ground.config,
        policy: resolved,
        people,
        now: clock.now(),
        openRun: elder?.id ?? null,
        pendingRuns: [],
        lastPlan,
        supersedes: null,
        unreviewed: null,
      };
      const findings = validate(input);
      return {
        input,
        known: isKnown(input) ? input : null,
        findings,
        blocked: isBlocked(findings) || !isKnown(input),
        row,
        world,
        policy: resolved,
        policyDigest,
        policyBytes,
        inventoryDigest: inventory.digest,
      };
    },
  };
}
