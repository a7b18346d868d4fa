import type { ReactNode } from "react";
import { Pager } from "./pager.tsx";
import { Table } from "./table.tsx";

/** A page of a list, how much of all it is, and the way to the rest; or what there is to say where nothing is to be shown. */
export function Listing<T>({
  page,
  label,
  head,
  empty,
  row,
  cursor,
  more,
}: {
  readonly page: { readonly items: readonly T[]; readonly total: number; readonly nextCursor: string | null };
  readonly label: string;
  readonly head: readonly ReactNode[];
  readonly empty: ReactNode;
  /** One row, with its key. */
  readonly row: (item: T, index: number) => ReactNode;
  readonly cursor: string | undefined;
  readonly more: (cursor: string) => void;
}) {
  if (page.items.length === 0) return empty;
  return (
    <>
      <Table label={label} head={head}>
        {page.items.map(row)}
      </Table>
      <Pager page={page} cursor={cursor} more={more} />
    </>
  );
}
