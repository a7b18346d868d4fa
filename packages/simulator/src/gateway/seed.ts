import { z } from "zod";
import { createRandom } from "../random.ts";
import { valueOf, valueSource } from "../tenant/value-source.ts";
import type { World } from "../world.ts";

const name = z.string().min(1).max(120);

/** An interface of a scenario. */
export const gatewayScenario = z.strictObject({
  name,
  port: z.int().min(0).max(65_535).default(0),
  readable: z.boolean().default(false),
  entries: z.record(z.string(), z.strictObject(valueSource)),
});

/** Adds the interfaces of a scenario. */
export function seedGateways(world: World, scenario: readonly z.output<typeof gatewayScenario>[]): void {
  for (const item of scenario) {
    const random = createRandom(world.seed, `gateway:${item.name}`);
    world.tenant.gateways.push({
      name: item.name,
      port: item.port,
      readable: item.readable,
      token: random.secret(32),
      entries: Object.entries(item.entries).map(([entry, source]) => ({
        name: entry,
        id: random.uuid(),
        value: valueOf(world, source, `gateways ${item.name} ${entry}`),
        version: "by-hand",
        updatedMs: world.clock.nowMs - 86_400_000,
        writes: 0,
      })),
    });
  }
}
