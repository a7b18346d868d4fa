import type { Close, Plan } from "@countersign/contract";
import {
  CLOSE_ASKERS,
  CLOSE_CONFIRMER,
  digestOf,
  type Entry,
  type EntryData,
  openClose,
  parsePlan,
  remainsOf,
} from "@countersign/evidence";
import type { ApiStore, KnownPerson, RunRecord } from "../ports.ts";
import { readEntries } from "./entries.ts";
import { reasonText } from "./reason.ts";
import { iso } from "./time.ts";

type Turn = Close["you"]["ask"];

/** As many entries as a run can have. */
const entriesMax = 10_000;

const no = (why: string): Turn => ({ allowed: false, why, roles: [] });

/** What a held run would leave outside, what was said about that, and what this person may say; null: not held. */
export async function closingOf(
  store: ApiStore,
  run: RunRecord,
  plan: Plan | null,
  person: KnownPerson,
  now: number,
): Promise<Close | null> {
  const text = run.planDigest === null ? null : await store.plan(run.planDigest);
  if (run.state !== "held" || plan === null || text === null) return null;
  const encoder = new TextEncoder();
  const stored = await store.runEntries(run.id, 0, entriesMax);
  // Checked when they were appended; the executor makes the list again from what it has parsed itself.
  const entries = readEntries(stored).map((entry, index) => ({ entry: entry as unknown as Entry, index, leaf: "" }));
  const remains = remainsOf({ id: run.id, entries }, parsePlan(encoder.encode(text)));
  const words = await store.closeWords(run.id);
  const wordOf = (data: EntryData<"close.asked"> | undefined) =>
    words.find(({ statementDigest }) => statementDigest === data?.statementDigest);
  const open = openClose({ entries });
  const asked = wordOf(open.asked);
  const confirmed = wordOf(open.confirmed);
  const said = async (word: typeof asked): Promise<Close["asked"]> =>
    word === undefined
      ? null
      : {
          person: word.person,
          role: word.role,
          at: iso(word.at),
          reason: await reasonText(store, word.reasonDigest),
        };
  return {
    remains: { digest: digestOf(remains), text: new TextDecoder().decode(remains) },
    asked: await said(asked),
    confirmed: await said(confirmed),
    you: { ask: mayAsk(plan, person), confirm: mayConfirm(plan, asked, confirmed, person, now) },
  };
}

function levelOf(plan: Plan): Turn | null {
  const { minLevel } = plan.approvals;
  return minLevel === "session" ? null : no(`The policy asks for words at level ${minLevel}.`);
}

function mayAsk(plan: Plan, person: KnownPerson): Turn {
  const roles = person.roles.filter(
    (role) => CLOSE_ASKERS.includes(role) && (role !== "app-owner" || plan.baseline.owners.includes(person.person)),
  );
  if (roles.length === 0) return no("Only an owner of the application, platform or security may ask for it.");
  return levelOf(plan) ?? { allowed: true, why: null, roles };
}

function mayConfirm(
  plan: Plan,
  asked: { readonly person: string; readonly expiresAt: number } | undefined,
  confirmed: unknown,
  person: KnownPerson,
  now: number,
): Turn {
  if (asked === undefined) return no("Nobody has asked to close it as it stands.");
  if (confirmed !== undefined) return no("It was confirmed already.");
  if (now >= asked.expiresAt) return no("The time to confirm has passed: it must be asked for again.");
  if (asked.person === person.person) return no("You asked for it. A second person of security must confirm.");
  const roles = person.roles.filter((role) => role === CLOSE_CONFIRMER);
  if (roles.length === 0) return no("Only security may confirm it.");
  return levelOf(plan) ?? { allowed: true, why: null, roles };
}
