/**
 * How sure we are that nobody uses the old secret any more; pure, so that every branch can be tested with literals.
 * Whatever is missing lowers the grade and is named; it is never taken as "unused".
 */
import type { GateReading } from "@countersign/core";
import type { SignIns } from "../kit/seams.ts";
import { isoOf } from "../kit/time.ts";

export interface GateInput {
  /** Domain time, ms. */
  readonly now: number;
  /** When the new value became the newest version: the cut-over. */
  readonly storedAt: number;
  readonly oldKeyId: string;
  readonly newKeyId: string;
  /** Is the record's newest version the one this run stored, for a key that is live? */
  readonly recordIsOurs: boolean;
  /** Are personal or other tenants' accounts kept out? Other tenants' sign-ins are in their logs, not in ours. */
  readonly singleTenant: boolean;
  /** Redirect URIs mean user flows, whose use of the secret this log may not show. */
  readonly redirectUris: boolean;
  /** Null when the log is not to be had. */
  readonly signIns: SignIns | null;
  /** Last use by the activity report; null = none recorded, undefined = no report. Weak evidence. */
  readonly activity: number | null | undefined;
  /** Request ids of our own sign-ins. */
  readonly ownRequestIds: ReadonlySet<string>;
  readonly quietSeconds: number;
  readonly logLagSeconds: number;
  readonly consumers: readonly { readonly name: string; readonly callers: readonly string[] }[];
}

export function readGate(input: GateInput): GateReading {
  const shut: string[] = [];
  const weak: string[] = [];
  const lines = (input.signIns?.lines ?? []).filter((line) => !input.ownRequestIds.has(line.id));
  const same = (a: string | null, b: string) => a !== null && a.toLowerCase() === b.toLowerCase();
  const oldUses = lines.filter((line) => same(line.keyId, input.oldKeyId)).map((line) => line.at);
  const newAddresses = new Set(lines.filter((line) => same(line.keyId, input.newKeyId)).map((line) => line.address));
  const unattributed = lines.filter((line) => line.keyId === null && line.at >= input.storedAt).length;
  const reported = typeof input.activity === "number" ? input.activity : null;
  const lastUse = oldUses.reduce<number | null>((last, at) => (last === null || at > last ? at : last), reported);
  const quietMs = input.now - Math.max(lastUse ?? 0, input.storedAt);
  const gapMs = longestGap(oldUses);

  if (!input.recordIsOurs) shut.push("record-not-ours");
  if (quietMs < input.quietSeconds * 1_000)
    shut.push(lastUse !== null && lastUse > input.storedAt ? "old-key-used" : "quiet-too-short");
  const stragglers =
    input.signIns === null
      ? []
      : input.consumers.flatMap(({ name, callers }) =>
          callers.every((caller) => newAddresses.has(caller)) ? [] : [name],
        );
  if (stragglers.length > 0) shut.push("caller-not-on-new-key");

  if (!input.singleTenant) weak.push("audience-not-single-tenant");
  if (input.redirectUris) weak.push("redirect-uris");
  if (input.signIns === null) weak.push("report-unavailable");
  else {
    if (oldUses.length === 0) weak.push("report-has-not-seen-key");
    if (input.signIns.cut) weak.push("report-cut");
    if (unattributed > 0) weak.push("sign-ins-without-key");
    if (quietMs < Math.max(gapMs, input.quietSeconds * 1_000) + input.logLagSeconds * 1_000)
      weak.push("quiet-shorter-than-gap-and-lag");
  }
  const noData = input.signIns === null && input.activity === undefined;
  return {
    grade: noData || shut.length > 0 ? "none" : weak.length > 0 ? "weak" : "strong",
    open: shut.length === 0,
    reasons: [...shut, ...weak],
    facts: {
      lastUse: lastUse === null ? null : isoOf(lastUse),
      usesSeen: oldUses.length,
      quietSeconds: Math.floor(quietMs / 1_000),
      quietRequired: input.quietSeconds,
      longestGapSeconds: Math.floor(gapMs / 1_000),
      logLagSeconds: input.logLagSeconds,
      source: input.signIns !== null ? "sign-in-log" : input.activity !== undefined ? "activity-report" : "none",
      stragglers,
      unattributed,
    },
  };
}

/** Longest time between two neighbouring uses, ms. */
function longestGap(times: readonly number[]): number {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted.reduce(
    (longest, at, index) => (index === 0 ? 0 : Math.max(longest, at - (sorted[index - 1] ?? at))),
    0,
  );
}
