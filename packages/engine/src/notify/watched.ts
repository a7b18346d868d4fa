import type { RowOwners } from "@countersign/core";

/** An application of the inventory, as far as its owners are told of what comes. */
export interface Watched extends RowOwners {
  readonly name: string;
  readonly tenant: string;
  readonly environment: string;
  /** The directory object that holds its credentials; null: a kind of credential that no directory lists. */
  readonly objectId: string | null;
  /** So long before a credential ends its owners are told, seconds; none where no policy governs it. */
  readonly tellSeconds: readonly number[];
  /** So long before its end a rotation is asked for by itself; null: by nobody. */
  readonly dueSeconds: number | null;
}

/** Most credentials of one look; those that end soonest come first. */
export const expiringMax = 10_000;

/** By directory object, those that have one. */
export function byObject(watched: readonly Watched[]): ReadonlyMap<string, Watched & { readonly objectId: string }> {
  return new Map(
    watched.flatMap((one) =>
      one.objectId === null
        ? []
        : [[objectKey({ ...one, objectId: one.objectId }), { ...one, objectId: one.objectId }]],
    ),
  );
}

export function objectKey({ tenant, objectId }: { readonly tenant: string; readonly objectId: string }): string {
  return `${tenant} ${objectId}`;
}
