import { CountersignError, errorCodes, type InventoryRow } from "@countersign/core";
import { type Ground, readHighWaterMark, type Store } from "@countersign/engine";
import type { Readiness } from "../api/ports.ts";

/** What the API shows of the accepted documents. */
interface Shown {
  readonly rows: readonly InventoryRow[];
  readonly digest: string | null;
  readonly policyDigest: string | null;
  readonly isProd: (environment: string) => boolean;
}

/**
 * The accepted documents as people see them. One that was edited and not accepted is not shown as if it counted: its
 * digest is null, an application's environment counts as production, and {@link readinessOf} says why.
 */
export function shownGround(ground: Ground): Shown {
  const inventory = accepted(() => ground.inventory());
  const active = accepted(() => ground.policy());
  // An entry that names no environment governs all of them.
  const prods = Object.values(active?.policy.environments ?? { all: { prod: true, match: {} } }).flatMap(
    ({ prod, match }) => (prod ? [match.environment ?? null] : []),
  );
  return {
    rows: inventory?.rows ?? [],
    digest: inventory?.digest ?? null,
    policyDigest: active?.digest ?? null,
    isProd: (environment) => prods.some((named) => named === null || named === environment),
  };
}

function accepted<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof CountersignError) return null;
    throw error;
  }
}

/**
 * Whether people may change anything now, and if not, why: fewer than two are enrolled, a document was edited and not
 * accepted, or the database is older than this host has seen. Nothing is executed then either; asking for more would
 * only pile up what cannot be done.
 */
export async function readinessOf(ground: Ground, store: Store, stateFolder: string): Promise<Readiness> {
  const reasons: { readonly code: string; readonly sentence: string }[] = [];
  const enrolled = ground.trust().people.length;
  if (enrolled < 2)
    reasons.push({
      code: "too-few-people",
      sentence: `Two people must be enrolled before anything is changed; there is ${enrolled}.`,
    });
  for (const read of [() => ground.policy(), () => ground.inventory()]) {
    try {
      read();
    } catch (error) {
      if (!(error instanceof CountersignError)) throw error;
      reasons.push({ code: error.code, sentence: errorCodes[error.code] });
    }
  }
  if (await isBehind(store, stateFolder)) reasons.push({ code: "LOG_BEHIND", sentence: errorCodes.LOG_BEHIND });
  return { mode: reasons.length === 0 ? "ready" : "read-only", reasons };
}

/** Whether the database lacks what this host has seen of the log, or holds another history. A process without the mark cannot tell. */
async function isBehind(store: Store, stateFolder: string): Promise<boolean> {
  const mark = await readHighWaterMark(stateFolder);
  if (mark === null) return false;
  const [leaf] = await store.leafHashes(mark.size - 1, 1);
  return leaf === undefined || Buffer.compare(leaf, mark.leaf) !== 0;
}
