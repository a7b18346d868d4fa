import type { TargetReaders } from "../kit/seams.ts";
import { byHand } from "./ask.ts";

/** Nothing can be read of a consumer that is updated by hand. */
export const manualTargets: TargetReaders = {
  manual: () =>
    Promise.resolve({ exists: true, identity: byHand, identityKind: "name-only", holds: null, matchesRecord: null }),
};
