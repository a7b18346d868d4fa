import type { Plan } from "../plan/plan.ts";
import type { Urgent } from "../procedure/procedure.ts";
import { formatDuration } from "../time/duration.ts";
import type { Known } from "./input.ts";

/** Uses longer ago than this say little about who would fail now. */
const recentMs = 7 * 86_400_000;

/** How long an access token outlives the secret it was issued with, and who says so. */
export const accessTokenLife = {
  secondsMax: 90 * 60,
  source:
    "Entra's default life of an access token is 60 to 90 minutes (Microsoft identity platform, configurable token lifetimes); a tenant's own policy and clients with continuous access evaluation can have up to a day",
} as const;

const named = 10;

/**
 * What an approver of an emergency must know first: who fails and for how long, who else uses the credential, what is
 * taken over, and that a yes is the forced retirement as well (I5).
 */
export function emergencyRisksOf(input: Known, compromised: string, urgent: Urgent): Plan["risks"] {
  const { row, world, now } = input;
  const say = (code: string, sentence: string) => ({ code, sentence: sentence.slice(0, 600) });
  const risks = [
    say(
      "forced-retirement",
      "There is no overlap and no gate: with this approval the compromised secret is removed at once, whoever still uses it.",
    ),
  ];
  for (const consumer of row.consumers) {
    if (consumer.kind === "manual")
      risks.push(say("consumer-fails", `${consumer.name} fails from the cut until an owner has done it by hand.`));
    else if (consumer.pickupSeconds > 0)
      risks.push(
        say(
          "consumer-fails",
          `${consumer.name} may fail for up to ${formatDuration(consumer.pickupSeconds)} after the cut: so long it takes to pick up a new secret.`,
        ),
      );
  }
  const callers = new Set(row.consumers.flatMap((consumer) => consumer.callers));
  const { uses } = world;
  if (uses === undefined || uses === null)
    risks.push(say("uses-unknown", "Who else uses the compromised secret cannot be shown: there is no sign-in log."));
  else {
    const strangers = uses
      .filter((use) => use.credential === compromised && use.at >= now - recentMs)
      .filter((use) => use.address === null || !callers.has(use.address))
      .toSorted((a, b) => b.at - a.at);
    for (const { address, at } of strangers.slice(0, named))
      risks.push(
        say(
          "straggler",
          `${address ?? "An address that was not logged"} used the compromised secret ${formatDuration(Math.max(0, Math.floor((now - at) / 1_000)))} ago and is no declared consumer: it fails, or it is who should not have it.`,
        ),
      );
    if (strangers.length > named)
      risks.push(say("straggler", `${strangers.length - named} further addresses that are no declared consumer.`));
  }
  if (row.procedure === "entra-client-secret")
    risks.push(
      say(
        "tokens-outlive",
        `Access tokens that were issued with it stay valid for up to ${accessTokenLife.secondsMax / 60} minutes after the cut.`,
      ),
    );
  const { supersedes } = urgent;
  if (supersedes !== null)
    risks.push(
      say(
        "supersedes",
        `Run ${supersedes.run} (${supersedes.state}) is taken over and ends. ${
          supersedes.made.length === 0
            ? "It has made no credential."
            : `What it has made is revoked as well: ${supersedes.made.join(", ")}.`
        }`,
      ),
    );
  return risks;
}
