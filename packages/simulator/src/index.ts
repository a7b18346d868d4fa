export { createPrivateAuthority, type PrivateAuthority } from "./certificate/authority.ts";
export { defaultKnobs, type KnobChange, type Knobs, quietKnobs } from "./faults/knobs.ts";
export { type Simulator, type SimulatorOptions, startSimulator } from "./simulator.ts";
export type { ScenarioInput } from "./tenant/scenario.ts";
export { type SeedTenantOptions, seedTenant } from "./tenant/seed-tenant.ts";
export type { Addresses } from "./world.ts";
