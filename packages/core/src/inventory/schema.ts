import { z } from "zod";
import { guidField, nameField, personField } from "../config/schema.ts";
import { type DurationOptions, durationField } from "../time/duration.ts";

const entry = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9-]{0,126}$/, "expected a name of letters, digits and dashes, at most 127 characters");
const path = z
  .string()
  .max(300)
  .refine(
    (text) =>
      /^[A-Za-z0-9_][A-Za-z0-9._/-]*$/.test(text) &&
      !text.split("/").some((part) => part === "" || part === "." || part === ".."),
    {
      error: "expected a relative path without . and ..",
    },
  );
const role = z.string().regex(/^[a-z_][a-z0-9_]{0,62}$/, "expected a role name of a-z, 0-9 and underscore");

/** The form of inventory.yaml: the allowlist. `seconds` as the profile allows. */
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
  const Consumer = z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("latest"), ...common }),
    z.strictObject({ kind: z.literal("pinned"), ...common, connection: nameField, path }),
    z.strictObject({ kind: z.literal("copied"), ...common, connection: nameField, entry }),
    z.strictObject({ kind: z.literal("connection-file"), ...common, connection: nameField, path }),
  ]);
  const row = {
    name: nameField,
    environment: nameField,
    tenant: nameField,
    owners: z.array(personField).max(50),
    record: z.strictObject({ connection: nameField, name: entry }),
    consumers: z.array(Consumer).max(100),
  };
  const Application = z.discriminatedUnion("procedure", [
    z.strictObject({ procedure: z.literal("entra-client-secret"), ...row, objectId: guidField, appId: guidField }),
    z.strictObject({
      procedure: z.literal("postgres-role-password"),
      ...row,
      connection: nameField,
      roles: z.tuple([role, role]),
    }),
  ]);
  return z.strictObject({
    apiVersion: z.literal("countersign/inventory/v1"),
    applications: z.array(Application).max(20_000),
  });
}

export type InventoryForm = z.infer<ReturnType<typeof inventoryForm>>;
