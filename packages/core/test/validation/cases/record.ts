import { resolvePolicy } from "../../../src/index.ts";
import {
  credential,
  good,
  inWorld,
  now,
  policy,
  postgres,
  request,
  row,
  seenConsumers,
  underPolicy,
  worldOf,
} from "../samples.ts";
import { type Case, naming, theirs } from "./inputs.ts";

/** What stands in the record and who reads it: the rules of validation/record.ts. */
export const recordCases: readonly Case[] = [
  [
    "the record is empty",
    inWorld({ record: { identity: {}, version: null, readable: false } }),
    "record-missing",
    "block",
  ],
  [
    "the record is empty, and a secret that somebody made is named",
    naming("theirs", {
      world: worldOf(row, {
        credentials: [credential("old"), theirs()],
        binding: { id: null, by: "unproven" },
        record: { identity: {}, version: null, readable: false },
      }),
    }),
    "record-missing",
    "warn",
  ],
  [
    "the record cannot be read back",
    inWorld({ record: { identity: {}, version: "v1", readable: false } }),
    "record-unreadable",
    "block",
  ],
  ["the stored value does not sign in", inWorld({ recordSignsIn: false }), "record-value-refused", "block"],
  ["the stored value was not tried", inWorld({ recordSignsIn: null }), "record-value-refused", "warn"],
  [
    "the stored value has expired",
    inWorld({ recordSignsIn: false, credentials: [credential("old", { expiresAt: now - 1 })] }),
    "record-value-refused",
    "warn",
  ],
  [
    "which key the record holds is not shown",
    inWorld({ binding: { id: null, by: "unproven" } }),
    "which-key-unproven",
    "warn",
  ],
  [
    "a consumer without callers is to be seen signing in",
    underPolicy(["consumerLevel: value-matched", "consumerLevel: used"]),
    "consumer-level-unreachable",
    "block",
  ],
  [
    "nobody knows which of two roles is in use",
    {
      ...good,
      row: postgres,
      world: worldOf(postgres, { binding: { id: null, by: "unproven" } }),
      request: { ...request, target: { name: "orders" } },
      policy: resolvePolicy(policy(), postgres),
    },
    "role-in-use-unknown",
    "block",
  ],
  ["a consumer does not exist", inWorld({ consumers: seenConsumers({ exists: false }) }), "consumer-missing", "block"],
  ["a consumer was not looked at", inWorld({ consumers: [] }), "consumer-missing", "block"],
  [
    "a consumer holds something else",
    inWorld({ consumers: seenConsumers({ matchesRecord: false }) }),
    "consumer-mismatch",
    "block",
  ],
  [
    "a consumer's target can never be changed",
    inWorld({ consumers: seenConsumers({ refused: "immutable" }) }),
    "consumer-not-writable",
    "block",
  ],
  [
    "a consumer's target is kept as it is by something else",
    inWorld({ consumers: seenConsumers({ refused: "kept-by-another" }) }),
    "consumer-not-writable",
    "block",
  ],
  [
    "what a consumer holds cannot be read",
    inWorld({ consumers: seenConsumers({ matchesRecord: null }) }),
    "consumer-mismatch",
    "warn",
  ],
  [
    "somebody else's credential lives",
    inWorld({ credentials: [credential("old"), credential("theirs", { marker: null })] }),
    "foreign-live-credentials",
    "warn",
  ],
  [
    "no slot is free",
    inWorld({
      credentials: [credential("old"), credential("two")],
      limits: { credentialsMax: 2, lifetimeSecondsMax: null },
    }),
    "credential-slots",
    "block",
  ],
  ["expired", inWorld({ credentials: [credential("old", { expiresAt: now })] }), "expired-already", "warn"],
];
