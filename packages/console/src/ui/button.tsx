import type { ButtonHTMLAttributes } from "react";
import { cx } from "./classes.ts";

const looks = {
  primary: "border-transparent bg-brand text-on-brand hover:bg-brand-hover",
  plain: "border-line1 bg-bg1 text-fg1 hover:bg-bg3",
  danger: "border-bad-line bg-bg1 text-bad-fg hover:bg-bad-bg",
  dangerSolid: "border-transparent bg-bad-solid text-white hover:opacity-90",
  subtle: "border-transparent bg-transparent text-fg2 hover:bg-bg3",
} as const;

export interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  readonly look?: keyof typeof looks;
}

export function Button({ look = "plain", className, type = "button", ...rest }: ButtonProps) {
  return (
    <button
      type={type}
      className={cx(
        "inline-flex min-h-8 items-center justify-center gap-1.5 rounded border px-3 py-1 font-semibold disabled:cursor-not-allowed disabled:border-line2 disabled:bg-bg3 disabled:text-fg3",
        looks[look],
        className,
      )}
      {...rest}
    />
  );
}
