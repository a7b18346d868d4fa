import { z } from "zod";
import { createRandom } from "../random.ts";
import type { World } from "../world.ts";

/** A ticket system of a scenario. */
export const deskScenario = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,60}$/),
  kind: z.enum(["jira", "servicenow"]),
  port: z.int().min(0).max(65_535).default(0),
  user: z.string().min(1).default("countersign@desk.example"),
  project: z.string().default("OPS"),
});

/** Adds the ticket systems of a scenario; a name that is known keeps its system. */
export function seedDesks(world: World, desks: readonly z.output<typeof deskScenario>[]): void {
  for (const desk of desks) {
    if (world.tenant.desks.some(({ name }) => name === desk.name)) continue;
    const random = createRandom(world.seed, `desk:${desk.name}`);
    world.tenant.desks.push({ ...desk, password: random.uuid(), tickets: [] });
  }
}
