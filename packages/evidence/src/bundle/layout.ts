import { assertThat, show } from "../errors.ts";
import { LIMITS } from "../limits.ts";

/** A bundle in memory: file name to bytes. Everything in it is attacker-controlled. */
export type BundleFiles = ReadonlyMap<string, Uint8Array>;

/** The fixed names in a bundle. */
export const FILES = {
  readme: "README.txt",
  sums: "SHA256SUMS",
  plan: "plan.json",
  policy: "policy.yaml",
  runRecord: "run.dsse.json",
  checkpoint: "log/checkpoint",
  /** Only in the bundle of a population, which has neither of plan, policy and run record. */
  population: "population.json",
  frontier: "log/frontier",
} as const;

/** `entries/0007.json`: the run's entry with runSeq 7. */
export const entryFile = (seq: number): string => `entries/${pad(seq)}.json`;
/** Its inclusion proof. */
export const entryProofFile = (seq: number): string => `entries/${pad(seq)}.tlog-proof`;
/** `context/0000.json`: an entry of no run, in the order of the log. */
export const contextFile = (n: number): string => `context/${pad(n)}.json`;
/** Its inclusion proof. */
export const contextProofFile = (n: number): string => `context/${pad(n)}.tlog-proof`;
/** The statement with this digest (64 hex digits). */
export const statementFile = (hex: string): string => `approvals/${hex}.statement.json`;
/** The signed envelope around it. */
export const envelopeFile = (hex: string): string => `approvals/${hex}.dsse.json`;
/** The attachment with this digest. */
export const attachmentFile = (hex: string): string => `attachments/${hex}`;
/** `range/0000`: entries of the log, one after the other. */
export const rangeFile = (n: number): string => `range/${pad(n)}`;
/** Proof that the log of size m is a prefix of the log of size n. */
export const consistencyFile = (m: number, n: number): string => `log/consistency-${m}-${n}.txt`;
/** The signed checkpoint of size m that an approval or the authorisation names. */
export const anchorFile = (m: number): string => `anchors/checkpoint.${m}`;

function pad(n: number): string {
  return String(n).padStart(4, "0");
}

const SIZE = "[1-9][0-9]{0,15}";
const NAME = new RegExp(
  [
    "README\\.txt|SHA256SUMS|plan\\.json|policy\\.yaml|run\\.dsse\\.json|population\\.json|log/checkpoint|log/frontier",
    "range/[0-9]{4}",
    `log/consistency-${SIZE}-${SIZE}\\.txt`,
    `anchors/checkpoint\\.${SIZE}`,
    "(entries|context)/[0-9]{4}\\.(json|tlog-proof)",
    "approvals/[0-9a-f]{64}\\.(statement|dsse)\\.json",
    "attachments/[0-9a-f]{64}",
  ]
    .map((part) => `^(${part})$`)
    .join("|"),
);

/** Refuses a name no bundle has: nothing else is ever opened, unpacked or listed. */
export function checkName(name: string): string {
  assertThat(NAME.test(name), "bad-bundle", `expected a file that a bundle has, got ${show(name)}`);
  return name;
}

/** The most bytes a file of this name may have. */
export function bytesMaxOf(name: string): number {
  if (name === FILES.plan) return LIMITS.planBytesMax;
  if (name === FILES.policy) return LIMITS.policyBytesMax;
  if (name === FILES.population) return LIMITS.populationBytesMax;
  if (name.startsWith("range/")) return LIMITS.envelopeBytesMax;
  if (name === FILES.runRecord || name === FILES.sums) return LIMITS.envelopeBytesMax;
  if (name.startsWith("attachments/")) return LIMITS.attachmentBytesMax;
  return LIMITS.entryBytesMax;
}

/** The bytes of one file; throws `bad-bundle` if the bundle lacks it. */
export function fileOf(files: BundleFiles, name: string): Uint8Array {
  const bytes = files.get(name);
  assertThat(bytes !== undefined, "bad-bundle", `expected file ${name}, got nothing`);
  return bytes;
}
