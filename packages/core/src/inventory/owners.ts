import type { InventoryRow } from "./row.ts";

type Named = Pick<InventoryRow, "owners" | "businessOwners"> & {
  readonly credentialOwners?: Readonly<Record<string, readonly string[]>>;
};

/** Who answers for the application, technically or for its business, each once. With one of them it is ownerless on the day that person leaves. */
export function accountable({ owners, businessOwners = [] }: Named): string[] {
  return [...new Set([...owners, ...businessOwners])];
}

/** Everybody a row names, the owners of single credentials included, each once. */
export function named(row: Named): string[] {
  return [...new Set([...accountable(row), ...Object.values(row.credentialOwners ?? {}).flat()])];
}
