import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { messageOf } from "../api/client.ts";
import { Button } from "./button.tsx";

/** A failed call, with what to do about it. */
export function ProblemBox({ error, retry }: { readonly error: unknown; readonly retry?: () => void }) {
  return (
    <div role="alert" className="rounded-lg border border-bad-line bg-bad-bg px-4 py-3 text-bad-fg">
      <p className="font-semibold">That did not work</p>
      <p>{messageOf(error)}</p>
      {retry !== undefined && (
        <Button className="mt-2" onClick={retry}>
          Try again
        </Button>
      )}
    </div>
  );
}

/** Renders a query: its data, a calm placeholder while it loads, or the problem. */
export function Loaded<T>({
  of,
  children,
}: {
  readonly of: UseQueryResult<T>;
  readonly children: (data: T) => ReactNode;
}) {
  if (of.data !== undefined) return <>{children(of.data)}</>;
  if (of.isError) return <ProblemBox error={of.error} retry={() => void of.refetch()} />;
  return (
    <p role="status" className="flex items-center gap-2 px-1 py-6 text-fg3">
      {/* Only this fades: the words stay readable. */}
      <span aria-hidden="true" className="pulse size-2 rounded-full bg-current" />
      Loading…
    </p>
  );
}
