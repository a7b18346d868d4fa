import type { Workload } from "../tenant/model.ts";
import type { World } from "../world.ts";
import { actEntra } from "./entra.ts";

/** One sign-in of a workload, whatever it lives on. */
export function act(world: World, workload: Workload, atMs: number): Promise<void> {
  return actEntra(world, workload, atMs);
}
