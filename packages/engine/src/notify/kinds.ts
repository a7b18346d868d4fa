/** Kinds of notices, and what follows from them. */

/** Everything that people are told. The database tells some of it itself, in the transaction that makes it happen. */
export type NoticeKind =
  | `run.${"awaiting-approval" | "executing" | "overlapping" | "completed" | "rolling-back" | "rolled-back" | "held"}`
  | `run.${"blocked" | "expired" | "rejected" | "withdrawn" | "superseded" | "overdue" | "contained" | "restore-late" | "left-as-is" | "unfinished"}`
  | `approval.${"reminder" | "escalated"}`
  | `breakglass.${"used" | "confirmed" | "reviewed" | "review-late"}`
  | `step.${"asked" | "reminded" | "asked-back"}`
  | `channel.${"dead" | "recovered" | "test"}`
  | "close.asked"
  | "credential.expiring"
  | "owner.weekly"
  | "recipient.refused"
  | "invariant.broken"
  | "scan.late"
  | "audit.out-of-band"
  | "digest";

/** Something went wrong, or went around the rules: each of these opens a ticket unless one stands for the application. */
export const troubleKinds: ReadonlySet<string> = new Set<NoticeKind>([
  "run.rolling-back",
  "run.rolled-back",
  "run.held",
  "run.blocked",
  "run.expired",
  "run.overdue",
  "run.restore-late",
  "run.unfinished",
  "breakglass.used",
  "breakglass.review-late",
]);

/** About what one person started alone: told also to those who may confirm and review it. */
export const breakGlassKinds: ReadonlySet<string> = new Set<NoticeKind>([
  "breakglass.used",
  "breakglass.confirmed",
  "breakglass.reviewed",
  "breakglass.review-late",
]);

/** Asked for again while a plan waits; said only as long as it does. */
export const waitingKinds: ReadonlySet<string> = new Set<NoticeKind>(["approval.reminder", "approval.escalated"]);

/** About the channels and the product itself; for operators. */
export const operatorKinds: ReadonlySet<string> = new Set<NoticeKind>([
  "channel.dead",
  "channel.recovered",
  "channel.test",
  "recipient.refused",
  "invariant.broken",
  "scan.late",
]);

/** What somebody did around us: for owners, security and operators, over some channel whatever their filters say. */
export const aroundUs: NoticeKind = "audit.out-of-band";

/** What was told, as far as it decides over a ticket. */
interface Told {
  readonly kind: string;
  readonly state?: unknown;
  readonly result?: unknown;
}

/** Whether the matter is settled by it, so that its ticket is closed: a rotation came to its end, or its use was accepted after that. */
export function settles({ kind, state, result }: Told): boolean {
  return kind === "run.completed" || (kind === "breakglass.reviewed" && result === "accepted" && state === "completed");
}

/** Whether `pattern` (`run.held`, `run.*`, `*`) names the kind. */
export function matchesKind(pattern: string, kind: string): boolean {
  return pattern === "*" || pattern === kind || (pattern.endsWith(".*") && kind.startsWith(pattern.slice(0, -1)));
}
