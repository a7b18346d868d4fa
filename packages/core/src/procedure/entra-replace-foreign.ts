import type { PlanStep } from "../plan/plan.ts";
import type { Facts, World } from "../ports/index.ts";
import {
  appOf,
  kinds,
  mintLines,
  mintSteps,
  oldOf,
  removal,
  removalOf,
  secretLocks,
  secretRow,
  targetOf,
} from "./entra-secret.ts";
import {
  blocked,
  confirmLine,
  consumerSteps,
  lookOnly,
  type Procedure,
  type ProcedureInput,
  recordOf,
  type StepShape,
  stepOf,
  updateLines,
} from "./procedure.ts";

const hand = {
  id: "switch",
  verb: "manual.ask@1",
  phase: "execute",
  undo: "Ask the owner to let its holder use what the record holds then, and to confirm it",
  undoable: true,
} as const satisfies StepShape;
const switched = {
  id: "switched",
  verb: "consumer.confirm@1",
  phase: "overlap",
  undo: lookOnly,
  undoable: false,
} as const satisfies StepShape;
const retire: StepShape = { id: "retire", ...removal };
const shape: readonly StepShape[] = [...mintLines, ...updateLines(kinds), hand, confirmLine(kinds), switched, retire];

/** How many addresses a plan names as those of the holder. */
export const holderAddressesMax = 20;
/** Nobody knows how soon a holder signs in again: it is looked for once a minute, and no sooner. */
const holderPickupSeconds = 60;
/** How many of them a line of the checklist has room for. */
const addressesInLine = 3;
/** All that is known of whatever lives on the named secret: nothing outlives a name (I11). */
const byHand: Facts = { by: "hand" };

/** What a log calls an address and is none is shown to nobody. */
const isAddress = /^[0-9a-f.:]{2,45}$/i;

/** From where the named secret was used, the newest first; null: there is no log to tell. */
export function holderAddresses({ uses }: Pick<World, "uses">, credential: string): readonly string[] | null {
  if (uses === undefined || uses === null) return null;
  const own = uses.filter(
    (use) => use.credential.toLowerCase() === credential.toLowerCase() && isAddress.test(use.address ?? ""),
  );
  const newest = own.toSorted((a, b) => b.at - a.at || (String(a.address) < String(b.address) ? -1 : 1));
  return [...new Set(newest.map(({ address }) => String(address)))].slice(0, holderAddressesMax);
}

/**
 * Replaces a client secret that somebody else made and of which no store holds the value. A compliant one is created, proven
 * and stored, and whoever reads the record gets it; what lives on the named secret is not known to the inventory, so an owner
 * switches it by hand. Then the named one, and only that one, is retired; what the record held before stays valid until its
 * own end. Where the record holds the named secret itself, nobody has to be looked for.
 */
export const entraReplaceForeign: Procedure = {
  name: "entra-replace-foreign",
  major: 1,
  shape,
  plan(input: ProcedureInput) {
    const { world, settings, named } = input;
    const row = secretRow(input);
    const old = world.credentials.find((credential) => credential.id === named);
    if (old === undefined) throw blocked("the named secret among those of the application, got none", row.name);
    const isStored = world.binding.id === old.id;
    const { updates, confirms } = consumerSteps(input, shape, { tenant: row.tenant, appId: row.appId, old: old.id });
    const holder = isStored ? { asks: [], shows: [], callers: [] } : holderSteps(input, old.id);
    const before = isStored ? undefined : world.credentials.find((credential) => credential.id === world.binding.id);
    return {
      target: targetOf(row),
      old: oldOf(old, isStored ? world.binding.by : "named"),
      ...(before === undefined
        ? {}
        : { stays: { id: before.id, expiresAt: oldOf(before, world.binding.by).expiresAt } }),
      steps: [
        ...mintSteps(input, row),
        ...updates,
        ...holder.asks,
        ...confirms,
        ...holder.shows,
        stepOf(retire, "retire", `Remove the named secret ${old.id}, and no other, from ${row.name}`, world.target, {
          ...removalOf(row, old.id),
          quietSeconds: settings.quietSeconds,
          consumers: [
            ...row.consumers.map((consumer) => ({ name: consumer.name, callers: [...consumer.callers] })),
            ...(isStored ? [] : [{ name: "holder", callers: holder.callers }]),
          ],
        }),
      ],
      lockKeys: secretLocks(input, row),
      irreversible: [`After retirement the named secret ${old.id} cannot be used or restored.`],
    };
  },
};

/**
 * What an owner does for the holder, and how it is shown: by a sign-in with the new secret from every address that the named
 * one was used from. Where it was never seen in use, the owner's word is all that is waited for here, and the gate judges the
 * silence.
 */
function holderSteps(input: ProcedureInput, id: string): { asks: PlanStep[]; shows: PlanStep[]; callers: string[] } {
  const { world } = input;
  const row = secretRow(input);
  const record = recordOf(row);
  const callers = [...(holderAddresses(world, id) ?? [])];
  const checklist = [
    `Find what signs in with the secret ${id} of ${row.name.slice(0, 60)}`,
    seenFrom(callers),
    `Give it the newest value of ${record.name} in ${record.connection}`,
    "Let it sign in once, then confirm here; confirm as well when nothing uses it",
  ];
  const asks = stepOf(hand, "switch", `Ask an owner to move whatever uses ${id} to the new secret`, byHand, {
    checklist,
    record,
    store: "store",
    created: "create",
    previous: world.record.version,
  });
  const shows = stepOf(switched, "switched", `Confirm that what used ${id} uses the new secret`, byHand, {
    consumer: "holder",
    kind: "manual",
    target: { checklist },
    record,
    store: "store",
    created: "create",
    update: "switch",
    pickupSeconds: holderPickupSeconds,
    callers,
    level: callers.length === 0 ? "accepted" : "used",
    tenant: appOf(row).tenant,
    appId: row.appId,
    old: id,
  });
  return { asks: [asks], shows: [shows], callers };
}

function seenFrom(callers: readonly string[]): string {
  if (callers.length === 0) return "Nobody was seen using it; ask whoever made it";
  const more = callers.length > addressesInLine ? ` and ${callers.length - addressesInLine} more` : "";
  return `It was used from ${callers.slice(0, addressesInLine).join(", ")}${more}`;
}
