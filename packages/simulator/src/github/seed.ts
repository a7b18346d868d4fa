import { generateKeyPairSync } from "node:crypto";
import { z } from "zod";
import { createRandom } from "../random.ts";
import { valueOf, valueSource } from "../tenant/value-source.ts";
import type { World } from "../world.ts";
import type { ActionsSecret } from "./model.ts";

const name = z.string().min(1).max(120);
const secrets = z
  .record(
    z.string(),
    z.strictObject({
      ...valueSource,
      visibility: z.enum(["all", "private", "selected"]).default("all"),
      /** Names `owner/repository`. */
      selected: z.array(name).default([]),
    }),
  )
  .default({});
const grant = {
  permissions: z.record(z.string(), z.enum(["read", "write"])),
  repositories: z.array(name).default(["*"]),
};

/** A GitHub of a scenario. */
export const githubScenario = z.strictObject({
  name,
  port: z.int().min(0).max(65_535).default(0),
  requestsPerHourMax: z.int().min(1).default(5_000),
  organizations: z.array(z.strictObject({ login: name, secrets })).default([]),
  repositories: z
    .array(
      z.strictObject({
        owner: name,
        name,
        private: z.boolean().default(true),
        secrets,
        environments: z.array(z.strictObject({ name, secrets })).default([]),
      }),
    )
    .default([]),
  apps: z.array(z.strictObject({ installation: z.int().min(1), ...grant })).default([]),
  tokens: z.array(z.strictObject({ token: z.string().min(8), caller: name, ...grant })).default([]),
});

type GithubScenario = z.output<typeof githubScenario>;

/** Adds the hosts of a scenario. */
export function seedGithub(world: World, scenario: readonly GithubScenario[]): void {
  for (const item of scenario) {
    const random = createRandom(world.seed, `github:${item.name}`);
    const ids = new Map(
      item.repositories.map(({ owner, name: repository }) => [
        `${owner}/${repository}`,
        random.integer(1_000_000, 999_999_999),
      ]),
    );
    const made = (wanted: GithubScenario["repositories"][number]["secrets"]): Record<string, ActionsSecret> =>
      Object.fromEntries(
        Object.entries(wanted).map(([secret, { visibility, selected, ...source }]) => [
          secret,
          {
            value: valueOf(world, source, `github ${item.name} ${secret}`),
            createdMs: world.clock.nowMs - 300 * 86_400_000,
            updatedMs: world.clock.nowMs - 86_400_000,
            visibility,
            selected: selected.map((one) => ids.get(one) ?? 0),
          },
        ]),
      );
    world.tenant.github.push({
      name: item.name,
      port: item.port,
      requestsPerHourMax: item.requestsPerHourMax,
      spent: {},
      tokens: item.tokens.map((token) => ({ ...token, expiresMs: null })),
      organizations: item.organizations.map(({ login, secrets: held }) => ({
        id: random.integer(1_000, 999_999),
        login,
        secrets: made(held),
        box: null,
      })),
      repositories: item.repositories.map((repository) => ({
        id: ids.get(`${repository.owner}/${repository.name}`) ?? 0,
        owner: repository.owner,
        name: repository.name,
        private: repository.private,
        secrets: made(repository.secrets),
        environments: repository.environments.map((one) => ({ name: one.name, secrets: made(one.secrets), box: null })),
        box: null,
      })),
      apps: item.apps.map((app) => {
        const pair = generateKeyPairSync("rsa", {
          modulusLength: 2048,
          publicKeyEncoding: { type: "spki", format: "pem" },
          privateKeyEncoding: { type: "pkcs1", format: "pem" },
        });
        return { ...app, clientId: `Iv23${random.hex(16)}`, ...pair };
      }),
    });
  }
}
