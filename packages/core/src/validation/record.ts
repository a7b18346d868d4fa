import { kindOf } from "../consumer-kinds/index.ts";
import type { Consumer, InventoryRow } from "../inventory/row.ts";
import { type VerifyLevel, verifyLevels, type World, type WorldCredential } from "../ports/index.ts";
import { block, type Check, check, none, pass, startCheck, warn } from "./check.ts";
import { goingBack, isEmergency, namedCredential, oldCredential } from "./input.ts";

const isOver = (credential: WorldCredential | null, now: number) =>
  credential !== null && credential.expiresAt !== null && credential.expiresAt <= now;

/**
 * Whether looking at the consumer's target, or at who signs in, can ever show the level. Sessions of a database name the
 * role; the directory's sign-in log names addresses, so it needs declared callers.
 */
function canBeShown(consumer: Consumer, row: InventoryRow, world: World, wanted: VerifyLevel): boolean {
  const shows = world.consumers.find(({ name }) => name === consumer.name)?.shows ?? kindOf(consumer).shows;
  if (verifyLevels.indexOf(shows) >= verifyLevels.indexOf(wanted)) return true;
  return row.procedure === "postgres-role-password" || consumer.callers.length > 0;
}

/** Can the old value be put back, and does everybody hold it now? (I1, I8, M6) */
export const recordChecks: readonly Check[] = [
  startCheck("record-missing", "The system of record holds no value: there is nothing to go back to.", (input) => {
    const required = "a current version";
    if (input.world.record.version !== null) return pass("present", required);
    // Whoever uses the named one goes on using it, and nobody reads an empty record: a failed run holds with both valid.
    return namedCredential(input) === null ? block("empty", required) : warn("empty", required);
  }),
  startCheck(
    "record-unreadable",
    "The current value cannot be read back, so a rollback would be impossible.",
    (input) => {
      const { record } = input.world;
      if (record.version === null) return null;
      if (record.readable) return pass("readable", "readable");
      return isEmergency(input) ? warn("not readable", "readable") : block("not readable", "readable");
    },
  ),
  startCheck("record-value-refused", "The stored value must sign in now: it is what a rollback puts back.", (input) => {
    if (input.world.recordSignsIn === true) return pass("signs in", "signs in");
    if (input.world.recordSignsIn === null) return warn("not tried", "signs in");
    // An expired or known-dead value is the very reason to rotate; there is nothing that a rollback could save.
    const wanted =
      isOver(goingBack(input), input.now) ||
      isEmergency(input) ||
      (input.request.trigger === "manual" && input.request.force && input.request.reasonGiven);
    return wanted ? warn("refused", "signs in") : block("refused", "signs in");
  }),
  check(
    "which-key-unproven",
    "We cannot show which credential the record holds: rotated yes, retired automatically never.",
    (input) => {
      // A named credential goes by its own name; `rollback-minimum` says what is not known of the way back.
      if (namedCredential(input) !== null) return null;
      const { by, id } = input.world.binding;
      return by === "unproven" || id === null ? warn("unproven", "ours or hint") : pass(by, "ours or hint");
    },
  ),
  check("consumer-missing", "Every declared consumer must exist before anything happens.", ({ row, world }) =>
    none(
      "block",
      row.consumers
        .filter((consumer) => world.consumers.find((seen) => seen.name === consumer.name)?.exists !== true)
        .map((consumer) => consumer.name),
      "all declared consumers",
    ),
  ),
  startCheck(
    "consumer-not-writable",
    "A target that can never be changed, or that something else keeps as it is, is not written: the run would fail or be undone behind our back.",
    ({ world }) =>
      none(
        "block",
        world.consumers.flatMap(({ name, refused }) => (refused === undefined ? [] : [`${name} (${refused})`])),
        "targets that may be written",
      ),
  ),
  startCheck(
    "consumer-mismatch",
    "A consumer that does not hold what the record holds would be changed to a value it never had.",
    (input) => {
      const { row, world } = input;
      const seen = world.consumers.filter(
        (consumer) => consumer.exists && row.consumers.some((declared) => declared.name === consumer.name),
      );
      const wrong = seen.filter((consumer) => consumer.matchesRecord === false).map((consumer) => consumer.name);
      // A compromise is not left alive because a run that is taken over had written some consumers and others not.
      if (wrong.length > 0) return none(isEmergency(input) ? "warn" : "block", wrong, "what the record holds");
      return none(
        "warn",
        seen
          .filter((consumer) => consumer.matchesRecord === null)
          .map((consumer) => `${consumer.name} (cannot be read)`),
        "what the record holds",
      );
    },
  ),
  startCheck(
    "consumer-level-unreachable",
    "A consumer that can never be shown at the level policy asks for would keep the old credential waiting for ever. Declare its callers, or let policy ask for less.",
    ({ row, world, policy }) => {
      const wanted = policy.retire.consumerLevel;
      return none(
        "block",
        row.consumers.filter((consumer) => !canBeShown(consumer, row, world, wanted)).map((consumer) => consumer.name),
        `consumers that can be shown as ${wanted}`,
      );
    },
  ),
  startCheck(
    "role-in-use-unknown",
    "Which of the two roles is in use must be known: a guess could give it a new password, and every consumer would fail at once.",
    ({ row, world }) =>
      row.procedure !== "postgres-role-password"
        ? null
        : world.binding.id === null
          ? block("unknown", "one of the two roles")
          : pass(world.binding.id, "one of the two roles"),
  ),
  startCheck("foreign-live-credentials", "Other live credentials are listed and not touched.", (input) => {
    const { world, now } = input;
    return none(
      "warn",
      world.credentials
        .filter(
          (credential) =>
            credential.marker === null &&
            credential.id !== world.binding.id &&
            credential.id !== namedCredential(input) &&
            credential.kind !== "role" &&
            (credential.expiresAt ?? Number.POSITIVE_INFINITY) > now,
        )
        .map((credential) => credential.id),
      "no other live credentials",
    );
  }),
  startCheck(
    "credential-slots",
    "The application has no room for one more credential, and nothing is removed to make room.",
    ({ world }) => {
      const max = world.limits.credentialsMax;
      if (max === null) return null;
      const count = world.credentials.filter((credential) => credential.kind === "client-secret").length;
      return count + 1 > max
        ? block(`${count} of ${max}`, `at most ${max - 1}`)
        : pass(`${count} of ${max}`, `at most ${max - 1}`);
    },
  ),
  startCheck(
    "expired-already",
    "The credential has expired: consumers may be down, and there is nothing to go back to.",
    (input) =>
      isOver(oldCredential(input), input.now) ? warn("expired", "not expired") : pass("not expired", "not expired"),
  ),
];
