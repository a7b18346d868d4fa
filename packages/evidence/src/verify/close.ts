import { type BundleFiles, statementFile } from "../bundle/layout.ts";
import { digestHex, digestOf } from "../digest.ts";
import type { PlanFacts } from "../plan.ts";
import { remainsOf } from "../remains.ts";
import { ofType, type PlacedEntry, type RunView } from "../run-view.ts";
import type { VerifiedApproval } from "../statement.ts";
import type { RunState } from "../states.ts";
import type { Trust, TrustedPerson } from "../trust.ts";
import { LEVEL_RANK, proveWord } from "./approvals.ts";
import { prove } from "./report.ts";

/** Who may ask that a held run is closed as it stands. */
export const CLOSE_ASKERS: readonly string[] = ["app-owner", "platform", "security"];
/** In which role a second person confirms that. */
export const CLOSE_CONFIRMER = "security";

/** A word about closing a held run as it stands. */
export interface ProvenClose extends VerifiedApproval {
  readonly given: PlacedEntry<"close.asked" | "close.confirmed">;
  readonly person: TrustedPerson;
}

/**
 * Every word about closing this run is what its person signed, about its plan and about what remains: the list that the
 * entries before it give. Erased statements are left out; what needs them is refused there.
 */
export function checkCloses(
  files: BundleFiles,
  run: RunView,
  plan: PlanFacts | undefined,
  erased: ReadonlyMap<string, string>,
  trust: Trust,
): ProvenClose[] {
  const words = run.entries.filter(
    (placed): placed is PlacedEntry<"close.asked" | "close.confirmed"> =>
      placed.entry.type === "close.asked" || placed.entry.type === "close.confirmed",
  );
  if (words.length === 0) return [];
  prove(plan !== undefined, "expected a close only of a run with a plan");
  const proven = words.flatMap((given): ProvenClose[] => {
    const { data, at, type } = given.entry;
    if (!files.has(statementFile(digestHex(data.statementDigest))) && erased.has(data.statementDigest)) return [];
    const asks = type === "close.asked";
    const allowed = asks ? CLOSE_ASKERS : [CLOSE_CONFIRMER];
    prove(allowed.includes(data.role), `expected ${type} as ${allowed.join(" or ")}, got ${data.role}`);
    const owns = data.role !== "app-owner" || plan.baseline.owners.includes(data.person);
    prove(owns, `expected an owner of the application to ask as app-owner, got ${data.person}`);
    const high = LEVEL_RANK[data.level] >= LEVEL_RANK[plan.approvals.minLevel];
    prove(high, `expected ${type} at level ${plan.approvals.minLevel} or above, got ${data.level}`);
    const decision = asks ? "close" : "close-confirm";
    const { expiresAfterSeconds } = plan.approvals;
    const said = { data, at, index: given.index, decision, expiresAfterSeconds, remains: data.remainsDigest } as const;
    const word = proveWord(files, run, plan, said, trust);
    prove(!asks || word.statement.reasonDigest !== null, "expected a reason for closing the run as it stands");
    const before = run.entries.filter(({ index }) => index < given.index);
    const found = digestOf(remainsOf({ id: run.id, entries: before }, plan));
    prove(data.remainsDigest === found, `expected ${type} to list what the entries say remains, ${found}`);
    return [{ ...word, given }];
  });
  const nonces = proven.map(({ statement }) => statement.nonce);
  prove(new Set(nonces).size === nonces.length, "expected each word about closing with a nonce of its own");
  return proven;
}

/**
 * A run that was left as it is was held, one person asked for it and another one of security confirmed the same list of
 * what remains, unexpired, and nothing was begun or moved in between. Undefined: the run was not left so.
 */
export function checkLeft(run: RunView, words: readonly ProvenClose[], state: RunState): true | undefined {
  if (state !== "left_as_is") return undefined;
  const moves = ofType(run, "run.moved");
  const end = moves.at(-1);
  prove(end !== undefined, "expected a move behind the state");
  const since = moves.at(-2)?.index ?? 0;
  const confirmed = words.findLast(({ given }) => given.entry.type === "close.confirmed");
  prove(
    confirmed !== undefined && confirmed.given.index > since,
    "expected a second person's word since the run was held, got none that can be proven",
  );
  const asked = words.findLast(
    ({ given }) => given.entry.type === "close.asked" && given.index < confirmed.given.index,
  );
  prove(
    asked !== undefined && asked.given.index > since,
    "expected somebody to ask for it since the run was held, got nobody who can be proven",
  );
  const [first, second] = [asked.given.entry.data, confirmed.given.entry.data];
  prove(first.person !== second.person, "expected a second person to confirm the close, got the first one again");
  prove(first.remainsDigest === second.remainsDigest, "expected both to sign the same list of what remains");
  for (const { statement, given } of [asked, confirmed])
    prove(
      Date.parse(statement.expiresAt) > Date.parse(end.entry.at),
      `expected ${given.entry.type} to be unexpired at ${end.entry.at}`,
    );
  for (const { entry, index } of run.entries) {
    if (index < asked.given.index || index > end.index) continue;
    const begun = entry.type === "step.intent" || (entry.type === "step.outcome" && entry.data.outcome !== "unknown");
    prove(!begun, `expected nothing done after the close was asked for, got entry ${entry.runSeq}`);
  }
  return true;
}
