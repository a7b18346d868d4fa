import { z } from "zod";
import { connectionBase, secretReference } from "../kit/schema.ts";

/** Entry of a connection (without `kind`) of kind `kubernetes`: one cluster and the keys that may be written (I12). */
export const KubernetesConnection = z.strictObject({
  ...connectionBase,
  /** Address of the API server. */
  url: z.url(),
  /** A service account's token; read anew for each request, since it is changed while we run. */
  token: secretReference,
  /** The cluster's own authority as PEM; only it is trusted then. */
  ca: z
    .string()
    .max(100_000)
    .regex(/^-----BEGIN CERTIFICATE-----/, "expected certificates in PEM")
    .optional(),
  /** Patterns `namespace/secret/key`; `*` stands for any characters except `/`. */
  names: z.array(z.string().min(1).max(300)).min(1).max(200),
});
export type KubernetesConnection = z.infer<typeof KubernetesConnection>;

/** Where a key stands and what uses it, as plans name it. */
export const keyTarget = {
  namespace: z.string().min(1).max(63),
  entry: z.string().min(1).max(253),
  key: z.string().min(1).max(253),
  workloads: z
    .array(
      z
        .string()
        .max(270)
        .regex(/^(deployment|statefulset|daemonset)\/[a-z0-9.-]+$/),
    )
    .max(20),
  restart: z.boolean(),
};
