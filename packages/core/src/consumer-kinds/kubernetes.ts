import { z } from "zod";
import { nameField } from "../config/schema.ts";
import type { KubernetesSecretConsumer } from "../inventory/row.ts";
import type { ConsumerKind } from "./kind.ts";

const label = z.string().regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, "expected a namespace of a-z, 0-9 and dash");
/** Parts of a DNS name, one by one: an expression over all of them at once could be made to backtrack. */
const isSubdomain = (text: string) =>
  text.length <= 253 && text.split(".").every((part) => /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(part));
const subdomain = z.string().refine(isSubdomain, { error: "expected the name of a Secret of a-z, 0-9, dash and dot" });
const workload = z.string().refine(
  (text) => {
    const [kind = "", name = "", ...rest] = text.split("/");
    return ["deployment", "statefulset", "daemonset"].includes(kind) && isSubdomain(name) && rest.length === 0;
  },
  { error: "expected deployment/<name>, statefulset/<name> or daemonset/<name>" },
);

/** One key of a Kubernetes Secret; its other keys belong to others and are kept. */
export const kubernetesSecret: ConsumerKind<KubernetesSecretConsumer> = {
  kind: "kubernetes-secret",
  fields: {
    connection: nameField,
    namespace: label,
    secret: subdomain,
    key: z
      .string()
      .regex(/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,253}$/, "expected a key of letters, digits, dot, dash and underscore"),
    /** What uses the Secret; its rollout is part of the verification. */
    workloads: z.array(workload).min(1).max(20).optional(),
    /** Restart them once the Secret was seen to hold the new value: what reads it as a variable has it only then. */
    restart: z.boolean().optional(),
  },
  problem: ({ workloads, restart }) =>
    restart === true && workloads === undefined ? "expected restart only with workloads, got it without" : null,
  connectionKind: "kubernetes",
  scopeName: ({ namespace, secret, key }) => `${namespace}/${secret}/${key}`,
  update: {
    verb: "kubernetes.patch-secret@1",
    undo: "Write the previous value, read from the system of record, into the key again, and restart again what was restarted",
    undoable: true,
    describe: ({ name, namespace, secret, key, workloads = [], restart = false }) =>
      `Write key ${key} of Secret ${namespace}/${secret} for ${name}${restart ? `, then restart ${workloads.join(", ")}` : ""}`,
  },
  target: ({ namespace, secret, key, workloads = [], restart = false }) => ({
    namespace,
    entry: secret,
    key,
    workloads: [...workloads],
    restart,
  }),
  lockKey: ({ connection, namespace, secret }) => `container:${connection}/${namespace}/${secret}`.toLowerCase(),
  shows: "value-matched",
  previous: "record",
};
