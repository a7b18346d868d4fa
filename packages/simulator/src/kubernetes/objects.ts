import { z } from "zod";
import type { Outcome } from "../http/exchange.ts";
import { isoTime } from "../time.ts";
import type { World } from "../world.ts";
import type { Cluster, ClusterSecret, ClusterWorkload, Metadata } from "./model.ts";
import { refuseCluster } from "./status.ts";

const map = z.record(z.string(), z.string().nullable()).nullish();
const SecretPatch = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string().optional(), labels: map, annotations: map }).optional(),
  data: map,
  stringData: map,
  immutable: z.boolean().optional(),
});
const WorkloadPatch = z.object({
  metadata: z.looseObject({ resourceVersion: z.string().optional() }).optional(),
  spec: z.object({ template: z.object({ metadata: z.object({ annotations: map }) }) }),
});

/** GET a Secret. */
export function secretShape(secret: ClusterSecret): Record<string, unknown> {
  return {
    kind: "Secret",
    apiVersion: "v1",
    metadata: {
      name: secret.name,
      namespace: secret.namespace,
      uid: secret.uid,
      resourceVersion: String(secret.revision),
      creationTimestamp: `${isoTime(secret.createdMs).slice(0, 19)}Z`,
      labels: secret.labels,
      annotations: secret.annotations,
      ...(secret.owner === null
        ? {}
        : { ownerReferences: [{ apiVersion: "v1", uid: secret.uid, ...secret.owner, controller: true }] }),
    },
    data: Object.fromEntries(
      Object.entries(secret.data).map(([key, text]) => [key, Buffer.from(text).toString("base64")]),
    ),
    type: "Opaque",
    ...(secret.immutable ? { immutable: true } : {}),
  };
}

/** PATCH merges (null takes a key away), PUT replaces the whole map; both keep to the revision that is sent along. */
export function writeSecret(cluster: Cluster, secret: ClusterSecret, body: unknown, replace: boolean): Outcome {
  const wish = SecretPatch.safeParse(body);
  if (!wish.success) return refuseCluster(422, "Secret is invalid");
  const { metadata, data, stringData } = wish.data;
  const wanted = metadata?.resourceVersion;
  if (wanted !== undefined && wanted !== String(secret.revision))
    return refuseCluster(
      409,
      `Operation cannot be fulfilled on secrets "${secret.name}": the object has been modified`,
    );
  if (secret.immutable) return refuseCluster(422, "data: Forbidden: field is immutable when `immutable` is set");
  const decoded = Object.fromEntries(
    Object.entries(data ?? {}).map(([key, text]) => [
      key,
      text === null ? null : Buffer.from(text, "base64").toString("utf8"),
    ]),
  );
  secret.data = merge(replace ? {} : secret.data, { ...decoded, ...stringData });
  secret.labels = merge(secret.labels, metadata?.labels ?? {});
  secret.annotations = merge(secret.annotations, metadata?.annotations ?? {});
  secret.immutable = wish.data.immutable ?? secret.immutable;
  cluster.revision += 1;
  secret.revision = cluster.revision;
  return { reply: { status: 200, body: secretShape(secret) }, effect: true, target: { revision: secret.revision } };
}

/** GET a workload; how far its rollout is follows from the time. */
export function workloadShape(world: World, item: ClusterWorkload): Record<string, unknown> {
  const passed = world.clock.nowMs - item.changedMs;
  const share = item.stuck ? 0 : Math.min(1, item.rolloutMs === 0 ? 1 : passed / item.rolloutMs);
  const updated = Math.floor(item.replicas * share);
  // The controller sees a change a moment after it was made.
  const observedGeneration = passed >= 1_000 || item.rolloutMs === 0 ? item.generation : item.generation - 1;
  const words =
    item.kind === "daemonset"
      ? { desiredNumberScheduled: item.replicas, updatedNumberScheduled: updated, numberAvailable: item.replicas }
      : { replicas: item.replicas, updatedReplicas: updated, availableReplicas: item.replicas };
  const conditions =
    item.stuck && passed > 600_000
      ? [{ type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded" }]
      : [];
  return {
    kind: { deployment: "Deployment", statefulset: "StatefulSet", daemonset: "DaemonSet" }[item.kind],
    apiVersion: "apps/v1",
    metadata: {
      name: item.name,
      namespace: item.namespace,
      uid: item.uid,
      generation: item.generation,
      resourceVersion: String(item.revision),
    },
    spec: {
      ...(item.kind === "daemonset" ? {} : { replicas: item.replicas }),
      template: { metadata: { annotations: item.template } },
    },
    status: { observedGeneration, ...words, conditions },
  };
}

/** PATCH of a workload's template: another one begins a rollout, the same one does nothing. */
export function patchWorkload(world: World, cluster: Cluster, item: ClusterWorkload, body: unknown): Outcome {
  const wish = WorkloadPatch.safeParse(body);
  if (!wish.success) return refuseCluster(422, "Deployment is invalid");
  const next = merge(item.template, wish.data.spec.template.metadata.annotations ?? {});
  const changed = JSON.stringify(next) !== JSON.stringify(item.template);
  if (changed) {
    Object.assign(item, {
      template: next,
      held: heldBy(world, item),
      next: { ...secretOf(cluster, item.namespace, item.secret)?.data },
      changedMs: world.clock.nowMs,
      generation: item.generation + 1,
    });
    cluster.revision += 1;
    item.revision = cluster.revision;
  }
  return {
    reply: { status: 200, body: workloadShape(world, item) },
    effect: changed,
    target: { generation: item.generation },
  };
}

/** What the pods hold now: those of before serve until the rollout is through. */
export function heldBy(world: World, item: ClusterWorkload): Record<string, string> {
  return !item.stuck && world.clock.nowMs - item.changedMs >= item.rolloutMs ? item.next : item.held;
}

export function secretOf(cluster: Cluster, namespace: string, name: string): ClusterSecret | undefined {
  return cluster.secrets.find((item) => item.namespace === namespace && item.name === name);
}

function merge(before: Metadata, change: Record<string, string | null>): Metadata {
  const next = { ...before };
  for (const [key, text] of Object.entries(change)) {
    if (text === null) delete next[key];
    else next[key] = text;
  }
  return next;
}
