import type { Workload } from "../tenant/model.ts";
import type { World } from "../world.ts";
import { actEntra } from "./entra.ts";
import { actPostgres } from "./postgres.ts";

/** One sign-in of a workload, whatever it lives on. */
export function act(world: World, workload: Workload, atMs: number): Promise<void> {
  return workload.kind.startsWith("postgres") ? actPostgres(world, workload, atMs) : actEntra(world, workload, atMs);
}
