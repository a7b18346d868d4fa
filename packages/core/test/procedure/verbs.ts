import type { Facts } from "../../src/index.ts";

/**
 * What each verb does with the value and with the target, as its connector declares it (`Verb.value`, ports.ts). The
 * harness judges the order of a procedure by it; a procedure with a verb that is not here is not proven.
 */
export interface VerbTraits {
  /**
   * - yields: leaves the new value in the executor's memory only; a crash before `stores` loses it
   * - memory: needs that value
   * - stores: publishes it to the system of record
   * - record: reads it back from the system of record, by the version that `stores` made
   * - none: touches no value
   */
  readonly value: "yields" | "memory" | "stores" | "record" | "none";
  readonly effect: "change" | "look";
  /** The lock of the place that it writes, from the parameters alone. */
  readonly writes: "application" | ((params: Facts) => string) | null;
}

const entry = ({ connection, name }: Facts) => `entry:${String(connection)}/${String(name)}`;
const file = ({ connection, path }: Facts) => `file:${String(connection)}/${String(path)}`;
const github = ({ connection, repository, organization, deployment, entry: name }: Facts) =>
  `github:${[connection, repository ?? organization, deployment, name].filter((part) => part !== undefined).join("/")}`.toLowerCase();
const container = (...keys: readonly string[]) => {
  return (params: Facts) =>
    `container:${[params["connection"], ...keys.map((key) => params[key])].join("/").toLowerCase()}`;
};

export const verbs: { readonly [id: string]: VerbTraits } = {
  "entra.add-password@1": { value: "yields", effect: "change", writes: "application" },
  "entra.prove@1": { value: "memory", effect: "look", writes: null },
  "entra.prove-refused@1": { value: "none", effect: "look", writes: null },
  "entra.remove-password@1": { value: "none", effect: "change", writes: "application" },
  "postgres.set-password@1": { value: "yields", effect: "change", writes: "application" },
  "postgres.prove@1": { value: "memory", effect: "look", writes: null },
  "postgres.disable-role@1": { value: "none", effect: "change", writes: "application" },
  "keyvault.write@1": { value: "stores", effect: "change", writes: entry },
  "keyvault.copy@1": { value: "record", effect: "change", writes: entry },
  "reference-file.point@1": { value: "none", effect: "change", writes: file },
  "connection-file.write@1": { value: "record", effect: "change", writes: file },
  "devops.set-variable@1": { value: "record", effect: "change", writes: container("group") },
  "app-service.set-setting@1": { value: "record", effect: "change", writes: container("resourceGroup", "site") },
  "app-service.refresh-reference@1": { value: "none", effect: "change", writes: null },
  "github.put-secret@1": { value: "record", effect: "change", writes: github },
  "kubernetes.patch-secret@1": { value: "record", effect: "change", writes: container("namespace", "entry") },
  "rest.write@1": {
    value: "record",
    effect: "change",
    writes: ({ connection, entry: name }) => `rest:${String(connection)}/${String(name)}`,
  },
  "manual.ask@1": { value: "none", effect: "change", writes: null },
  "consumer.confirm@1": { value: "record", effect: "look", writes: null },
};
