import { type Consumer, type InventoryRow, procedureNamed } from "../../src/index.ts";
import { consumersByKind, samples, settings, withDigest, withSecurity, worldOf } from "../plan/samples.ts";
import type { Case } from "./prove.ts";

/** Rows of a procedure that differ in what could break an order: none, one, all, many and confusable consumers. */
export function casesOf(procedure: string): readonly Case[] {
  const asked = asks[procedure];
  const row = samples.find((sample) => sample.procedure === (asked === undefined ? procedure : "entra-client-secret"));
  if (row === undefined) throw new Error(`expected a sample row for ${procedure} in plan/samples.ts, got none`);
  const kinds = procedureNamed(procedure).shape.flatMap((line) => (line.id === "confirm" ? (line.each ?? []) : []));
  const confusable = kinds.flatMap((kind) =>
    ["Batch Job", "batch-job", "バッチ", "请求"].map((name) => named(kind, name)),
  );
  const long = kinds.flatMap((kind) => ["a", "b"].map((end) => named(kind, `${"x".repeat(80)}${end}`)));
  const many = Array.from({ length: 99 }, (_, n) => named(kinds[n % kinds.length] ?? "latest", `consumer ${n}`));
  const lists: [string, readonly Consumer[]][] = [
    ["no consumer", []],
    ["every kind of consumer", kinds.map((kind) => consumersByKind[kind])],
    ["every kind in reverse", kinds.map((kind) => consumersByKind[kind]).toReversed()],
    ...kinds.map((kind): [string, readonly Consumer[]] => [`only ${kind}`, [consumersByKind[kind]]]),
    ["names that look alike", confusable],
    ["names alike up to their end", long],
    ["many consumers", many],
  ];
  return lists.map(([name, consumers]) => {
    const made = caseOf(name, { ...row, consumers });
    return asked === undefined ? made : { name, input: asked(made.input) };
  });
}

/** A consumer of that kind with a name and a place of its own. */
function named(kind: Consumer["kind"], name: string): Consumer {
  const consumer = { ...consumersByKind[kind], name: `${name} ${kind}` };
  const place = encodeURIComponent(`${name}.${kind}`).slice(-60);
  switch (consumer.kind) {
    case "copied":
      return { ...consumer, entry: place };
    case "pinned":
    case "connection-file":
      return { ...consumer, path: place };
    case "devops-variable":
      return { ...consumer, variable: place };
    case "app-setting":
    case "app-reference":
      return { ...consumer, site: place };
    case "github-secret":
      return { ...consumer, deployment: place };
    case "kubernetes-secret":
      return { ...consumer, namespace: place };
    case "rest":
      return { ...consumer, entry: place };
    default:
      return consumer;
  }
}

/** The same for a compromised secret, taking over a run that had made another one. */
export function inEmergency(input: Case["input"]): Case["input"] {
  const supersedes = { run: "run_01k9yyyyyy0123456789abcdef", state: "held", made: ["made-by-the-other-run"] } as const;
  const emergency = { containWithinSeconds: 3_600, restoreWithinSeconds: 14_400 };
  return {
    ...input,
    settings: { ...input.settings, overlapSeconds: 0, emergency },
    urgent: { compromised: null, supersedes },
  };
}

/** The same for a secret that somebody else made, which was used from two addresses beside the record's. */
function withNamed(input: Case["input"]): Case["input"] {
  const named = "22222222-foreign";
  const use = (credential: string, address: string | null, at: number) => ({ credential, address, at });
  const uses = [
    use("11111111-old", "192.0.2.7", 9_000),
    use(named, "198.51.100.20", 1_000),
    use(named, "198.51.100.9", 2_000),
    use(named, "198.51.100.20", 500),
    use(named, null, 3_000),
  ];
  return { ...input, named, settings: withSecurity, world: { ...input.world, uses } };
}

/** Procedures over the rows of another one, and how they are asked for. */
const asks: Readonly<Record<string, (input: Case["input"]) => Case["input"]>> = {
  "emergency-revoke": inEmergency,
  "entra-replace-foreign": withNamed,
};

function caseOf(name: string, row: InventoryRow): Case {
  const { rowDigest: _old, ...rest } = row;
  const fresh = withDigest(rest as Omit<InventoryRow, "rowDigest">) as InventoryRow;
  return { name, input: { row: fresh, world: worldOf(fresh), settings } };
}
