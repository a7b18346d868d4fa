import { isCode } from "@countersign/core";
import { z } from "zod";
import type { TargetReader, TargetReaders } from "../kit/seams.ts";
import { groupIdentity, type Organizations, ownId, readGroup } from "./organization.ts";
import { variableTarget } from "./schema.ts";

const Target = z.object({ connection: z.string(), ...variableTarget });

/** Reads a variable group: whether the variable is there as a secret, and whether we were the last to write the group. */
export function devopsTargets(organizations: Organizations): TargetReaders {
  const read: TargetReader = async (leave, question) => {
    const target = Target.parse(question.target);
    const to = organizations(target.connection);
    try {
      const group = await readGroup(leave, to, target);
      const me = await ownId(leave, to);
      return {
        exists: group.type === "Vsts" && group.variables[target.variable]?.isSecret === true,
        identity: groupIdentity(to, target, group),
        identityKind: "immutable",
        holds: null,
        matchesRecord: null,
        // Others may write the group for their own variables: then only use can show what ours holds.
        stamp: group.modifiedBy.id === me ? me : null,
      };
    } catch (error) {
      if (!isCode(error, "OUTSIDE_NOT_FOUND")) throw error;
      return { exists: false, identity: {}, identityKind: "immutable", holds: null, matchesRecord: null };
    }
  };
  return { "devops-variable": read };
}
