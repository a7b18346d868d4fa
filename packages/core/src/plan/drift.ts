import type { InventoryRow } from "../inventory/row.ts";
import type { Facts, World } from "../ports/index.ts";
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
export type RuleResult = {
  readonly rule: string;
  readonly observed: string;
  readonly required: string;
  readonly result: "pass" | "warn" | "block";
};

/**
 * Compares an approved plan with the world, the inventory row and a fresh rule evaluation.
 *
 * Drift is: a key added or removed by others, the row's owner, environment, consumers or record changed, the vault value
 * changed by another writer, an identity changed, or one of *this* plan's rules grown stricter. Our own new key, an edit
 * of the policy that leaves this plan's rules alone, and an upgrade are not drift.
 */
export function driftOf(
  plan: Plan,
  world: World,
  row: InventoryRow | null,
  rules: readonly RuleResult[],
  own: OwnEffects = noOwnEffects,
): Drift[] {
  const drift: Drift[] = [];
  const say = (code: string, required: string, observed: string) => drift.push({ code, required, observed });

  if (row === null) {
    say("row-gone", plan.baseline.rowDigest, "not in the inventory");
  } else {
    if (row.environment !== plan.environment) say("environment-changed", plan.environment, row.environment);
    const owners = [...row.owners].sort().join(",");
    if (owners !== [...plan.baseline.owners].sort().join(","))
      say("owner-changed", plan.baseline.owners.join(","), owners);
    if (row.rowDigest !== plan.baseline.rowDigest) say("row-changed", plan.baseline.rowDigest, row.rowDigest);
  }

  // The first step acts on the target itself, so its identity is the target's (I11).
  if (!sameFacts(world.target, plan.steps[0]?.identity ?? {}))
    say("target-replaced", plan.target.name, "another target of that name");

  const now = new Set(world.credentials.map((credential) => credential.id));
  const then = new Set(plan.baseline.credentialIds);
  // Ours may have been there before: of two roles that take turns, the idle one can be able to log in already.
  for (const id of now) if (!then.has(id) && !own.credentialIds.has(id)) say("key-added", "no other key", id);
  // What an emergency is about to remove may have been removed by hand meanwhile: that is no reason to stop.
  const revoked: readonly string[] = plan.emergency?.revoke ?? [];
  for (const id of then) if (!now.has(id) && !revoked.includes(id)) say("key-removed", id, "absent");

  const version = world.record.version;
  // Once we have written, the newest version must be ours: the old one on top again is another writer's work.
  const expected: ReadonlySet<string | null> =
    own.recordVersions.size > 0 ? own.recordVersions : new Set([plan.baseline.recordVersion]);
  if (!expected.has(version)) {
    say("record-changed", [...expected].map((one) => one ?? "empty").join(" or "), version ?? "empty");
  }
  if (!sameFacts(world.record.identity, plan.record.identity))
    say("record-replaced", plan.record.name, "another entry of that name");

  for (const consumer of plan.consumers) {
    const seen = world.consumers.find((candidate) => candidate.name === consumer.name);
    if (seen === undefined || !seen.exists) say("consumer-gone", consumer.name, "absent");
    else if (!sameFacts(seen.identity, consumer.identity))
      say("consumer-target-changed", consumer.name, "another target");
    else if (seen.matchesRecord === false && !own.consumers.has(consumer.name) && own.recordVersions.size === 0) {
      say("consumer-value-changed", consumer.name, "does not hold what the record holds");
    }
  }

  for (const rule of rules) {
    if (rule.result !== "block" && saidOnce.has(rule.rule)) continue;
    // A rule can speak once per consumer: it grew stricter when it warns more often than the approvers read. A rule
    // that the plan does not have came with a policy edit or an upgrade; only its refusal matters to this plan.
    const agreed = plan.rules.filter((candidate) => candidate.rule === rule.rule);
    const warnsMore = warnings(rules, rule.rule) > warnings(agreed, rule.rule);
    const stricter = rule.result === "warn" && agreed.length > 0 && warnsMore;
    if (rule.result === "block" || stricter) say(`rule:${rule.rule}`, rule.required, rule.observed);
  }
  return drift;
}

/**
 * What a scan sees is said when a plan is made. Seen later, our own sign-ins of the planning among it, it is a finding and no
 * other plan: whoever uses the old credential keeps it from being retired.
 */
const saidOnce: ReadonlySet<string> = new Set(["undeclared-use"]);

function warnings(rules: readonly RuleResult[], name: string): number {
  return rules.filter((rule) => rule.rule === name && rule.result === "warn").length;
}

/** Whether two sets of identity facts are equal, key by key; order does not matter. */
export function sameFacts(a: Facts, b: Facts): boolean {
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => JSON.stringify(a[key]) === JSON.stringify(b[key]));
}
