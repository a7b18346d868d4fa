import {
  type Connectors,
  CountersignError,
  type EnrolledPerson,
  type ErrorCode,
  type Finding,
  type InventoryRow,
  isBlocked,
  isKnown,
  type Known,
  type Plan,
  type ResolvedPolicy,
  type RunState,
  resolvePolicy,
  thawPlan,
  type Urgent,
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
  /** Why there is no world: null where there is one, or where nothing says what to read. */
  readonly unread: ErrorCode | null;
  readonly policy: ResolvedPolicy | null;
  /** What an emergency is about; null for any other request. */
  readonly urgent: Urgent | null;
  readonly policyDigest: string;
  readonly policyBytes: Uint8Array;
  readonly inventoryDigest: string;
}

export interface Judge {
  /** Reads the world and evaluates every rule. Throws only what makes judging impossible (trust, files, lease). */
  judge(run: RunRow, at: ValidationInput["at"], signal: AbortSignal): Promise<Judgement>;
}

/** States in which a run may be judged beside others of its application. */
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

/** The outside as it was read, or why it was not. */
type Reading = Pick<Judgement, "world" | "unread">;
const nothingRead: Reading = { world: null, unread: null };

/** Judges requests and approved plans from this host's own files and from the world itself. */
export function createJudge(options: {
  readonly store: Store;
  readonly clock: EngineClock;
  readonly connectors: Connectors;
  readonly ground: Ground;
  readonly log: (event: string, facts?: Readonly<Record<string, unknown>>) => void;
}): Judge {
  const { store, clock, connectors, ground } = options;

  async function readWorld(row: InventoryRow, signal: AbortSignal, withUses: boolean): Promise<Reading> {
    const reader = connectors.worlds.get(row.procedure);
    if (reader === undefined) return nothingRead;
    // The ledger says which credential is ours; the tag in the vault alone could have been written by anybody.
    // Of this row alone: a tenant has more of ours than a page of them. A scan gives applications the directory's name.
    const of = "objectId" in row ? { objectId: row.objectId } : { application: row.name };
    const states = ["ours-active", "ours-retiring"] as const;
    const ledger = await store.credentials({ tenant: row.tenant, ...of, limit: runsMax, states });
    const ours = new Set(ledger.map(({ id }) => id));
    try {
      const world = await reader.read({ clock, signal }, row, (id) => ours.has(id));
      const uses = withUses ? { uses: (await reader.uses?.({ clock, signal }, row)) ?? null } : {};
      return { world: { ...world, ...uses }, unread: null };
    } catch (error) {
      // What a world that cannot be read means is the caller's to say; losing the lease or the database ends this attempt to judge.
      if (!(error instanceof CountersignError) || error.code === "LEASE_LOST" || error.code === "DATABASE_UNAVAILABLE")
        throw error;
      options.log("world.unreadable", { row: row.name, error: `${error.code}: ${error.message}` });
      return { world: null, unread: error.code };
    }
  }

  async function lastPlanOf(row: string): Promise<Plan | null> {
    const [last] = await store.runs({ targetKey: row, states: ["completed"], limit: 1 });
    if (last === undefined || last.planDigest === null) return null;
    const bytes = await store.plan(last.planDigest);
    return bytes === null ? null : thawPlan(bytes, last.planDigest).plan;
  }

  /**
   * Every credential that a run has made and not taken back, by id: those that its journal knows, and those that are seen
   * with the marker of one of its attempts, whose answer was lost.
   */
  async function madeBy(run: string, world: World | null): Promise<string[]> {
    const journal = await store.steps(run);
    const takenBack = new Set(
      journal.filter((row) => row.direction === "discard" && row.outcome === "done").map((row) => row.attempt),
    );
    const nonces = new Set(journal.map((row) => row.nonce));
    const seen = (world?.credentials ?? []).filter(({ marker }) => marker?.run === run && nonces.has(marker.nonce));
    const known = journal.flatMap((row) => {
      const id = row.outcomeData?.objectIds.keyId;
      const makes = row.direction === "do" && connectors.verbs.get(row.verb)?.value === "yields";
      return makes && typeof id === "string" && !takenBack.has(row.attempt) ? [id] : [];
    });
    return [...new Set([...known, ...seen.map(({ id }) => id)])];
  }

  /** What an emergency that drifted had taken over already passes to the one that replaces it. */
  async function inherited(run: RunRow, world: World | null): Promise<Urgent["supersedes"]> {
    const before = run.trigger !== "compromise" || run.replaces === null ? null : await store.run(run.replaces);
    const bytes = before === null || before.planDigest === null ? null : await store.plan(before.planDigest);
    if (before === null || before.planDigest === null || bytes === null) return null;
    const elder = thawPlan(bytes, before.planDigest).plan.emergency?.supersedes ?? null;
    return elder === null ? null : { ...elder, made: await madeBy(elder.run, world) };
  }

  return {
    async judge(run, at, signal) {
      const inventory = ground.inventory();
      const { policy, digest: policyDigest, bytes: policyBytes } = ground.policy();
      const people: readonly EnrolledPerson[] = ground.trust().people;
      const isUrgent = run.trigger === "compromise";
      const { objectId, appId, credential } = run.target;
      const listed = inventory.rows.find((candidate) => candidate.name === run.targetKey) ?? null;
      // The cut waits for no consumer, so none is looked at before it: each was, or is, when it is written.
      const row = listed !== null && isUrgent && at === "retire" ? { ...listed, consumers: [] } : listed;
      const [{ world, unread }, lastPlan, open, unreviewed, seen] = await Promise.all([
        row === null ? nothingRead : readWorld(row, signal, credential !== undefined && at === "start"),
        lastPlanOf(run.targetKey),
        store.runs({ targetKey: run.targetKey, states: openStates, limit: runsMax }),
        store.unreviewed(run.targetKey),
        at === "start" && row?.procedure === "entra-client-secret" ? store.usesSeen(row) : null,
      ]);
      const resolved = row === null ? null : resolvePolicy(policy, row);
      const elders = open.filter((other) => isElder(other, run));
      // Only an emergency may take over another run (I2), and only one that is none itself.
      const taken = isUrgent ? elders.find((other) => other.trigger !== "compromise") : undefined;
      const supersedes =
        taken === undefined
          ? await inherited(run, world)
          : { run: taken.id, state: taken.state as RunState, made: await madeBy(taken.id, world) };
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
            ...(credential === undefined ? {} : { credential }),
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
        openRun: elders.find((other) => other.id !== taken?.id)?.id ?? null,
        pendingRuns: [],
        seen,
        lastPlan,
        supersedes,
        // The use with which this very run may begin is no reason against it.
        unreviewed: unreviewed === run.id ? null : unreviewed,
      };
      const findings = validate(input);
      return {
        input,
        known: isKnown(input) ? input : null,
        findings,
        blocked: isBlocked(findings) || !isKnown(input),
        row,
        world,
        unread,
        policy: resolved,
        urgent: isUrgent ? { compromised: credential ?? null, supersedes } : null,
        policyDigest,
        policyBytes,
        inventoryDigest: inventory.digest,
      };
    },
  };
}

function isElder(other: RunRow, run: RunRow): boolean {
  return (
    other.id !== run.id && (other.createdAt < run.createdAt || (other.createdAt === run.createdAt && other.id < run.id))
  );
}
