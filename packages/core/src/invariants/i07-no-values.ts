import type { Invariant, RunHistory } from "./history.ts";
import { eachRun } from "./reading.ts";

/** How the text of an Entra client secret looks: three characters, a version, `Q~`, and 31 to 34 more. */
const clientSecret = /(?<![A-Za-z0-9~_.-])[A-Za-z0-9~_.-]{3}[78]Q~[A-Za-z0-9~_.-]{31,34}(?![A-Za-z0-9~_.-])/;
/** A value shorter than this stands in any text by chance. */
const charsMin = 8;

/** I7: no secret value where it does not belong. */
export const noValues: Invariant = {
  id: "I7",
  says: "A secret value exists only in the executor's memory, the system of record and the consumer; never in our database, logs, errors, evidence, notifications or browser.",
  kept: [
    "packages/core/src/secret-value.ts",
    "packages/connectors/src/kit (redaction, no bodies in errors)",
    "packages/engine/src/execution/context.ts (HeldValues)",
  ],
  checked: [
    "journal and log: no text has the form of an Entra client secret",
    "outside (tests): no value that was ever stored stands in journal or log, in six encodings; the crash suite searches every table, the write-ahead log, all output, state and bundles as well",
  ],
  unseen: ["Memory: we do not claim that it is wiped. What a proxy or an outside system logs of our requests."],
  remedy:
    "Treat the value as compromised: start an emergency revocation for that application. Then find out which text it stood in, and erase it there and in backups.",
  check: eachRun("I7", (run, must, history) => {
    const text = textOf(run);
    must(!clientSecret.test(text), () => "expected no text of the form of a client secret in journal and log, got one");
    for (const value of history.outside?.values ?? []) {
      if (value.length < charsMin) continue;
      must(
        !text.includes(JSON.stringify(value).slice(1, -1)),
        () => "expected no stored value in journal and log, got one",
      );
    }
  }),
};

function textOf({ steps, entries }: RunHistory): string {
  return JSON.stringify([
    steps.map(({ intent, objectIds, facts }) => [intent, objectIds, facts]),
    entries.map(({ entry }) => entry.data),
  ]);
}
