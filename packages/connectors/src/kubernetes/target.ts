import { isCode } from "@countersign/core";
import { z } from "zod";
import type { TargetReaders } from "../kit/seams.ts";
import { type Clusters, identityOf, keeperOf, readSecret, readWorkload, rollout } from "./cluster.ts";
import { valueIn } from "./patch-secret.ts";
import { keyTarget } from "./schema.ts";

const Target = z.object({ connection: z.string(), ...keyTarget });

/** Reads a key, compares it with the record, and looks whether the declared workloads have rolled out. */
export function kubernetesTargets(clusters: Clusters): TargetReaders {
  return {
    async "kubernetes-secret"(leave, question, latest) {
      const target = Target.parse(question.target);
      const to = clusters(target.connection);
      try {
        const secret = await readSecret(leave, to, target);
        const identity = await identityOf(leave, to, target, secret);
        const held = valueIn(secret, target.key);
        const matchesRecord = held === null || latest === null ? null : held.equals(latest.value);
        const states = [];
        for (const workload of target.workloads)
          states.push(rollout(await readWorkload(leave, to, target.namespace, workload)));
        const refused =
          secret.immutable === true
            ? ("immutable" as const)
            : keeperOf(secret) === null
              ? null
              : ("kept-by-another" as const);
        return {
          exists: held !== null,
          identity,
          identityKind: "immutable",
          holds: matchesRecord === true ? (latest?.version ?? null) : null,
          matchesRecord,
          behind: states.some((state) => state !== "done"),
          ...(refused === null ? {} : { refused }),
        };
      } catch (error) {
        if (!isCode(error, "OUTSIDE_NOT_FOUND")) throw error;
        return { exists: false, identity: {}, identityKind: "immutable", holds: null, matchesRecord: null };
      }
    },
  };
}
