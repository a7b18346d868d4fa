import type { Drift } from "@countersign/core";
import type { EntryData } from "@countersign/evidence";
import type { RunRow } from "../store/index.ts";
import type { Because } from "./phases/moves.ts";
import type { RunWork } from "./run-work.ts";

/** May the first effect of this run happen now? Decided from this host's own files, never from rows. */
export type StartVerdict =
  | { readonly kind: "go"; readonly authorised: EntryData<"run.authorised"> }
  /** Not now: a window, a freeze, the kill switch. */
  | { readonly kind: "wait"; readonly until: number; readonly because: Because }
  /** The approvals ran out before the start. */
  | { readonly kind: "expired" }
  /** The world or the rules differ from the approved plan: the approvals are void. */
  | { readonly kind: "drifted"; readonly reasons: readonly Drift[] }
  /** What is stored does not prove an authorisation: somebody tampered, or a signer is not trusted. */
  | { readonly kind: "refused"; readonly because: Because };

/** The executor's own judgement of a plan that others wrote. */
export interface Guard {
  beforeFirstEffect(work: RunWork): Promise<StartVerdict>;
  /**
   * Null when the authorisation that this run has consumed is proven again; otherwise why it holds. Asked whenever a run
   * is taken up in a state with effects: state, plan and journal are rows, and rows may have been written by anybody.
   */
  underWay(work: RunWork): Promise<Because | null>;
  /** Null when the old credential may be retired; otherwise why the run holds. */
  beforeRetirement(work: RunWork): Promise<Because | null>;
  /** Whether an emergency is authorised, and by a plan that takes over this run. Proven, not read from its row (I2, I4). */
  takesOver(emergency: RunRow, run: string): Promise<boolean>;
  /**
   * Null when nobody started this run alone, or when a second person's signed confirmation is proven; otherwise what is
   * missing of it.
   */
  unconfirmed(work: RunWork): Promise<Because | null>;
  /** Whether two people's signed words to close this held run as it stands are proven, over what remains now. */
  leftAsItIs(work: RunWork): Promise<boolean>;
  /** Null when the old credential can carry the consumers again; otherwise why the run holds with both valid. */
  beforeRollBack(work: RunWork): Promise<Because | null>;
  /**
   * Null when the record's newest version is one of these; otherwise why nothing may be removed. Asked where a holder that
   * stalled may have published a value of its own late: outside systems do not know our fence.
   */
  recordHeld(work: RunWork, versions: readonly string[]): Promise<Because | null>;
  /**
   * Whether entries of the log were lost after this run began, by the restore of an older backup. What its journal does not
   * know was perhaps done: it neither goes on nor back by itself.
   */
  restored(run: string): Promise<boolean>;
  /** Whether effects are stopped by the kill switch now. Roll back is always allowed. */
  frozen(tenant: string): Promise<boolean>;
}
