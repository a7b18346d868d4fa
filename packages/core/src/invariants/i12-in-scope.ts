import { inScope } from "../inventory/scope.ts";
import type { Plan } from "../plan/plan.ts";
import type { Facts } from "../ports/index.ts";
import type { History, Invariant } from "./history.ts";
import { authorisedAt, changesOf, closedAt, Findings, instant, placeOf, planned } from "./reading.ts";

/** I12: values go only where the configuration lets them. */
export const inScopeOnly: Invariant = {
  id: "I12",
  says: "A value is written only into a connection scope of the configuration, never to a place that the inventory merely names. A prod value never enters a scope that is not prod.",
  kept: [
    "packages/core/src/inventory/check.ts, packages/core/src/validation/target.ts",
    "assertScope in each connector",
  ],
  checked: [
    "plan and configuration: record and consumers of each open run stand in the scope of a connection, prod values in prod connections",
    "outside: each write of a value is to a place that an authorised plan names",
  ],
  unseen: [
    "What the administrator's configuration should allow: a scope that is too wide is a decision of his.",
    "Files and containers: what was written there is in the journal, and nobody reads it outside.",
  ],
  remedy:
    "Freeze. The value that was written has to count as compromised: start an emergency revocation. Then narrow the connection's scope, or find out who wrote the place into the inventory.",
  check: (history) => {
    const findings = new Findings("I12");
    if (history.scopes !== null) {
      for (const run of planned(history)) {
        // A connection that was taken out of the configuration since says nothing about a run that is over.
        if (closedAt(run) <= history.at) continue;
        for (const problem of scopeProblems(run.plan, history.scopes)) findings.must(false, run.id, () => problem);
      }
    }
    for (const { kind, place, at } of changesOf(history)) {
      if (kind !== "write") continue;
      const named = planned(history).some(
        (run) =>
          run.plan.steps.some((step) => placeOf(step) === place) &&
          (authorisedAt(run)?.at ?? Number.POSITIVE_INFINITY) <= at,
      );
      findings.must(
        named,
        null,
        () => `expected values only where an authorised plan names the place, got one at ${place} at ${instant(at)}`,
      );
    }
    return findings.found;
  },
};

type Scopes = NonNullable<History["scopes"]>;

/** Every place of a plan that lies outside, in words. */
function scopeProblems(plan: Plan, scopes: Scopes): string[] {
  const record = scopes.find(({ name }) => name === plan.record.connection);
  const isProd = plan.prod || record?.prod === true;
  const places = [
    { who: "record", connection: plan.record.connection, name: plan.record.name },
    ...plan.consumers.flatMap((consumer) => {
      const { connection } = consumer.target;
      const name = nameIn(consumer.target);
      return typeof connection === "string" ? [{ who: consumer.name, connection, name }] : [];
    }),
  ];
  return places.flatMap(({ who, connection, name }) => {
    const scope = scopes.find((candidate) => candidate.name === connection);
    if (scope === undefined) return [`expected ${who} in a connection of the configuration, got ${connection}`];
    if (!inScope(name, scope.scope))
      return [`expected ${who} inside ${connection} (${scope.scope.join(", ")}), got ${name}`];
    return isProd && !scope.prod ? [`expected ${who} in a prod connection, got ${connection}`] : [];
  });
}

/** What of a consumer's place is looked up in its connection's scope, as its kind says it (`scopeName`). */
function nameIn(target: Facts): string {
  const { name, path, project, group, variable, resourceGroup, site, slot, setting } = target;
  const parts =
    name !== undefined
      ? [name]
      : path !== undefined
        ? [path]
        : variable !== undefined
          ? [project, group, variable]
          : [resourceGroup, site, slot, setting];
  return parts
    .filter((part) => part !== undefined && part !== null)
    .map(String)
    .join("/");
}
