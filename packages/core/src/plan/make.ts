import type { InventoryRow } from "../inventory/row.ts";
import type { World } from "../ports/index.ts";
import { procedureNamed, procedureNameFor } from "../procedure/index.ts";
import { planConsumers, procedureDigest, type Settings, type Urgent } from "../procedure/procedure.ts";
import { type FrozenPlan, freezePlan, type Plan } from "./plan.ts";

/** All a plan is made of. Nothing else goes in: no clock, no randomness, no advice. */
export interface PlanInput {
  readonly run: string;
  readonly tenant: { readonly name: string; readonly id: string };
  readonly trigger: string;
  readonly requester: string;
  readonly row: InventoryRow;
  readonly world: World;
  readonly settings: Settings;
  /** Earliest start, ms since the epoch. */
  readonly notBefore: number;
  readonly rules: Plan["rules"];
  readonly risks: Plan["risks"];
  readonly policyDigest: string;
  readonly inventoryDigest: string;
  /** What an emergency is about; only with trigger `compromise`. */
  readonly urgent?: Urgent;
  /** The credential that the request names; never in an emergency. */
  readonly named?: string;
}

/** From inventory, world and policy to the frozen plan. Same input, same bytes. */
export function makePlan(input: PlanInput): FrozenPlan {
  const procedure = procedureNamed(
    procedureNameFor(input.row, { trigger: input.trigger, named: input.named !== undefined }),
  );
  const { settings, row, world } = input;
  const { urgent, named } = input;
  const output = procedure.plan({
    row,
    world,
    settings,
    ...(urgent === undefined ? {} : { urgent }),
    ...(named === undefined ? {} : { named }),
  });
  if ((output.emergency === undefined) !== (settings.emergency === undefined))
    throw new TypeError("expected settings of an emergency for an emergency procedure and for no other");
  return freezePlan({
    v: 1,
    run: input.run,
    tenant: { ...input.tenant },
    environment: row.environment,
    prod: settings.prod,
    procedure: { name: procedure.name, major: procedure.major, digest: procedureDigest(procedure) },
    trigger: input.trigger,
    requester: input.requester,
    target: output.target,
    old: output.old,
    ...(output.stays === undefined ? {} : { stays: output.stays }),
    baseline: {
      credentialIds: world.credentials.map((credential) => credential.id).sort(),
      owners: [...row.owners],
      recordVersion: world.record.version,
      rowDigest: row.rowDigest,
    },
    record: {
      kind: "keyvault-secret",
      connection: row.record.connection,
      name: row.record.name,
      identity: world.record.identity as Plan["record"]["identity"],
    },
    consumers: planConsumers({ row, world, settings }),
    steps: [...output.steps],
    timing: {
      overlapSeconds: settings.overlapSeconds,
      lifetimeSeconds: settings.lifetimeSeconds,
      proofTimes: settings.proofTimes,
      proofSpacingSeconds: settings.proofSpacingSeconds,
      proofDeadlineSeconds: settings.proofDeadlineSeconds,
      rollbackMinRemainingSeconds: settings.rollbackMinRemainingSeconds,
      notBefore: new Date(input.notBefore).toISOString(),
      quietSeconds: settings.quietSeconds,
    },
    retire: { ...settings.retire },
    lockKeys: [...output.lockKeys],
    approvals: settings.approvals,
    rules: [...input.rules],
    risks: [...input.risks],
    irreversible: [...output.irreversible],
    policyDigest: input.policyDigest,
    inventoryDigest: input.inventoryDigest,
    ...(output.emergency === undefined || settings.emergency === undefined
      ? {}
      : {
          emergency: {
            ...settings.emergency,
            ...output.emergency,
            leaveBehind: [...output.emergency.leaveBehind],
            revoke: [...output.emergency.revoke],
            supersedes: supersededBy(urgent),
          },
        }),
    ...(settings.breakGlass === undefined ? {} : { breakGlass: settings.breakGlass }),
  });
}

function supersededBy(urgent: Urgent | undefined): NonNullable<Plan["emergency"]>["supersedes"] {
  const run = urgent?.supersedes ?? null;
  return run === null ? null : { run: run.run, state: run.state };
}
