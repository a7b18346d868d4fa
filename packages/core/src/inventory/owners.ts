/** Whom a row names: technically, for the business, and for single credentials by their ids. */
export interface RowOwners {
  readonly owners: readonly string[];
  readonly businessOwners?: readonly string[] | undefined;
  readonly credentialOwners?: Readonly<Record<string, readonly string[]>> | undefined;
}

/** Who answers for the application, technically or for its business, each once. */
export function accountable({ owners, businessOwners = [] }: RowOwners): string[] {
  return [...new Set([...owners, ...businessOwners])];
}

/** Everybody a row names, the owners of single credentials included, each once. */
export function named(row: RowOwners): string[] {
  return [...new Set([...accountable(row), ...Object.values(row.credentialOwners ?? {}).flat()])];
}

/** Who answers for one credential beside the application's owners; nobody for one that no list names. */
export function ownersOfCredential({ credentialOwners }: RowOwners, credential: string | null): readonly string[] {
  return credential === null ? [] : (credentialOwners?.[credential] ?? []);
}

/**
 * How many people answer for it: with one it is ownerless on the day that person leaves. None without a technical owner,
 * whoever answers for its business: nobody could be asked to do anything.
 */
export function ownerCount(row: RowOwners): number {
  return row.owners.length === 0 ? 0 : accountable(row).length;
}
