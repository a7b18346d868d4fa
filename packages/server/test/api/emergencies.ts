import type { MemoryStore } from "./memory-store.ts";
import { addRun, entraRow, now, oldKey, people, runId, stepDone } from "./world.ts";

const [ada, ben, cleo] = people.map((person) => person.person) as [string, string, string];
const minute = 60_000;

/** Runs of three emergencies: one waits for a decision, one was started alone and not confirmed, one was objected to. */
export const emergencies = {
  waiting: { run: runId("e"), application: "service-013" },
  alone: { run: runId("f"), application: "service-014" },
  objected: { run: runId("g"), application: "service-016" },
} as const;

const reason = "The secret stood in a public repository since noon.";
const aloneBecause = "Nobody of security answers, and it is used already.";

/** Puts the emergencies into a store as the executor and the people would have. */
export async function seedEmergencies(store: MemoryStore): Promise<void> {
  const { waiting, alone, objected } = emergencies;
  addRun(store, waiting.run, rowOf(waiting), ada, now - 2 * minute, reason, oldKey);
  addRun(store, alone.run, rowOf(alone), ada, now - 40 * minute, reason, oldKey);
  await say(store, alone.run, ben, "platform", "break-glass", now - 35 * minute, aloneBecause);
  cut(store, alone.run, now - 34 * minute);

  addRun(store, objected.run, rowOf(objected), ada, now - 400 * minute, reason, oldKey);
  await say(store, objected.run, ben, "platform", "break-glass", now - 380 * minute, aloneBecause);
  cut(store, objected.run, now - 379 * minute);
  await say(store, objected.run, ada, "app-owner", "confirm", now - 370 * minute);
  for (const name of ["checkout-web", "nightly-batch", "partner-export"])
    stepDone(store, objected.run, `confirm:${name}`, "consumer.confirm@1", "consumer.look", now - 365 * minute);
  store.move(objected.run, "completed", now - 360 * minute);
  await say(store, objected.run, cleo, "security", "object", now - 300 * minute, "Security was on duty.");
}

const rowOf = ({ application }: { readonly application: string }) =>
  entraRow(application, Number(application.slice(-3)));

type Word = Parameters<MemoryStore["sayOnUse"]>[0]["word"];

async function say(
  store: MemoryStore,
  run: string,
  person: string,
  role: string,
  word: Word,
  at: number,
  because?: string,
): Promise<void> {
  await store.sayOnUse({
    run,
    planDigest: store.records.get(run)?.planDigest ?? "",
    person,
    role,
    word,
    level: "session",
    statement: new TextEncoder().encode(`${run} ${word} by ${person}`),
    envelope: new TextEncoder().encode(`${run} ${word} signed`),
    reason: because === undefined ? null : store.reasonOf(because),
    notBefore: at,
    at,
  });
}

/** From the start to the cut; one consumer could not be written. */
function cut(store: MemoryStore, run: string, from: number): void {
  store.append(from, "run.authorised", { by: "break-glass" }, run);
  store.move(run, "executing", from, { notBefore: null });
  stepDone(store, run, "create", "entra.add-password@1", "application.addPassword", from + 2_000);
  stepDone(store, run, "prove", "entra.prove@1", "token.request", from + 60_000);
  stepDone(store, run, "store", "keyvault.write@1", "secret.set", from + 62_000);
  stepDone(store, run, "update:nightly-batch", "reference-file.point@1", "file.write", from + 63_000);
  stepDone(store, run, "update:partner-export", "keyvault.copy@1", "secret.set", from + 64_000, 1, "failed");
  store.move(run, "overlapping", from + 65_000);
  store.move(run, "retiring", from + 65_000, { notBefore: now + minute });
  stepDone(store, run, "revoke", "entra.remove-password@1", "application.removePassword", from + 66_000);
  stepDone(store, run, "refused", "entra.prove-refused@1", "token.prove-refused", from + 126_000);
}
