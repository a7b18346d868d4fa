import { z } from "zod";
import { nameField } from "../config/schema.ts";
import type { KubernetesSecretConsumer } from "../inventory/row.ts";
import type { ConsumerKind } from "./kind.ts";

const label = z.string().regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, "expected a namespace of a-z, 0-9 and dash");
const subdomain = z
  .string()
  .max(253)
  .regex(/^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/, "expected the name of a Secret");

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
  },
  connectionKind: "kubernetes",
  scopeName: ({ namespace, secret, key }) => `${namespace}/${secret}/${key}`,
  update: {
    verb: "kubernetes.patch-secret@1",
    undo: "Write the previous value, read from the system of record, into the key again",
    undoable: true,
    describe: ({ name, namespace, secret, key }) => `Write key ${key} of Secret ${namespace}/${secret} for ${name}`,
  },
  target: ({ namespace, secret, key }) => ({ namespace, entry: secret, key }),
  lockKey: ({ connection, namespace, secret }) => `container:${connection}/${namespace}/${secret}`.toLowerCase(),
  shows: "value-matched",
  previous: "record",
};
