import {
  CountersignError,
  type Inventory,
  type InventoryFrom,
  inventoryFormat,
  inventoryText,
  listLines,
  parseInventory,
  parseInventoryTable,
} from "@countersign/core";
import { durationsOf, type Installation } from "@countersign/server";
import { withConnectors } from "./look.ts";

/** What stands where people keep the inventory, read as strictly as the file, and what the file would be. */
export interface Pulled {
  readonly inventory: Inventory;
  readonly text: string;
  readonly from: InventoryFrom;
}

/** Reads the inventory from its source. Throws INPUT_INVALID without one, INVENTORY_INVALID with the place of each mistake. */
export async function pullInventory(installation: Installation): Promise<Pulled> {
  const { config } = installation;
  const { from } = config.inventory;
  if (from === null)
    throw new CountersignError("INPUT_INVALID", "expected inventory.from in the configuration, got none");
  const format = inventoryFormat(config.inventory);
  const durations = durationsOf(config);
  const found = await withConnectors(installation, (connectors, ctx) => connectors.inventoryAt(ctx, from));
  const written = (inventory: Omit<Inventory, "digest">) =>
    inventoryText(
      [...inventory.rows, ...inventory.proposed].map((row) => ({ row })),
      format,
      ["Pulled from SharePoint: change it there, not here."],
    );
  let text: string;
  if (found.kind === "list") text = written(parseInventoryTable(listLines(found.columns, found.items), durations));
  else {
    const theirs = inventoryFormat({ ...config.inventory, file: from.kind === "sharepoint-file" ? from.path : "" });
    const read = parseInventory(found.text, durations, theirs);
    // In the same form it is taken as it stands, comments and all.
    text = theirs.form === format.form ? found.text : written(read);
  }
  return { inventory: parseInventory(text, durations, format), text, from };
}
