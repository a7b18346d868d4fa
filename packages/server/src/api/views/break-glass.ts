import { type BreakGlass, closedStates, type Plan } from "@countersign/contract";
import type { ApiStore, KnownPerson, RunRecord, StoredUse } from "../ports.ts";
import { reasonText } from "./reason.ts";
import { iso } from "./time.ts";

type Turns = BreakGlass["you"];
type Turn = Turns["grant"];
type Allowed = NonNullable<Plan["breakGlass"]>["grant"];

const no = (why: string): Turn => ({ allowed: false, why, roles: [] });

/** What this person may say on a break-glass use of this run now, and if not, why. */
export function turnsOf(
  run: RunRecord,
  plan: Plan | null,
  use: StoredUse | null,
  person: KnownPerson,
  now: number,
): Turns {
  const terms = plan?.breakGlass;
  if (terms === undefined) {
    const nobody = no("Policy lets nobody start this run alone.");
    return { grant: nobody, confirm: nobody, review: nobody };
  }
  if (terms.minLevel !== "session") {
    const level = no(`The policy asks for words at level ${terms.minLevel}.`);
    return { grant: level, confirm: level, review: level };
  }
  const named = (allowed: Allowed, otherwise: string): Turn => {
    const items = allowed.filter(({ role, people }) => person.roles.includes(role) && people.includes(person.person));
    return items.length === 0 ? no(otherwise) : { allowed: true, why: null, roles: items.map(({ role }) => role) };
  };
  const second = (): Turn => {
    if (use === null) return no("Nobody has started this run alone.");
    if (use.person === person.person)
      return no("You started this run alone. Somebody else must confirm and review it.");
    return named(terms.confirm, "The plan does not name you among those who confirm and review.");
  };
  const over = run.approvalExpiresAt !== null && now >= run.approvalExpiresAt;
  return {
    grant:
      run.state !== "awaiting_approval"
        ? no("The run does not wait for approval.")
        : over
          ? no("The time to approve has passed.")
          : named(terms.grant, "The plan does not name you among those who may start it alone."),
    confirm:
      use !== null && use.confirmed !== null
        ? no("A second person has confirmed it already.")
        : closedStates.has(run.state)
          ? no("The run has ended.")
          : second(),
    review:
      use?.reviews.some(({ result }) => result === "accepted") === true ? no("It was reviewed already.") : second(),
  };
}

/** Whether one person may start, or has started, this run alone; null where policy lets nobody. */
export async function breakGlassView(
  store: ApiStore,
  run: RunRecord,
  plan: Plan | null,
  person: KnownPerson,
  now: number,
): Promise<BreakGlass | null> {
  const terms = plan?.breakGlass;
  if (plan === null || terms === undefined) return null;
  const use = await store.breakGlass(run.id);
  const word = async (said: Pick<StoredUse, "person" | "role" | "at" | "reasonDigest">) => ({
    person: said.person,
    role: said.role,
    at: iso(said.at),
    reason: await reasonText(store, said.reasonDigest),
  });
  const { confirmWithinSeconds, reviewWithinSeconds, unconfirmed } = terms;
  return {
    terms: { confirmWithinSeconds, reviewWithinSeconds, unconfirmed },
    use:
      use === null
        ? null
        : {
            granted: await word(use),
            confirmUntil: iso(use.confirmUntil),
            confirmed: use.confirmed === null ? null : await word(use.confirmed),
            reviewUntil: iso(use.reviewUntil),
            reviews: await Promise.all(
              use.reviews.map(async (review) => ({ ...(await word(review)), result: review.result })),
            ),
          },
    you: turnsOf(run, plan, use, person, now),
  };
}
