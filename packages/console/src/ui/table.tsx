import type { ReactNode } from "react";

/** A plain table with a sticky head; wide content scrolls inside it. */
export function Table({
  label,
  head,
  children,
}: {
  readonly label: string;
  readonly head: readonly ReactNode[];
  readonly children: ReactNode;
}) {
  return (
    <section className="overflow-x-auto rounded-lg border border-line2 bg-bg1" aria-label={label} tabIndex={-1}>
      <table className="w-full border-collapse text-left">
        <thead>
          <tr className="border-b border-line2 bg-bg2 text-xs text-fg3">
            {head.map((cell, index) => (
              <th key={index} scope="col" className="px-3 py-1.5 font-semibold whitespace-nowrap">
                {cell}
              </th>
            ))}
          </tr>
        </thead>
        <tbody className="[&>tr]:border-b [&>tr]:border-line2 [&>tr:hover]:bg-bg2 [&>tr:last-child]:border-0">
          {children}
        </tbody>
      </table>
    </section>
  );
}

export function Cell({ children, mono = false }: { readonly children: ReactNode; readonly mono?: boolean }) {
  return <td className={mono ? "px-3 py-1.5 font-mono text-xs" : "px-3 py-1.5"}>{children}</td>;
}
