import type { WorldCredential } from "../ports/index.ts";
import { formatDuration } from "../time/duration.ts";
import { formatInstant } from "../time/instant.ts";
import { freezeAt, nextOpening } from "../time/windows.ts";
import { block, type Check, check, pass, startCheck, warn } from "./check.ts";
import { goingBack, isEmergency, type Known, namedCredential, oldCredential } from "./input.ts";
import { lifetimeSeconds, overlapFloorSeconds, overlapSeconds } from "./settings.ts";

/** How far ahead a window is looked for when nothing expires. */
const horizonMs = 400 * 86_400_000;

const secondsLeft = (credential: WorldCredential | null, now: number) =>
  credential === null || credential.expiresAt === null ? null : Math.floor((credential.expiresAt - now) / 1_000);

const remainingSeconds = (input: Known) => secondsLeft(oldCredential(input), input.now);

function oldLifetimeSeconds(input: Known): number | null {
  const old = oldCredential(input);
  return old === null || old.startsAt === null || old.expiresAt === null
    ? null
    : Math.round((old.expiresAt - old.startsAt) / 1_000);
}

/** Seconds until the credential is due (negative = due); null when neither expiry nor age is known. */
function untilDue(input: Known): number | null {
  const before = input.policy.rotateWhenExpiresInSeconds;
  const remaining = remainingSeconds(input);
  if (remaining !== null) return remaining - before;
  // A password without an expiry is due when it reaches the age at which policy would have let it expire.
  const started = oldCredential(input)?.startsAt ?? null;
  return started === null ? null : input.policy.lifetimeMaxSeconds - before - Math.floor((input.now - started) / 1_000);
}

/** When, for how long, and with how much left to go back. (M7, D8, I1, I8) */
export const timingChecks: readonly Check[] = [
  startCheck("not-due", "Rotating needlessly breaks things: nothing is done before it is due.", (input) => {
    const { trigger, force, reasonGiven } = input.request;
    if (namedCredential(input) !== null && oldCredential(input) === null)
      return block("the named credential is gone", "a named credential that is there");
    const left = untilDue(input);
    const required = `at most ${formatDuration(input.policy.rotateWhenExpiresInSeconds)} left`;
    const observed =
      left === null ? "no expiry and no age known" : left <= 0 ? "due" : `${formatDuration(left)} too early`;
    const tooLong = (oldLifetimeSeconds(input) ?? 0) > input.policy.lifetimeMaxSeconds;
    if (left === null || left <= 0) return pass(observed, required);
    if (tooLong) return pass("lives longer than policy allows", required);
    if (trigger !== "due" && trigger !== "manual" && trigger !== "event") return pass(`trigger ${trigger}`, required);
    return trigger === "manual" && force && reasonGiven
      ? warn(`${observed}, insisted on with a reason`, required)
      : block(observed, required);
  }),
  startCheck("lifetime-over-policy", "The present credential lives longer than policy allows.", (input) => {
    const life = oldLifetimeSeconds(input);
    if (life === null) return null;
    const max = input.policy.lifetimeMaxSeconds;
    return life > max
      ? warn(formatDuration(life), `at most ${formatDuration(max)}`)
      : pass(formatDuration(life), `at most ${formatDuration(max)}`);
  }),
  startCheck(
    "lifetime-over-tenant-policy",
    "The tenant allows a shorter life than our policy: the shorter one is planned.",
    ({ policy, world }) => {
      const max = world.limits.lifetimeSecondsMax;
      if (max === null) return null;
      return policy.lifetimeMaxSeconds > max
        ? warn(formatDuration(policy.lifetimeMaxSeconds), `at most ${formatDuration(max)}`)
        : pass(formatDuration(policy.lifetimeMaxSeconds), `at most ${formatDuration(max)}`);
    },
  ),
  startCheck(
    "lifetime-too-short",
    "The new credential must outlive its own overlap, or it would be due before the old one is gone.",
    (input) => {
      const life = lifetimeSeconds(input);
      const least = overlapSeconds(input) + input.policy.rollbackMinRemainingSeconds;
      return life > least
        ? pass(formatDuration(life), `more than ${formatDuration(least)}`)
        : block(formatDuration(life), `more than ${formatDuration(least)}`);
    },
  ),
  check(
    "overlap-too-short",
    "The old credential would end before every consumer has taken up the new one.",
    (input) => {
      if (isEmergency(input)) return null;
      const floor = overlapFloorSeconds(input.row);
      const overlap = overlapSeconds(input);
      if (overlap < floor) return block(formatDuration(overlap), `at least ${formatDuration(floor)}`);
      const left = input.at === "start" ? remainingSeconds(input) : null;
      if (left !== null && left > 0 && left < floor)
        return warn(`the old one ends in ${formatDuration(left)}`, `at least ${formatDuration(floor)}`);
      return pass(formatDuration(overlap), `at least ${formatDuration(floor)}`);
    },
  ),
  check("overlap-over-max", "Policy asks for a longer overlap than it allows.", ({ policy }) => {
    const [min, max] = [formatDuration(policy.overlapMinSeconds), formatDuration(policy.overlapMaxSeconds)];
    return policy.overlapMinSeconds > policy.overlapMaxSeconds
      ? block(`at least ${min}`, `at most ${max}`)
      : pass(`at least ${min}`, `at most ${max}`);
  }),
  startCheck("window-none-before-expiry", "No window opens before the credential expires.", (input) => {
    // What is compromised does not wait for a window.
    if (isEmergency(input)) return null;
    const left = remainingSeconds(input);
    const within = left === null || left <= 0 ? horizonMs : Math.min(left * 1_000, horizonMs);
    const opening = nextOpening(input.policy.schedule, input.now, within);
    const required = left === null || left <= 0 ? "an open window" : "an open window before expiry";
    if (opening !== null) return pass(formatInstant(opening), required);
    const freeze = freezeAt(input.policy.schedule, input.now);
    return block(freeze === null ? "none" : `none (freeze ${freeze.name})`, required);
  }),
  startCheck(
    "rollback-minimum",
    "With so little left of the old credential a failed run holds instead of going back by itself.",
    (input) => {
      const least = input.policy.rollbackMinRemainingSeconds;
      const back = goingBack(input);
      const left = secondsLeft(back, input.now);
      if (back === null && namedCredential(input) !== null)
        return warn("what the record holds is not known", `at least ${formatDuration(least)}`);
      if (left === null) return null;
      const required = `at least ${formatDuration(least)}`;
      return left >= least ? pass(formatDuration(left), required) : warn(formatDuration(Math.max(0, left)), required);
    },
  ),
];
