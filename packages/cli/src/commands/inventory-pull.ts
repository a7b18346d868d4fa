import { existsSync, renameSync, writeFileSync } from "node:fs";
import {
  CountersignError,
  checkInventory,
  type Inventory,
  type InventoryChange,
  inventoryDiff,
} from "@countersign/core";
import { groundOf, type Installation, inventoryPath, loadInstallation, readTrust } from "@countersign/server";
import { type Pulled, pullInventory } from "../fleet/inventory-source.ts";
import { exit, plain, print, printJson, table } from "../output.ts";

export interface PullOptions {
  readonly config: string;
  readonly write?: string;
  readonly json?: boolean;
}

/**
 * Shows what the source of the inventory says otherwise than the inventory in force. With the digest that was shown it
 * replaces the file; the file then counts once it is accepted, as after any edit.
 */
export async function runPull(options: PullOptions): Promise<number> {
  const installation = loadInstallation(options.config);
  const inForce = inventoryInForce(installation);
  const pulled = await pullInventory(installation);
  const { inventory } = pulled;
  const changes = inventoryDiff(inForce ?? { rows: [], proposed: [] }, inventory);
  const problems = checkInventory(inventory.rows, installation.config, installation.config.signIn.local);
  if (options.write !== undefined) {
    if (options.write !== inventory.digest)
      throw new CountersignError(
        "CONFLICT",
        `expected ${options.write} in the source, got ${inventory.digest}: look at what it says now`,
      );
    if (problems.length > 0) throw problemsError(problems);
    replace(installation, pulled, inForce !== null);
  }
  const count = (change: InventoryChange["change"]) => changes.filter((one) => one.change === change).length;
  const counts = { added: count("added"), removed: count("removed"), changed: count("changed") };
  if (options.json === true)
    printJson({
      digest: inventory.digest,
      inForce: inForce?.digest ?? null,
      listed: inventory.rows.length,
      proposed: inventory.proposed.length,
      ...counts,
      changes,
      toMend: problems,
      written: options.write !== undefined,
    });
  else tell(options, inventory, { changes, counts, problems, inForce });
  return problems.length === 0 ? exit.ok : exit.failed;
}

type Problems = ReturnType<typeof checkInventory>;

function tell(
  { write }: PullOptions,
  inventory: Inventory,
  {
    changes,
    counts,
    problems,
    inForce,
  }: {
    readonly changes: readonly InventoryChange[];
    readonly counts: { readonly added: number; readonly removed: number; readonly changed: number };
    readonly problems: Problems;
    readonly inForce: Inventory | null;
  },
): void {
  if (changes.length > 0)
    print(
      table(
        ["application", "", "field", "in force", "in the source"],
        changes.flatMap(({ application, change, fields }) =>
          fields.length === 0
            ? [[application, change, "", "", ""]]
            : fields.map(({ field, was, is }) => [application, change, field, was, is].map(plain)),
        ),
      ),
    );
  for (const { row, code, observed, required } of problems)
    print(plain(`to mend: ${row} ${code}: expected ${required}, got ${observed}`));
  print(
    `${inventory.rows.length} applications listed, ${inventory.proposed.length} proposed; ${inForce === null ? "none is in force yet" : `${counts.added} added, ${counts.removed} removed, ${counts.changed} changed`}`,
  );
  if (write !== undefined)
    print("written. Nothing is planned or executed until it is accepted: countersign inventory accept");
  else if (inventory.digest === inForce?.digest) print("the source says what is in force");
  else if (problems.length === 0) print(`to take exactly this: countersign inventory pull --write ${inventory.digest}`);
}

/** The inventory that was accepted; null before the installation is made. Throws INVENTORY_UNTRUSTED after an edit. */
function inventoryInForce(installation: Installation): Inventory | null {
  try {
    readTrust(installation.state);
  } catch {
    return null;
  }
  return groundOf(installation).inventory();
}

function problemsError(problems: Problems): CountersignError {
  const lines = problems.map(
    ({ row, code, observed, required }) => `${row} ${code}: expected ${required}, got ${observed}`,
  );
  return new CountersignError("INVENTORY_INVALID", lines.slice(0, 20).join("\n"));
}

/** In one step, so that whoever reads it sees the old file or the new one. Before there is an installation only a new file. */
function replace(installation: Installation, { text }: Pulled, isInForce: boolean): void {
  const path = inventoryPath(installation);
  if (!isInForce && existsSync(path))
    throw new CountersignError("CONFLICT", `expected no file at ${path} before an inventory was accepted, got one`);
  writeFileSync(`${path}.new`, text, { mode: 0o644 });
  renameSync(`${path}.new`, path);
}
