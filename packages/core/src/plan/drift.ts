import type { InventoryRow } from "../inventory/row.ts";
import type { Facts, World } from "../ports.ts";
import type { Plan } from "./plan.ts";

/** One way in which the world or the rules differ from the approved plan. */
export interface Drift {
  readonly code: string;
  readonly observed: string;
  readonly required: string;
}

/** What this run has changed itself so far: not drift. */
export interface OwnEffects {
  readonly credentialIds: ReadonlySet<string>;
  readonly recordVersions: ReadonlySet<string>;
  /** Consumers already switched by this run. */
  readonly consumers: ReadonlySet<string>;
}

export const noOwnEffects: OwnEffects = { credentialIds: new Set(), recordVersions: new Set(), consumers: new Set() };

/** The rules of a fresh evaluation, as the plan holds them. */
export type RuleResult = { readonly rule: string; readonly observed: string; readonly required: string; readonly result: "pass" | "warn" | "block" };

/**
 * Compares an approved plan with the world, the inventory row and a fresh rule evaluation.
 *
 * Drift is: a key added or removed by others, the row's owner, environment, consumers or record changed, the vault value
 * changed by another writer, an identity changed, or one of *this* plan's rules grown stricter. Our own new key, an edit
 * of the policy that leaves this plan's rules alone, and an upgrade are not drift.
 */
export function driftOf(plan: Plan, world: World, row: InventoryRow | null, rules: readonly RuleResult[], own: OwnEffects = noOwnEffects): Drift[] {
  const drift: Drift[] = [];
  const say = (code: string, required: string, observed: string) => drift.push({ code, required, observed });

  if (row === null) {
    say("row-gone", plan.baseline.rowDigest, "not in the inventory");
  } else {
    if (row.environment !== plan.environment) say("environment-changed", plan.environment, row.environment);
    const owners = [...row.owners].sort().join(",");
    if (owners !== [...plan.baseline.owners].sort().join(",")) say("owner-changed", plan.baseline.owners.join(","), owners);
    if (row.rowDigest !== plan.baseline.rowDigest) say("row-changed", plan.baseline.rowDigest, row.rowDigest);
  }

  const now = new Set(world.credentials.map((credential) => credential.id).filter((id) => !own.credentialIds.has(id)));
  const then = new Set(plan.baseline.credentialIds);
  for (const id of now) if (!then.has(id)) say("key-added", "no other key", id);
  for (const id of then) if (!now.has(id)) say("key-removed", id, "absent");

  const version = world.record.version;
  if (version !== plan.baseline.recordVersion && !(version !== null && own.recordVersions.has(version))) {
    say("record-changed", plan.baseline.recordVersion ?? "empty", version ?? "empty");
  }
  if (!sameFacts(world.record.identity, plan.record.identity)) say("record-replaced", plan.record.name, "another entry of that name");

  for (const consumer of plan.consumers) {
    const seen = world.consumers.find((candidate) => candidate.name === consumer.name);
    if (seen === undefined || !seen.exists) say("consumer-gone", consumer.name, "absent");
    else if (!sameFacts(seen.identity, consumer.identity)) say("consumer-target-changed", consumer.name, "another target");
    else if (seen.matchesRecord === false && !own.consumers.has(consumer.name) && own.recordVersions.size === 0) {
      say("consumer-value-changed", consumer.name, "does not hold what the record holds");
    }
  }

  for (const rule of rules) {
    const agreed = plan.rules.find((candidate) => candidate.rule === rule.rule);
    if (rule.result === "block") say(`rule:${rule.rule}`, rule.required, rule.observed);
    else if (agreed !== undefined && agreed.result === "pass" && rule.result === "warn") say(`rule:${rule.rule}`, rule.required, rule.observed);
  }
  return drift;
}

/** Whether two sets of identity facts are equal, key by key; order does not matter. */
export function sameFacts(a: Facts, b: Facts): boolean {
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => JSON.stringify(a[key]) === JSON.stringify(b[key]));
}
