import { z } from "zod";

const metadata = { uid: z.string().min(1).max(64), resourceVersion: z.string().min(1).max(64) };
const map = z.record(z.string(), z.string()).nullish();

/** Only the members that are needed (Kubernetes API, core v1 and apps v1). */
export const Namespace = z.object({ metadata: z.object({ uid: metadata.uid }) });
export const Secret = z.object({
  metadata: z.object({
    ...metadata,
    labels: map,
    annotations: map,
    ownerReferences: z.array(z.object({ kind: z.string().max(200) })).nullish(),
  }),
  data: map,
  immutable: z.boolean().nullish(),
});
export type Secret = z.infer<typeof Secret>;

const count = z.int().min(0).nullish();
export const Workload = z.object({
  metadata: z.object({ ...metadata, generation: z.int() }),
  spec: z.object({
    replicas: count,
    template: z.object({ metadata: z.object({ annotations: map }).nullish() }),
  }),
  status: z.object({
    observedGeneration: z.int().nullish(),
    replicas: count,
    updatedReplicas: count,
    availableReplicas: count,
    desiredNumberScheduled: count,
    updatedNumberScheduled: count,
    numberAvailable: count,
    conditions: z.array(z.object({ type: z.string(), status: z.string(), reason: z.string().nullish() })).nullish(),
  }),
});
export type Workload = z.infer<typeof Workload>;

/** How the API server refuses. */
export const Status = z.object({ kind: z.literal("Status"), reason: z.string() });
