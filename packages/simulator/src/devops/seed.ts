import { z } from "zod";
import { createRandom } from "../random.ts";
import { findApplication } from "../tenant/find.ts";
import type { Tenant } from "../tenant/model.ts";
import { valueOf, valueSource } from "../tenant/value-source.ts";
import type { World } from "../world.ts";

const name = z.string().min(1).max(120);

/** An organization of a scenario. */
export const devopsScenario = z.strictObject({
  name,
  port: z.int().min(0).max(65_535).default(0),
  auditing: z.boolean().default(true),
  projects: z.array(name).min(1),
  groups: z.array(
    z.strictObject({
      id: z.int().min(1),
      name,
      description: z.string().default(""),
      type: z.enum(["Vsts", "AzureKeyVault"]).default("Vsts"),
      projects: z.array(name).min(1),
      variables: z.record(
        z.string(),
        z.strictObject({
          ...valueSource,
          isSecret: z.boolean().default(false),
          isReadOnly: z.boolean().default(false),
        }),
      ),
    }),
  ),
  grants: z
    .array(
      z.strictObject({
        /** Name of a caller or application. */
        caller: name,
        project: name.default("*"),
        role: z.enum(["administrator", "reader"]).default("administrator"),
        pat: z.string().min(8).nullable().default(null),
      }),
    )
    .default([]),
});

type DevopsScenario = z.output<typeof devopsScenario>;

/** Adds the organizations of a scenario. */
export function seedDevops(world: World, scenario: readonly DevopsScenario[]): void {
  for (const item of scenario) {
    const random = createRandom(world.seed, `devops:${item.name}`);
    world.tenant.devops.push({
      name: item.name,
      port: item.port,
      auditing: item.auditing,
      audits: [],
      projects: item.projects.map((project) => ({ id: random.uuid(), name: project })),
      groups: item.groups.map((group) => ({
        ...group,
        variables: Object.fromEntries(
          Object.entries(group.variables).map(([variable, { isSecret, isReadOnly, ...source }]) => [
            variable,
            { value: valueOf(world, source, `devops ${item.name} ${variable}`), isSecret, isReadOnly },
          ]),
        ),
        createdMs: world.clock.nowMs - random.integer(1, 300) * 86_400_000,
        modifiedMs: world.clock.nowMs - 86_400_000,
        modifiedBy: null,
        revision: 1,
      })),
      grants: item.grants.map(({ caller, ...grant }) => ({
        ...grant,
        appId: findApplication(world.tenant, caller)?.appId ?? "",
      })),
    });
  }
}

/** Throws RangeError for a name that is taken or nowhere. */
export function checkDevops(
  tenant: Tenant,
  scenario: { readonly devops: readonly DevopsScenario[] },
  isApplication: (name: string) => boolean,
): void {
  const known = new Set(tenant.devops.map((item) => item.name));
  for (const item of scenario.devops) {
    if (known.has(item.name))
      throw new RangeError(`devops: expected a new name, got ${JSON.stringify(item.name)} twice`);
    known.add(item.name);
    for (const { caller } of item.grants)
      if (!isApplication(caller)) throw new RangeError(`devops ${item.name}.grants: expected a caller, got ${caller}`);
    for (const group of item.groups)
      for (const project of group.projects)
        if (!item.projects.includes(project))
          throw new RangeError(`devops ${item.name}.groups: expected a project of it, got ${project}`);
  }
}
