import type { FleetCode } from "@countersign/core";
import type { Simulator } from "@countersign/simulator";
import { terms } from "./scanner.ts";

const dayMs = 86_400_000;

/** What must be said of a tenant, by code: counted from the tenant itself and in another way. */
export function expectedFindings({ world }: Simulator, now = world.clock.nowMs): Record<string, number> {
  const counts: Record<string, number> = {};
  const add = (code: FleetCode, is: boolean) => {
    if (is) counts[code] = (counts[code] ?? 0) + 1;
  };
  const { applications, servicePrincipals } = world.tenant;
  for (const holder of [...applications, ...servicePrincipals]) {
    const secrets = holder.credentials.map(({ startMs, endMs }) => [startMs, endMs] as const);
    const keys = holder.keyCredentials.map((key) => [Date.parse(key.startText), Date.parse(key.endText)] as const);
    const all = [...secrets, ...keys];
    for (const [from, to] of all) {
      add("expired", to <= now);
      add("expiring", to > now && to - now <= terms.expiringSeconds * 1_000);
      add("long-lived", to - from > terms.lifetimeSecondsMax * 1_000 + dayMs);
      add("unused", to > now && now - from > terms.quietSeconds * 1_000);
    }
    if (all.length === 0) continue;
    add("ownerless", holder.owners.length === 0);
    add("single-owner", holder.owners.length === 1);
    const people = holder.owners.map(({ id }) => world.tenant.users.find((user) => user.id === id));
    add("owner-disabled", people.length > 0 && people.every((user) => user?.accountEnabled === false));
    add("several-live", secrets.filter(([, to]) => to > now).length > 1);
    add(
      "unmanaged",
      all.some(([, to]) => to > now),
    );
  }
  return counts;
}

export function countedByCode(said: readonly { readonly code: FleetCode }[]): Record<string, number> {
  return Object.fromEntries([...Map.groupBy(said, ({ code }) => code)].map(([code, of]) => [code, of.length]));
}
