import type { RunState } from "@countersign/contract";
import type { ReactNode } from "react";
import { states, type Tone } from "../text/words.ts";
import { cx } from "./classes.ts";

export const tones: Readonly<Record<Tone, string>> = {
  neutral: "border-line2 bg-bg3 text-fg2",
  brand: "border-transparent bg-brand-bg text-brand-fg",
  good: "border-good-line bg-good-bg text-good-fg",
  warn: "border-warn-line bg-warn-bg text-warn-fg",
  bad: "border-bad-line bg-bad-bg text-bad-fg",
};

export function Badge({ tone = "neutral", children }: { readonly tone?: Tone; readonly children: ReactNode }) {
  return (
    <span
      className={cx(
        "inline-flex items-center rounded border px-1.5 text-xs/5 font-semibold whitespace-nowrap",
        tones[tone],
      )}
    >
      {children}
    </span>
  );
}

export function StateBadge({ state }: { readonly state: RunState }) {
  return <Badge tone={states[state].tone}>{states[state].word}</Badge>;
}
