/** Kinds of notices, and what follows from them. */

/** Something went wrong: each of these opens a ticket unless one stands for the application. */
export const troubleKinds: ReadonlySet<string> = new Set([
  "run.rolling-back",
  "run.rolled-back",
  "run.held",
  "run.blocked",
  "run.expired",
  "run.overdue",
]);

/** The matter is settled: its ticket is closed. */
export const settledKinds: ReadonlySet<string> = new Set(["run.completed"]);

/** Asked for again while a plan waits; said only as long as it does. */
export const waitingKinds: ReadonlySet<string> = new Set(["approval.reminder", "approval.escalated"]);

/** About the channels themselves; for operators. */
export const operatorKinds: ReadonlySet<string> = new Set([
  "channel.dead",
  "channel.recovered",
  "channel.test",
  "recipient.refused",
]);

/** Whether `pattern` (`run.held`, `run.*`, `*`) names the kind. */
export function matchesKind(pattern: string, kind: string): boolean {
  return pattern === "*" || pattern === kind || (pattern.endsWith(".*") && kind.startsWith(pattern.slice(0, -1)));
}
