import { createRandom } from "../random.ts";
import type { ScenarioInput } from "./scenario.ts";

const FIRST = [
  "billing",
  "orders",
  "payroll",
  "catalog",
  "search",
  "identity",
  "shipping",
  "invoice",
  "claims",
  "ledger",
] as const;
const SECOND = ["api", "worker", "sync", "portal", "export", "bot", "batch", "gateway"] as const;

/** What a random scenario holds. */
export interface SeedTenantOptions {
  /** Default 20. */
  applications?: number;
  /** Default 5. */
  users?: number;
  /** Live secrets on each application, from 1 to this; default 3. */
  secretsMax?: number;
  /** Share of applications without any owner; default 0.1. */
  ownerless?: number;
  /** Share of applications that `writer` may write; default 0.5. */
  writable?: number;
}

/** A random scenario: the seed picks names, ages, owners and how many secrets each application has. */
export function seedTenant(seed: number, options: SeedTenantOptions = {}): ScenarioInput {
  const random = createRandom(seed, "seed-tenant");
  const users = Array.from({ length: options.users ?? 5 }, (_, index) => ({ name: `user-${index}-${random.hex(4)}` }));
  const applications = Array.from({ length: options.applications ?? 20 }, (_, index) => {
    const owners = random.chance(options.ownerless ?? 0.1) || users.length === 0 ? [] : [random.pick(users).name];
    const writable = random.chance(options.writable ?? 0.5) ? ["writer"] : [];
    const secrets = Array.from({ length: random.integer(1, options.secretsMax ?? 3) }, (_, key) => ({
      name: `key-${key}`,
      displayName: random.chance(0.2) ? null : `key ${random.hex(4)}`,
      startDaysAgo: random.integer(1, 600),
      expiresInDays: random.integer(-60, 720),
    }));
    return {
      name: `${random.pick(FIRST)}-${random.pick(SECOND)}-${index}`,
      createdDaysAgo: random.integer(600, 2000),
      owners: [...owners, ...writable],
      secrets,
      ...(random.chance(0.1)
        ? { certificates: [{ name: "certificate", expiresInDays: random.integer(-30, 400) }] }
        : {}),
    };
  });
  return { users, applications };
}
