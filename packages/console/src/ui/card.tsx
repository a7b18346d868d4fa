import type { ReactNode } from "react";
import { cx } from "./classes.ts";

/** A titled region of a page. */
export function Card(props: {
  readonly title: ReactNode;
  readonly aside?: ReactNode;
  /** `bad`: framed as something that went around the rules. */
  readonly tone?: "bad";
  readonly className?: string;
  readonly children: ReactNode;
}) {
  const frame = props.tone === "bad" ? "border-2 border-bad-line" : "border border-line2";
  return (
    <section className={cx("rounded-lg bg-bg1 px-4 py-3 shadow-xs", frame, props.className)}>
      <div className="mb-1.5 flex items-baseline justify-between gap-3">
        <h2 className="font-semibold">{props.title}</h2>
        {props.aside !== undefined && <div className="text-xs text-fg3">{props.aside}</div>}
      </div>
      {props.children}
    </section>
  );
}

/** Names and values, one per line. */
export function Facts({ items }: { readonly items: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className="grid grid-cols-[max-content_1fr] gap-x-3 gap-y-0.5">
      {items.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-fg3">{name}</dt>
          <dd className="min-w-0 break-words">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Nothing here yet: why, and what to do next, also as a command. */
export function Empty(props: { readonly title: string; readonly children: ReactNode; readonly command?: string }) {
  return (
    <div className="rounded-lg border border-dashed border-line1 bg-bg2 px-5 py-6 text-center">
      <p className="font-semibold">{props.title}</p>
      <p className="mt-1 text-fg2">{props.children}</p>
      {props.command !== undefined && <Command text={props.command} className="mt-3" />}
    </div>
  );
}

/** A command line to copy. */
export function Command({ text, className }: { readonly text: string; readonly className?: string }) {
  return (
    <span
      className={cx(
        "inline-flex max-w-full items-center gap-2 rounded border border-line2 bg-bg3 py-0.5 pr-1 pl-2",
        className,
      )}
    >
      <code className="min-w-0 font-mono text-xs break-all">{text}</code>
      <button
        type="button"
        className="rounded px-1.5 py-0.5 text-xs font-semibold text-brand-fg hover:bg-bg1"
        onClick={() => void navigator.clipboard.writeText(text)}
      >
        Copy
      </button>
    </span>
  );
}
