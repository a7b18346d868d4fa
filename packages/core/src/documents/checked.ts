import type { z } from "zod";
import { valueAt } from "./places.ts";
import { type DocumentCode, documentError, issueMessage, type Problem } from "./problem.ts";

/** A document read and checked, with a way to complain about places in it later. */
export interface ReadDocument<T> {
  readonly value: T;
  /** The problem at a path of the document, for checks across fields. */
  problem(path: readonly PropertyKey[], message: string): Problem;
  /** Throws one error naming all problems when there are any. */
  refuse(problems: readonly Problem[]): void;
}

/**
 * Checks what was read against its schema. Throws a {@link CountersignError} with `code` that lists every problem;
 * `place` says where a path stands, `keyPlace` where a key stands that should not be there.
 */
export function checkedDocument<T>(
  plain: unknown,
  schema: z.ZodType<T>,
  code: DocumentCode,
  place: (path: readonly PropertyKey[], message: string) => Problem,
  keyPlace: (path: readonly PropertyKey[], key: string) => Problem,
): ReadDocument<T> {
  const refuse = (problems: readonly Problem[]) => {
    if (problems.length > 0) throw documentError(code, problems);
  };
  const parsed = schema.safeParse(plain);
  refuse(
    mistakesIn(plain, parsed.error?.issues ?? []).map(({ path, key, message }) =>
      key === null ? place(path, message) : { ...keyPlace(path, key), message },
    ),
  );
  return { value: parsed.data as T, problem: place, refuse };
}

/** One thing that is not as a schema wants it. */
export interface Mistake {
  readonly path: readonly PropertyKey[];
  /** A key below the path that should not be there; null: it is about what stands at the path. */
  readonly key: string | null;
  /** `expected X, got Y`. */
  readonly message: string;
}

/** What zod found in `plain`, said as everywhere. */
export function mistakesIn(plain: unknown, issues: readonly z.core.$ZodIssue[]): Mistake[] {
  return flatten(issues, []).map(({ issue, path }) => ({
    path,
    key: issue.code === "unrecognized_keys" ? (issue.keys[0] ?? "") : null,
    message: issueMessage({ ...issue, path } as z.core.$ZodIssue, valueAt(plain, path)),
  }));
}

/** Issues inside the best-fitting branch of a union instead of "invalid union". */
function flatten(
  issues: readonly z.core.$ZodIssue[],
  base: readonly PropertyKey[],
): { issue: z.core.$ZodIssue; path: PropertyKey[] }[] {
  return issues.flatMap((issue) => {
    const path = [...base, ...issue.path];
    if (issue.code !== "invalid_union" || issue.errors.length === 0) return [{ issue, path }];
    const deepest = (branch: readonly z.core.$ZodIssue[]) => Math.max(0, ...branch.map((inner) => inner.path.length));
    const best = [...issue.errors].sort((a, b) => deepest(b) - deepest(a) || a.length - b.length)[0];
    return best === undefined ? [{ issue, path }] : flatten(best, path);
  });
}
