import { isCode } from "@countersign/core";
import { z } from "zod";
import type { TargetReaders } from "../kit/seams.ts";
import { type Githubs, identityOf, readSecret } from "./account.ts";
import { secretTarget } from "./schema.ts";

const Target = z.object({ connection: z.string(), ...secretTarget });

/** Reads when a secret was written last. Who lacks permission is told the same as who looks for what is not there. */
export function githubTargets(githubs: Githubs): TargetReaders {
  return {
    async "github-secret"(leave, question) {
      const target = Target.parse(question.target);
      const to = githubs(target.connection);
      const common = { identityKind: "immutable" as const, matchesRecord: null };
      try {
        const identity = await identityOf(leave, to, target);
        const { updated_at: stamp } = await readSecret(leave, to, target);
        return { ...common, exists: true, identity, holds: stamp, stamp };
      } catch (error) {
        if (!isCode(error, "OUTSIDE_NOT_FOUND")) throw error;
        return { ...common, exists: false, identity: {}, holds: null };
      }
    },
  };
}
