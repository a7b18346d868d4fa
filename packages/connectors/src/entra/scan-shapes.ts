import { z } from "zod";
import { vendorTime } from "../kit/time.ts";
import { printedId } from "./schema.ts";
import { KeyCredential, PasswordCredential } from "./shapes.ts";

/** Printable, and in lower case from here on (`printedId`). */
const printed = printedId.regex(/^[\x21-\x7e]+$/);

/** An application or a service principal as scans read it: only these fields, everything else is ignored. */
export const Holder = z.object({
  id: printed,
  appId: printed,
  displayName: z.string().nullish(),
  createdDateTime: vendorTime.nullish(),
  passwordCredentials: z.array(PasswordCredential).max(1_200),
  keyCredentials: z.array(KeyCredential).max(1_200).optional(),
  signInAudience: z.string().max(64).nullish(),
  isDisabled: z.boolean().nullish(),
  accountEnabled: z.boolean().nullish(),
  serviceManagementReference: z.string().max(256).nullish(),
});
export type CredentialHolder = z.infer<typeof Holder>;

const link = z.string().max(8_192).nullish();

/** A page of which each object is judged on its own: one that nobody documented must not hide the other 998. */
export const Page = z.object({ value: z.array(z.unknown()).max(5_000), "@odata.nextLink": link });

/** A page of the delta query: which objects have changed or gone. */
export const Changed = z.object({
  value: z.array(z.object({ id: printed, "@removed": z.object({}).nullish() })).max(5_000),
  "@odata.nextLink": link,
  "@odata.deltaLink": link,
});
export type Changed = z.infer<typeof Changed>;
