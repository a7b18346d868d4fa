import type { Plan } from "../plan/plan.ts";
import { holderAddresses } from "../procedure/entra-replace-foreign.ts";
import { formatInstant } from "../time/instant.ts";
import { goingBack, type Known } from "./input.ts";

/** Addresses that a sentence has room for. */
const addressesShown = 10;

/** What an approver must know first of a plan that retires a named credential: who may live on it, and what stays as it is. */
export function namedRisksOf(input: Known, named: string): Plan["risks"] {
  if (input.world.binding.id === named) return [];
  const addresses = holderAddresses(input.world, named);
  const seen =
    addresses === null
      ? "there is no log of sign-ins to tell who uses it"
      : addresses.length === 0
        ? "no use of it was seen"
        : `it was used from ${addresses.slice(0, addressesShown).join(", ")}${addresses.length > addressesShown ? " and others" : ""}`;
  const before = goingBack(input);
  const stays =
    before === null
      ? "What the record holds now could not be shown to be any secret of the application; nothing but the named one is removed."
      : `The secret ${before.id} that the record holds now is replaced there and not removed: it ${before.expiresAt === null ? "has no end" : `ends ${formatInstant(before.expiresAt)}`}.`;
  return [
    {
      code: "holder-unlisted",
      sentence: `What lives on the secret ${named} stands in no inventory: ${seen}. An owner moves it by hand.`.slice(
        0,
        600,
      ),
    },
    { code: "stays-live", sentence: stays.slice(0, 600) },
  ];
}
