import { z } from "zod";
import { createRandom } from "../random.ts";
import type { World } from "../world.ts";

/** A room of a scenario. */
export const chatScenario = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,60}$/),
  kind: z.enum(["slack", "teams"]),
  port: z.int().min(0).max(65_535).default(0),
});

/** Adds the rooms of a scenario; a name that is known keeps its room. */
export function seedChat(world: World, rooms: readonly z.output<typeof chatScenario>[]): void {
  for (const room of rooms) {
    if (world.tenant.chat.some(({ name }) => name === room.name)) continue;
    const random = createRandom(world.seed, `chat:${room.name}`);
    world.tenant.chat.push({ ...room, token: random.uuid().replaceAll("-", ""), messages: [] });
  }
}
