import { z } from "zod";
import type { World } from "../world.ts";
import { findApplication } from "./find.ts";

/** Where the value of a seeded entry comes from: a credential of an application, or a literal. */
export const valueSource = {
  from: z.strictObject({ application: z.string(), secret: z.string() }).optional(),
  value: z.string().optional(),
};

/** The value; throws RangeError for a credential that is not there. */
export function valueOf(
  world: World,
  source: { from?: { application: string; secret: string } | undefined; value?: string | undefined },
  path: string,
): string {
  if (source.from === undefined) return source.value ?? "";
  const { application, secret } = source.from;
  const keyId = world.tenant.names[application]?.secrets[secret];
  const credential = findApplication(world.tenant, application)?.credentials.find((item) => item.keyId === keyId);
  if (credential === undefined)
    throw new RangeError(`${path}: expected a secret of application ${application}, got ${secret}`);
  return credential.secretText;
}
