import { z } from "zod";
import { PersonId, Time } from "./common.ts";

/** A role's name; policy may ask for others than the four that routes know. */
export const RoleName = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/);

/** What everybody may know of an installation, also before signing in. Every page shows it. */
export const Installation = z
  .object({
    profile: z.enum(["demo", "test", "production"]),
    clock: z.enum(["system", "virtual"]),
    separation: z.enum(["none", "roles"]),
    build: z.string(),
    origin: z.string(),
  })
  .meta({ id: "Installation" });

/** A person as others may see him: names stand only here, never in the log. */
export const Person = z.object({
  person: PersonId,
  name: z.string(),
  roles: z.array(RoleName),
});

export const SignIn = z.strictObject({
  login: z.string().min(1).max(200),
  password: z.string().min(1).max(1024),
  /** `cookie` for browsers; `bearer` answers with a token for `Authorization: Bearer` and sets no cookie. */
  kind: z.enum(["cookie", "bearer"]).default("cookie"),
});

export const SessionView = z
  .object({
    installation: Installation,
    /** Null before signing in. */
    person: Person.nullable(),
    expiresAt: Time.nullable(),
    /** Accounts of the local sign-in by login name, only in profile `demo`. */
    accounts: z.array(z.object({ login: z.string(), name: z.string(), roles: z.array(RoleName) })),
  })
  .meta({ id: "Session" });

export const SignedIn = z.object({
  person: Person,
  expiresAt: Time,
  /** Only for `kind: bearer`. */
  token: z.string().nullable(),
});
