import { presentCredentials } from "../tenant/credentials.ts";
import { isoTime } from "../time.ts";
import type { World } from "../world.ts";

/**
 * Body of `GET /holdings`, for checkers: the newest value of each vault entry by the credential that it is, each client
 * secret that was ever made here, and the passwords in vaults. The simulator knows this of itself; nothing is read for it.
 */
export function holdings(world: World): Record<string, unknown> {
  const { applications, vaults } = world.tenant;
  const now = world.clock.nowMs;
  const known = new Map(
    applications.flatMap((application) =>
      application.credentials.map((credential) => [credential.secretText, { application, credential }] as const),
    ),
  );
  const secrets = vaults.flatMap((vault) =>
    Object.values(vault.secrets)
      .filter(({ deleted }) => deleted === null)
      .map((secret) => ({ vault: vault.name, secret })),
  );
  return {
    records: secrets.flatMap(({ vault, secret }) => {
      const found = known.get(secret.versions.at(-1)?.value ?? "");
      if (found === undefined) return [];
      const { application, credential } = found;
      return {
        vault,
        secret: secret.name,
        objectId: application.id,
        appId: application.appId,
        keyId: credential.keyId,
        signsIn: presentCredentials(application).includes(credential) && credential.endMs > now,
      };
    }),
    lifetimes: applications.flatMap(({ credentials }) =>
      credentials.flatMap(({ keyId, createdBy, createdMs, endMs }) =>
        createdBy === null ? [] : { keyId, created: isoTime(createdMs), end: isoTime(endMs) },
      ),
    ),
    values: [
      ...known.keys(),
      ...secrets.flatMap(({ secret }) => secret.versions.flatMap(({ value }) => passwordIn(value))),
    ],
  };
}

/** An account is stored as JSON with user and password. */
function passwordIn(value: string): string[] {
  if (!value.startsWith("{")) return [];
  const { password } = JSON.parse(value) as { password?: unknown };
  return typeof password === "string" ? [password] : [];
}
