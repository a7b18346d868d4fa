import { z } from "zod";
import { createRandom } from "../random.ts";
import { findApplication } from "../tenant/find.ts";
import type { Tenant } from "../tenant/model.ts";
import { valueOf, valueSource } from "../tenant/value-source.ts";
import type { World } from "../world.ts";

const name = z.string().min(1).max(120);

/** An app of a scenario. A setting `reference` becomes a Key Vault reference to the newest version of that entry. */
export const siteScenario = z.strictObject({
  site: name,
  slot: name.nullable().default(null),
  resourceGroup: name.default("rg"),
  /** Without a system-assigned identity an app has nothing that outlives its name. */
  identity: z.boolean().default(true),
  settings: z.record(
    z.string(),
    z.strictObject({ ...valueSource, reference: z.strictObject({ vault: name, secret: name }).optional() }),
  ),
  stickyNames: z.array(name).default([]),
  grants: z
    .array(z.strictObject({ caller: name, role: z.enum(["contributor", "reader"]).default("contributor") }))
    .default([]),
});

type SiteScenario = z.output<typeof siteScenario>;

/** Adds the apps of a scenario. */
export function seedSites(world: World, scenario: readonly SiteScenario[]): void {
  for (const item of scenario) {
    const key = nameOf(item);
    const random = createRandom(world.seed, `site:${key}`);
    world.tenant.sites.push({
      name: key,
      resourceGroup: item.resourceGroup,
      site: item.site,
      slot: item.slot,
      principalId: item.identity ? random.uuid() : null,
      defaultHostName: `${key.replace("/", "-")}-${random.hex(8)}.westeurope-01.azurewebsites.net`,
      settings: Object.fromEntries(
        Object.entries(item.settings).map(([setting, { reference, ...source }]) => [
          setting,
          reference === undefined
            ? valueOf(world, source, `sites ${key} ${setting}`)
            : `@Microsoft.KeyVault(SecretUri=${world.addresses.vaults[reference.vault] ?? ""}/secrets/${reference.secret}/)`,
        ]),
      ),
      stickyNames: item.stickyNames,
      references: {},
      grants: item.grants.map(({ caller, role }) => ({
        role,
        appId: findApplication(world.tenant, caller)?.appId ?? "",
      })),
      restarts: 0,
      lastWriteMs: world.clock.nowMs - 86_400_000,
    });
  }
}

/** Throws RangeError for a name that is taken or nowhere. */
export function checkSites(
  tenant: Tenant,
  scenario: { readonly sites: readonly SiteScenario[] },
  isApplication: (name: string) => boolean,
): void {
  const known = new Set(tenant.sites.map((item) => item.name));
  for (const item of scenario.sites) {
    const key = nameOf(item);
    if (known.has(key)) throw new RangeError(`sites: expected a new name, got ${JSON.stringify(key)} twice`);
    known.add(key);
    for (const { caller } of item.grants)
      if (!isApplication(caller)) throw new RangeError(`sites ${key}.grants: expected a caller, got ${caller}`);
  }
}

function nameOf(item: Pick<SiteScenario, "site" | "slot">): string {
  return item.slot === null ? item.site : `${item.site}/${item.slot}`;
}
