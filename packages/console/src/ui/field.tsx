import { type InputHTMLAttributes, type SelectHTMLAttributes, type TextareaHTMLAttributes, useId } from "react";
import { cx } from "./classes.ts";

const look = "w-full rounded border border-line1 bg-bg1 px-2.5 py-1.5 text-fg1 placeholder:text-fg3";

export function TextField({
  label,
  className,
  ...rest
}: InputHTMLAttributes<HTMLInputElement> & { readonly label: string }) {
  const id = useId();
  return (
    <div className={className}>
      <label htmlFor={id} className="mb-0.5 block text-xs font-semibold text-fg2">
        {label}
      </label>
      <input id={id} className={cx(look, "min-h-8")} {...rest} />
    </div>
  );
}

export function TextArea({ label, ...rest }: TextareaHTMLAttributes<HTMLTextAreaElement> & { readonly label: string }) {
  const id = useId();
  return (
    <div>
      <label htmlFor={id} className="mb-0.5 block text-xs font-semibold text-fg2">
        {label}
      </label>
      <textarea id={id} rows={3} className={look} {...rest} />
    </div>
  );
}

export function Choice({
  label,
  options,
  className,
  ...rest
}: SelectHTMLAttributes<HTMLSelectElement> & {
  readonly label: string;
  readonly options: readonly (readonly [string, string])[];
}) {
  const id = useId();
  return (
    <div className={className}>
      <label htmlFor={id} className="mb-0.5 block text-xs font-semibold text-fg2">
        {label}
      </label>
      <select id={id} className={cx(look, "min-h-8")} {...rest}>
        {options.map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
    </div>
  );
}
