import type { ReactNode } from "react";
import { Button } from "./button.tsx";

/** What of a list is asked for, as it stands in the address, so that a view can be shared. */
export type Filter<K extends string> = { readonly [key in K]?: string };

/** Reads such a filter: only what is known and not empty. */
export function filterReader<const K extends string>(keys: readonly K[]): (search: object) => Filter<K> {
  return (search) =>
    Object.fromEntries(
      keys.flatMap((key) => {
        const value = (search as Record<string, unknown>)[key];
        return typeof value === "string" && value !== "" ? [[key, value]] : [];
      }),
    ) as Filter<K>;
}

/** How a choice is shown: its values with their counts, and what is chosen also when there is none of it any more. */
export function options(
  facet: readonly { readonly value: string; readonly count: number }[] = [],
  chosen: string | undefined,
  wordOf: (value: string) => string = (value) => value,
): readonly (readonly [string, string])[] {
  const isMissing = chosen !== undefined && !facet.some(({ value }) => value === chosen);
  const all = isMissing ? [...facet, { value: chosen, count: 0 }] : facet;
  return [["", "All"], ...all.map(({ value, count }) => [value, `${wordOf(value)} (${count})`] as const)];
}

/** Under a list: how much of it is shown, and the way to the rest. */
export function Pager({
  page,
  cursor,
  more,
  children,
}: {
  readonly page: { readonly items: readonly unknown[]; readonly total: number; readonly nextCursor: string | null };
  readonly cursor: string | undefined;
  readonly more: (cursor: string) => void;
  readonly children?: ReactNode;
}) {
  const { items, total, nextCursor } = page;
  return (
    <div className="mt-3 flex items-center justify-between text-fg2">
      <span role="status">
        {items.length} of {total} that fit
      </span>
      <span className="flex gap-2">
        {children}
        {cursor !== undefined && <Button onClick={() => window.history.back()}>Back</Button>}
        {nextCursor !== null && <Button onClick={() => more(nextCursor)}>Next page</Button>}
      </span>
    </div>
  );
}
