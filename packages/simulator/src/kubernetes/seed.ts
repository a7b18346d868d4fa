import { z } from "zod";
import { createRandom } from "../random.ts";
import { valueOf, valueSource } from "../tenant/value-source.ts";
import type { World } from "../world.ts";

const name = z.string().min(1).max(253);

/** A cluster of a scenario. */
export const clusterScenario = z.strictObject({
  name,
  port: z.int().min(0).max(65_535).default(0),
  accounts: z.array(
    z.strictObject({ name, namespaces: z.array(name).default(["*"]), write: z.boolean().default(true) }),
  ),
  secrets: z.array(
    z.strictObject({
      namespace: name,
      name,
      immutable: z.boolean().default(false),
      labels: z.record(z.string(), z.string()).default({}),
      owner: z.strictObject({ kind: name, name }).nullable().default(null),
      data: z.record(z.string(), z.strictObject(valueSource)),
    }),
  ),
  workloads: z
    .array(
      z.strictObject({
        kind: z.enum(["deployment", "statefulset", "daemonset"]).default("deployment"),
        namespace: name,
        name,
        replicas: z.int().min(0).default(3),
        /** The Secret that is in the environment of its pods. */
        secret: name,
        rolloutSeconds: z.number().nonnegative().default(90),
      }),
    )
    .default([]),
});

/** Adds the clusters of a scenario. */
export function seedClusters(world: World, scenario: readonly z.output<typeof clusterScenario>[]): void {
  for (const item of scenario) {
    const random = createRandom(world.seed, `cluster:${item.name}`);
    const createdMs = world.clock.nowMs - 300 * 86_400_000;
    let revision = random.integer(1_000, 9_000);
    const secrets = item.secrets.map(({ data, ...secret }) => ({
      ...secret,
      uid: random.uuid(),
      revision: (revision += 1),
      createdMs,
      annotations: {},
      data: Object.fromEntries(
        Object.entries(data).map(([key, source]) => [key, valueOf(world, source, `clusters ${item.name} ${key}`)]),
      ),
    }));
    const holds = (namespace: string, secret: string) => ({
      ...secrets.find((one) => one.namespace === namespace && one.name === secret)?.data,
    });
    world.tenant.clusters.push({
      name: item.name,
      port: item.port,
      uid: random.uuid(),
      accounts: item.accounts.map((account) => ({ ...account, token: random.secret(48) })),
      secrets,
      workloads: item.workloads.map(({ rolloutSeconds, ...workload }) => ({
        ...workload,
        uid: random.uuid(),
        revision: (revision += 1),
        generation: 1,
        template: {},
        rolloutMs: rolloutSeconds * 1_000,
        changedMs: createdMs,
        next: holds(workload.namespace, workload.secret),
        held: holds(workload.namespace, workload.secret),
        stuck: false,
      })),
      revision,
    });
  }
}
