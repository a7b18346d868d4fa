import { z } from "zod";
import { csvDelimiters } from "../documents/csv.ts";
import type { InventoryFormat } from "../inventory/parse.ts";
import { guidField, nameField, secretField, urlField } from "./fields.ts";

const fileField = z
  .string()
  .max(300)
  .regex(/^[A-Za-z0-9_./-]+\.(?:yaml|yml|csv)$/, "expected a file name that ends in .yaml, .yml or .csv");

/** Where it is read, and as whom: an application of its own that may read this one site and nothing else. */
const shared = {
  tenant: nameField,
  client: z.strictObject({ clientId: guidField, secret: secretField }),
};

/** Where people keep the inventory, when that is not the file itself. */
const InventoryFromForm = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("sharepoint-list"),
    ...shared,
    /** As Graph prints it: host, id of the site collection, id of the site. */
    site: z
      .string()
      .max(300)
      .regex(
        /^[A-Za-z0-9.-]+,[0-9a-fA-F-]{36},[0-9a-fA-F-]{36}$/,
        "expected a site's id: host, two ids, separated by commas",
      ),
    list: guidField,
  }),
  z.strictObject({
    kind: z.literal("sharepoint-file"),
    ...shared,
    drive: z.string().regex(/^[A-Za-z0-9!_-]{1,200}$/, "expected a drive's id as Graph prints it"),
    /** In the library, without its name. */
    path: z
      .string()
      .max(300)
      .regex(
        /^(?!.*(?:^|\/)\.{1,2}(?:\/|$))[A-Za-z0-9_. -]+(?:\/[A-Za-z0-9_. -]+)*\.(?:yaml|yml|csv)$/,
        "expected a path in the library that ends in .yaml, .yml or .csv",
      ),
    /** Where Graph sends us for the content: the origin of the SharePoint. */
    downloads: urlField,
  }),
]);
export type InventoryFrom = z.infer<typeof InventoryFromForm>;

/** Which file is the inventory, and where it is pulled from. */
export const InventoryConfigForm = z.strictObject({
  file: fileField.default("inventory.yaml"),
  delimiter: z.enum(csvDelimiters).default(","),
  from: InventoryFromForm.nullable().default(null),
});
export type InventoryConfig = z.infer<typeof InventoryConfigForm>;

/** In which form the inventory's file is written, as its name says. */
export function inventoryFormat({ file, delimiter }: Pick<InventoryConfig, "file" | "delimiter">): InventoryFormat {
  return file.endsWith(".csv") ? { form: "csv", delimiter } : { form: "yaml" };
}
