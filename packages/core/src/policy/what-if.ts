import type { Policy } from "./parse.ts";
import { type Governed, type ResolvedPolicy, resolvePolicy } from "./resolve.ts";

/** One value that another policy would change for one application. Values as short JSON; null = not governed. */
export interface PolicyChange {
  readonly row: string;
  /** `governed`, or a field of {@link ResolvedPolicy} such as `overlapMinSeconds`. */
  readonly field: string;
  readonly before: string | null;
  readonly after: string | null;
}

/** What would change for these applications if `after` took the place of `before`. */
export function whatIf(before: Policy, after: Policy, rows: readonly Governed[]): PolicyChange[] {
  return rows.flatMap((row): PolicyChange[] => {
    const [was, will] = [resolvePolicy(before, row), resolvePolicy(after, row)];
    if (was === null && will === null) return [];
    if (was === null || will === null)
      return [
        {
          row: row.name,
          field: "governed",
          before: was === null ? null : was.environments.join(", "),
          after: will === null ? null : will.environments.join(", "),
        },
      ];
    return (Object.keys(was) as (keyof ResolvedPolicy)[])
      .map((field) => ({
        row: row.name,
        field,
        before: JSON.stringify(was[field]),
        after: JSON.stringify(will[field]),
      }))
      .filter((change) => change.before !== change.after);
  });
}
