import { presentCredentials } from "../tenant/credentials.ts";
import { type Application, PORTAL } from "../tenant/model.ts";
import { isoTime } from "../time.ts";
import type { World } from "../world.ts";
import { type HeldTexts, isHeld } from "./held-values.ts";

const GRACE_MS = 60_000;

/** A credential that lives and that nobody can use. */
export interface Orphan {
  keyId: string;
  displayName: string | null;
  created: string;
  createdBy: string | null;
  /** When every replica of the directory lists it. */
  visible: string;
}

/** Orphans of one application, by two definitions. */
export interface Orphans {
  /**
   * Live (not removed, not expired), made by addPassword in this simulation, listed by every replica for 60 s or more,
   * and its value is in no enabled version of a vault, in no file and in no workload.
   */
  orphans: Orphan[];
  /** The same without the 60 s, and older versions of a vault do not count as holding it. */
  orphansNaive: Orphan[];
}

/** Finds the orphans of an application now. */
export function findOrphans(world: World, application: Application, held: HeldTexts): Orphans {
  const { nowMs } = world.clock;
  // What a person has made in the portal, that person has copied.
  const byProgram = ({ createdBy }: { createdBy: string | null }) => createdBy !== null && createdBy !== PORTAL;
  const made = presentCredentials(application).filter((item) => byProgram(item) && item.endMs > nowMs);
  const visibleMs = (listedAtMs: readonly number[]): number => Math.max(...listedAtMs);
  const view = (item: (typeof made)[number]): Orphan => ({
    keyId: item.keyId,
    displayName: item.displayName,
    created: isoTime(item.createdMs),
    createdBy: item.createdBy,
    visible: isoTime(visibleMs(item.listedAtMs)),
  });
  return {
    orphans: made
      .filter((item) => visibleMs(item.listedAtMs) + GRACE_MS <= nowMs && !isHeld(held.readable, item.secretText))
      .map(view),
    orphansNaive: made.filter((item) => !isHeld(held.current, item.secretText)).map(view),
  };
}
