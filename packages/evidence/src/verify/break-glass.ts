import { type BundleFiles, statementFile } from "../bundle/layout.ts";
import { digestHex } from "../digest.ts";
import type { PlanFacts } from "../plan.ts";
import { firstOf, ofType, type PlacedEntry, type RunView } from "../run-view.ts";
import type { VerifiedApproval } from "../statement.ts";
import type { RunState } from "../states.ts";
import type { Trust, TrustedPerson } from "../trust.ts";
import { LEVEL_RANK, type ProvenAuthorisation, type ProvenGrant, proveWord } from "./approvals.ts";
import type { ReadEntry } from "./log.ts";
import { prove } from "./report.ts";
import { retireCalls } from "./retire.ts";
import type { ProvenCall } from "./steps.ts";

type Word = VerifiedApproval & { readonly person: TrustedPerson };

/** A break-glass use: who started alone, who confirmed it, who reviewed it. */
export interface ProvenUse {
  readonly granted: ProvenGrant;
  readonly confirmed: (Word & { readonly given: PlacedEntry<"breakglass.confirmed"> }) | undefined;
  /** In the order of the log; the last word counts. */
  readonly reviewed: readonly (Word & { readonly given: PlacedEntry<"breakglass.reviewed"> })[];
}

/** Every word of a use that could be proven. */
export function wordsOf({ granted, confirmed, reviewed }: ProvenUse): VerifiedApproval[] {
  return [granted, ...(confirmed === undefined ? [] : [confirmed]), ...reviewed];
}

/**
 * Every word on a break-glass use is what its person signed about this plan: the grant by somebody whom the plan lets
 * start alone, with a reason and a short life; confirmation and review by somebody else. Undefined: nobody broke the glass.
 */
export function checkUse(
  files: BundleFiles,
  run: RunView,
  plan: PlanFacts | undefined,
  context: readonly ReadEntry[],
  erased: ReadonlyMap<string, string>,
  trust: Trust,
): ProvenUse | undefined {
  const grants = ofType(run, "breakglass.granted");
  const confirmations = ofType(run, "breakglass.confirmed");
  const reviews = context.filter(
    (placed): placed is ReadEntry & PlacedEntry<"breakglass.reviewed"> => placed.entry.type === "breakglass.reviewed",
  );
  prove(grants.length <= 1 && confirmations.length <= 1, "expected one break-glass grant and one confirmation at most");
  const [grant] = grants;
  if (grant === undefined) {
    prove(confirmations.length === 0, "expected no confirmation without a break-glass grant");
    return undefined;
  }
  const terms = plan?.breakGlass;
  prove(plan !== undefined && terms !== null && terms !== undefined, "expected a plan that allows break-glass");
  const word = (
    given: PlacedEntry<"breakglass.granted" | "breakglass.confirmed" | "breakglass.reviewed">,
    decision: Parameters<typeof proveWord>[3]["decision"],
    allowed: typeof terms.grant,
  ): Word | undefined => {
    const { data, at } = given.entry;
    // An erased statement proves nothing any more; what needs it is refused where it is needed.
    if (!files.has(statementFile(digestHex(data.statementDigest))) && erased.has(data.statementDigest))
      return undefined;
    const { expiresAfterSeconds } = decision === "break-glass" ? terms : plan.approvals;
    const said = { data, at, index: given.index, decision, expiresAfterSeconds };
    const proven = proveWord(files, run, plan, said, trust);
    const named = allowed.some(({ role, people }) => role === data.role && people.includes(data.person));
    prove(named, `expected ${data.person} as ${data.role} to be one whom the plan names for ${decision}`);
    const high = LEVEL_RANK[data.level] >= LEVEL_RANK[terms.minLevel];
    prove(high, `expected ${decision} at level ${terms.minLevel} or above, got ${data.level}`);
    return proven;
  };
  const granter = grant.entry.data.person;
  const granted = word(grant, "break-glass", terms.grant);
  prove(granted !== undefined, "expected the statement of the break-glass grant, but it was erased");
  prove(granted.statement.reasonDigest !== null, "expected a break-glass grant with a reason");
  prove(
    !(plan.prod && granted.level === "session"),
    "expected a break-glass grant in prod signed by the person, got one attested by the server",
  );

  const [confirmation] = confirmations;
  let confirmed: ProvenUse["confirmed"];
  if (confirmation !== undefined) {
    prove(confirmation.entry.data.person !== granter, "expected a second person to confirm the break-glass use");
    prove(confirmation.index > grant.index, "expected the confirmation after the grant");
    const proven = word(confirmation, "confirm", terms.confirm);
    if (proven !== undefined) confirmed = { ...proven, given: confirmation };
  }
  const reviewed = reviews.flatMap((given) => {
    const { person, result } = given.entry.data;
    prove(person !== granter, "expected somebody else than the granter to review the break-glass use");
    prove(given.index > grant.index, "expected the review after the grant");
    const proven = word(given, result === "accepted" ? "accept" : "object", terms.confirm);
    return proven === undefined ? [] : [{ ...proven, given }];
  });
  const nonces = [granted, confirmed, ...reviewed].flatMap((w) => (w === undefined ? [] : [w.statement.nonce]));
  prove(new Set(nonces).size === nonces.length, "expected each word on a break-glass use with a nonce of its own");
  return { granted: { ...granted, given: grant }, confirmed, reviewed };
}

/**
 * What one person started alone was confirmed by a second one before anything was retired (in an emergency: before the
 * run was completed). Undefined: the run did not begin by break-glass.
 */
export function checkConfirmed(
  plan: PlanFacts | undefined,
  run: RunView,
  use: ProvenUse | undefined,
  authorisation: ProvenAuthorisation | undefined,
  calls: readonly ProvenCall[],
  state: RunState,
): true | undefined {
  if (authorisation?.authorised.entry.data.kind !== "break-glass") return undefined;
  const from = use?.confirmed?.given.index ?? Number.POSITIVE_INFINITY;
  if (plan?.emergency === null) {
    for (const { intent } of retireCalls(calls))
      prove(from < intent.index, "expected a second person's confirmation before anything was retired");
  }
  const end = ofType(run, "run.moved").at(-1)?.index ?? 0;
  prove(state !== "completed" || from < end, "expected a second person's confirmation behind a completed run");
  return true;
}

/** What to say aloud about a break-glass use. */
export function useFacts(run: RunView, use: ProvenUse | undefined): { code: string; sentence: string }[] {
  if (use === undefined) return [];
  const { granted, confirmed, reviewed } = use;
  const { person, role } = granted.given.entry.data;
  const began = firstOf(run, "run.authorised")?.entry.data.kind === "break-glass";
  const facts = [
    {
      code: "break-glass",
      sentence: `BREAK-GLASS: ${person} as ${role} ${began ? "started this run alone" : "was ready to start this run alone"} at ${granted.given.entry.at}.`,
    },
    {
      code: "break-glass-confirmed",
      sentence:
        confirmed === undefined
          ? "BREAK-GLASS: no second person has confirmed it."
          : `BREAK-GLASS: confirmed by ${confirmed.given.entry.data.person} at ${confirmed.given.entry.at}.`,
    },
  ];
  const last = reviewed.at(-1)?.given.entry;
  const sentence =
    last === undefined
      ? "BREAK-GLASS: nobody has reviewed it."
      : `BREAK-GLASS: reviewed by ${last.data.person} at ${last.at}: ${last.data.result}.`;
  return [...facts, { code: "break-glass-reviewed", sentence }];
}
