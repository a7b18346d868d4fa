import { digestOf } from "../digest.ts";
import { type Entry, parseEntry } from "../entry.ts";
import { firstOf, ofType, policyDigestOf, type RunView, requestOf } from "../run-view.ts";
import { type ApprovalStatement, parseStatement } from "../statement.ts";

/** Which files a run's entries (and the statements they name) demand in its bundle. */
export interface BundleNeeds {
  /** Digest of plan.json; undefined: the bundle has none. */
  readonly plan: string | undefined;
  /** Digest of policy.yaml, and of the policy.activated in the context; undefined: the bundle has neither. */
  readonly policy: string | undefined;
  /** Digests of the statements named by approval.given and by the words on a break-glass use or a close. */
  readonly statements: readonly string[];
  /** Digests of the reasons of the request and of the statements at hand, and of what remains of a closed run. */
  readonly attachments: ReadonlySet<string>;
  /** Log sizes whose signed checkpoints are named by the statements at hand and by run.authorised. */
  readonly anchors: ReadonlySet<number>;
}

/**
 * What a run needs, given its entries as bytes in order, the statements that are not erased and the entries of no run
 * that review it. For exporters.
 */
export function bundleNeeds(
  entries: readonly Uint8Array[],
  statements: readonly Uint8Array[],
  context: readonly Uint8Array[] = [],
): BundleNeeds {
  const parsed: Entry[] = entries.map(parseEntry);
  const run: RunView = {
    id: String(parsed[0]?.run),
    entries: parsed.map((entry, index) => ({ entry, index, leaf: "" })),
  };
  const known = new Map(statements.map((bytes) => [digestOf(bytes), parseStatement(bytes)]));
  return needsOf(run, known, context.map(parseEntry));
}

/** The same for a run already read, with the statements at hand by digest and the entries of no run. */
export function needsOf(
  run: RunView,
  statements: ReadonlyMap<string, ApprovalStatement>,
  context: readonly Entry[],
): BundleNeeds {
  const closing = [...ofType(run, "close.asked"), ...ofType(run, "close.confirmed")];
  const words = [
    ...ofType(run, "approval.given"),
    ...ofType(run, "breakglass.granted"),
    ...ofType(run, "breakglass.confirmed"),
    ...closing,
  ].map(({ entry }) => entry.data.statementDigest);
  const reviews = context.flatMap((entry) =>
    entry.type === "breakglass.reviewed" && entry.data.of === run.id ? [entry.data.statementDigest] : [],
  );
  const named = [...words, ...reviews];
  const atHand = named.map((d) => statements.get(d)).filter((s) => s !== undefined);
  const reasons = [requestOf(run).data.reasonDigest, ...atHand.map((s) => s.reasonDigest)];
  const remains = closing.map(({ entry }) => entry.data.remainsDigest);
  return {
    plan: firstOf(run, "plan.frozen")?.entry.data.planDigest,
    policy: policyDigestOf(run),
    statements: named,
    attachments: new Set([...reasons.filter((d) => d !== null), ...remains]),
    anchors: new Set([
      ...atHand.map((s) => s.checkpoint.size),
      ...ofType(run, "run.authorised").map(({ entry }) => entry.data.checkpoint.size),
    ]),
  };
}
