import { z } from "zod";
import { guidField, nameField, personField } from "../config/schema.ts";
import { consumerKinds } from "../consumer-kinds/index.ts";
import { type DurationOptions, durationField } from "../time/duration.ts";
import { entryField } from "./fields.ts";

const role = z.string().regex(/^[a-z_][a-z0-9_]{0,62}$/, "expected a role name of a-z, 0-9 and underscore");

/** Credentials of one application that may have owners of their own. */
const credentialsMax = 50;

/** People by the id of a credential, in whatever letters it is written; each once. */
const credentialOwnersField = z
  .record(z.string(), z.array(personField).min(1).max(10))
  .superRefine((owners, context) => {
    const ids = new Set<string>();
    for (const key of Object.keys(owners)) {
      const id = guidField.safeParse(key);
      if (!id.success) context.addIssue({ code: "custom", path: [key], message: "expected the id of a credential" });
      else if (ids.has(id.data)) context.addIssue({ code: "custom", path: [key], message: "expected each id once" });
      else ids.add(id.data);
    }
    if (Object.keys(owners).length > credentialsMax)
      context.addIssue({ code: "custom", message: `expected at most ${credentialsMax} credentials` });
  })
  .transform((owners) => Object.fromEntries(Object.entries(owners).map(([id, people]) => [id.toLowerCase(), people])));

/** The form of an inventory: the allowlist. `seconds` as the profile allows. */
export function inventoryForm(durations: DurationOptions) {
  const common = {
    name: nameField,
    environment: nameField,
    pickup: durationField(durations, 0, 30 * 86_400),
    cadence: durationField(durations, 0, 366 * 86_400),
    callers: z
      .array(z.union([z.ipv4(), z.ipv6()]))
      .max(20)
      .default([]),
  };
  const [first, ...others] = Object.values(consumerKinds).map(({ kind, fields }) =>
    z.strictObject({ kind: z.literal(kind), ...common, ...fields }),
  );
  if (first === undefined) throw new TypeError("expected kinds of consumers, got none");
  const Consumer = z.discriminatedUnion("kind", [first, ...others]);
  const row = {
    name: nameField,
    /** For people; no part of what is approved. */
    note: z.string().max(2_000).optional(),
    environment: nameField,
    tenant: nameField,
    owners: z.array(personField).max(50),
    /** No default: what a row does not say is no part of its digest, so rows of before keep theirs. */
    businessOwners: z.array(personField).min(1).max(20).optional(),
    record: z.strictObject({ connection: nameField, name: entryField }),
    consumers: z.array(Consumer).max(100),
  };
  const credentialOwners = credentialOwnersField.optional();
  const status = z.literal("approved").optional();
  const Application = z.discriminatedUnion("procedure", [
    z.strictObject({
      procedure: z.literal("entra-client-secret"),
      status,
      ...row,
      objectId: guidField,
      appId: guidField,
      credentialOwners,
    }),
    z.strictObject({
      procedure: z.literal("postgres-role-password"),
      status,
      ...row,
      connection: nameField,
      roles: z.tuple([role, role]),
    }),
  ]);
  // Not listed yet: what is there must be well-formed, what is missing may be missing.
  const Proposed = z
    .strictObject({
      procedure: z.enum(["entra-client-secret", "postgres-role-password"]),
      ...row,
      objectId: guidField,
      appId: guidField,
      credentialOwners,
      connection: nameField,
      roles: z.tuple([role, role]),
    })
    .partial()
    .extend({ status: z.literal("proposed"), name: nameField });
  return z.strictObject({
    apiVersion: z.literal("countersign/inventory/v1"),
    applications: z.array(z.discriminatedUnion("status", [Proposed, Application])).max(20_000),
  });
}

export type InventoryForm = z.infer<ReturnType<typeof inventoryForm>>;
