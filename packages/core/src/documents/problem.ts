import type { z } from "zod";
import { CountersignError, type ErrorCode } from "../errors.ts";
import { documentLimits } from "./limits.ts";

/** One mistake in a document, at a place a person can find. */
export interface Problem {
  readonly line: number;
  readonly col: number;
  /** How people find the place where lines and columns are not what they see, e.g. `item 12`. */
  readonly at?: string;
  /** Path of the field, e.g. `tenants[0].id`; empty for the document itself. */
  readonly path: string;
  /** `expected X, got Y`. */
  readonly message: string;
}

/** Which document is read: decides the error code. */
export type DocumentCode = Extract<ErrorCode, "CONFIG_INVALID" | "INVENTORY_INVALID" | "POLICY_INVALID">;

/** `tenants[0].id` from its parts. */
export function pathText(path: readonly PropertyKey[]): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else text += text === "" ? String(part) : `.${String(part)}`;
  }
  return text;
}

/** One error with all problems, at most {@link documentLimits.problemsMax}, in the order of the document. */
export function documentError(code: DocumentCode, problems: readonly Problem[]): CountersignError {
  const sorted = [...problems].sort((a, b) => a.line - b.line || a.col - b.col);
  const lines = sorted
    .slice(0, documentLimits.problemsMax)
    .map(({ line, col, at, path, message }) => `${at ?? `${line}:${col}`} ${path === "" ? "" : `${path}: `}${message}`);
  if (sorted.length > documentLimits.problemsMax) lines.push(`and ${sorted.length - documentLimits.problemsMax} more`);
  return new CountersignError(code, lines.join("\n"), { problems: sorted.length });
}

// A person may have put the secret itself where a reference belongs; the message must not repeat it (I7).
const secretField = /secret|password|token|credential|url$/i;

/** What stands at the place, short and safe to print. */
export function show(value: unknown, path: readonly PropertyKey[]): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object") return "a mapping";
  // A file that is one value is another file than was meant: a key, a password.
  if (path.length === 0) return `one ${typeof value === "string" ? "text" : typeof value}`;
  if (path.some((part) => typeof part === "string" && secretField.test(part))) return `another ${typeof value}`;
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}..."` : text;
}

const kindNames: Readonly<Record<string, string>> = {
  object: "a mapping",
  array: "a list",
  string: "text",
  record: "a mapping",
  int: "a whole number",
  number: "a number",
  boolean: "true or false",
  tuple: "a list",
};

/** A zod issue as `expected X, got Y`. A message of our own that already says so is kept. */
export function issueMessage(issue: z.core.$ZodIssue, got: unknown): string {
  const seen = show(got, issue.path);
  switch (issue.code) {
    case "invalid_type":
      return `expected ${kindNames[issue.expected] ?? issue.expected}, got ${seen}`;
    case "invalid_value":
      return `expected ${issue.values.map((value) => String(value)).join(" | ")}, got ${seen}`;
    case "too_big":
      return `expected at most ${issue.maximum}${unitOf(issue.origin)}, got ${sized(got, seen)}`;
    case "too_small":
      return `expected at least ${issue.minimum}${unitOf(issue.origin)}, got ${sized(got, seen)}`;
    case "unrecognized_keys":
      return `expected only known keys, got ${issue.keys.map((key) => JSON.stringify(key.slice(0, 60))).join(", ")}`;
    case "invalid_format":
      return issue.message.startsWith("expected ")
        ? withGot(issue.message, seen)
        : `expected ${issue.format === "regex" ? `text of the form ${issue.pattern ?? ""}` : issue.format}, got ${seen}`;
    default:
      return issue.message.startsWith("expected ")
        ? withGot(issue.message, seen)
        : `expected another value, got ${seen}`;
  }
}

const withGot = (message: string, seen: string) => (message.includes(", got ") ? message : `${message}, got ${seen}`);
const unitOf = (origin: string) => (origin === "string" ? " characters" : origin === "array" ? " entries" : "");
const sized = (got: unknown, seen: string) =>
  typeof got === "string" || Array.isArray(got) ? String(got.length) : seen;
