import { z } from "zod";
import { vendorTime } from "../kit/time.ts";
import { printedId } from "./schema.ts";

/** Graph documents, only the fields we act on; unknown ones are ignored (Graph adds fields without notice). */
export const PasswordCredential = z.object({
  keyId: printedId,
  displayName: z.string().nullish(),
  startDateTime: vendorTime.nullish(),
  endDateTime: vendorTime.nullish(),
  hint: z.string().nullish(),
});
export type PasswordCredential = z.infer<typeof PasswordCredential>;

export const KeyCredential = z.object({
  keyId: printedId,
  displayName: z.string().nullish(),
  startDateTime: vendorTime.nullish(),
  endDateTime: vendorTime.nullish(),
});

export const Application = z.object({
  id: printedId,
  appId: printedId,
  displayName: z.string().nullish(),
  signInAudience: z.string().nullish(),
  passwordCredentials: z.array(PasswordCredential).max(1_200),
  keyCredentials: z.array(KeyCredential).max(1_200).optional(),
  web: z.object({ redirectUris: z.array(z.string()).optional() }).nullish(),
  spa: z.object({ redirectUris: z.array(z.string()).optional() }).nullish(),
  publicClient: z.object({ redirectUris: z.array(z.string()).optional() }).nullish(),
});
export type Application = z.infer<typeof Application>;

/** The answer of addPassword: the only time that the text is given. */
export const AddedPassword = PasswordCredential.extend({
  secretText: z.string().min(8).max(1_024),
  endDateTime: vendorTime,
});

/** One page of a listing. */
export function page<T>(item: z.ZodType<T>) {
  return z.object({ value: z.array(item).max(5_000), "@odata.nextLink": z.string().max(8_192).nullish() });
}

export const Identified = z.object({ id: z.string().min(1).max(128).toLowerCase() });

const Restriction = z.object({
  restrictionType: z.string(),
  state: z.string().nullish(),
  maxLifetime: z.string().nullish(),
  restrictForAppsCreatedAfterDateTime: vendorTime.nullish(),
});

const Restrictions = z.object({ passwordCredentials: z.array(Restriction).nullish() }).nullish();

/** Per-application policy (`restrictions`), and the tenant's default for each kind of object. */
export const AppPolicy = z.object({
  id: z.string().min(1).max(128).nullish(),
  isEnabled: z.boolean().nullish(),
  restrictions: Restrictions,
  applicationRestrictions: Restrictions,
  servicePrincipalRestrictions: Restrictions,
});
export type AppPolicy = z.infer<typeof AppPolicy>;

/** One line of the sign-in log (beta: v1.0 lacks the key id). */
export const SignInLine = z.object({
  id: z.string().min(1).max(128),
  createdDateTime: vendorTime,
  appId: z.string().toLowerCase().nullish(),
  ipAddress: z.string().nullish(),
  servicePrincipalCredentialKeyId: z.string().toLowerCase().nullish(),
  clientCredentialType: z.string().nullish(),
});

/** The activity report of one credential (beta). */
export const CredentialActivity = z.object({
  keyId: printedId,
  signInActivity: z.object({ lastSignInDateTime: vendorTime.nullish() }).nullish(),
});
