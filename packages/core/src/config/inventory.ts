import { z } from "zod";
import { csvDelimiters } from "../documents/csv.ts";
import type { InventoryFormat } from "../inventory/parse.ts";

const fileField = z
  .string()
  .max(300)
  .regex(/^[A-Za-z0-9_./-]+\.(?:yaml|yml|csv)$/, "expected a file name that ends in .yaml, .yml or .csv");

/** Which file is the inventory. */
export const InventoryConfigForm = z.strictObject({
  file: fileField.default("inventory.yaml"),
  delimiter: z.enum(csvDelimiters).default(","),
});
export type InventoryConfig = z.infer<typeof InventoryConfigForm>;

/** In which form the inventory's file is written, as its name says. */
export function inventoryFormat({ file, delimiter }: Pick<InventoryConfig, "file" | "delimiter">): InventoryFormat {
  return file.endsWith(".csv") ? { form: "csv", delimiter } : { form: "yaml" };
}
