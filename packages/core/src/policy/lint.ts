import { Temporal } from "temporal-polyfill";
import { formatDuration } from "../time/duration.ts";
import { type Freeze, longestGapSeconds } from "../time/windows.ts";
import type { Policy } from "./parse.ts";
import type { PolicyEnvironment } from "./schema.ts";

/** One thing a policy says that will not work out. `block` refuses its activation. */
export interface PolicyLint {
  readonly environment: string;
  readonly code: string;
  readonly result: "warn" | "block";
  readonly sentence: string;
  readonly observed: string;
  readonly required: string;
}

type Rule = (environment: PolicyEnvironment) => Omit<PolicyLint, "environment"> | null;

const rules: readonly Rule[] = [
  (environment) => {
    const gap = gapSeconds(environment);
    if (gap !== null) return null;
    return {
      code: "windows-never-open",
      result: "block",
      sentence: "The windows never open, so nothing can ever be rotated.",
      observed: "never",
      required: "an opening every week",
    };
  },
  (environment) => {
    const gap = gapSeconds(environment) ?? 0;
    const needed =
      environment.approvals.expiresAfter + gap + environment.overlap.min + environment.rollback.minRemaining;
    if (environment.rotateWhenExpiresIn >= needed) return null;
    return {
      code: "rotate-too-late",
      result: "block",
      sentence:
        "Approvals, the longest wait for a window, the overlap and the rest a rollback needs do not fit before expiry.",
      observed: formatDuration(environment.rotateWhenExpiresIn),
      required: `at least ${formatDuration(needed)}`,
    };
  },
  (environment) => {
    const freeze = Math.max(0, ...environment.freezes.map(freezeSeconds));
    const needed =
      environment.approvals.expiresAfter +
      (gapSeconds(environment) ?? 0) +
      freeze +
      environment.overlap.min +
      environment.rollback.minRemaining;
    if (freeze === 0 || environment.rotateWhenExpiresIn >= needed) return null;
    return {
      code: "freeze-outlasts-warning",
      result: "warn",
      sentence: "A credential that becomes due at the start of the longest freeze may expire before it ends.",
      observed: formatDuration(environment.rotateWhenExpiresIn),
      required: `at least ${formatDuration(needed)}`,
    };
  },
  (environment) => {
    const least = environment.rotateWhenExpiresIn + environment.overlap.min;
    if (environment.secretLifetime.max > least) return null;
    return {
      code: "always-due",
      result: "block",
      sentence: "A new credential would be due again before the old one is gone.",
      observed: formatDuration(environment.secretLifetime.max),
      required: `more than ${formatDuration(least)}`,
    };
  },
  (environment) => {
    if (!environment.prod || (environment.proof.times - 1) * environment.proof.spacing >= 60) return null;
    return {
      code: "proof-too-short",
      result: "warn",
      sentence: "Replicas learn of a new secret within seconds to minutes; a short proof may miss one.",
      observed: formatDuration((environment.proof.times - 1) * environment.proof.spacing),
      required: "at least PT1M",
    };
  },
  (environment) => {
    if (environment.approvals.separation.includes("requester-cannot-approve")) return null;
    return {
      code: "self-approval",
      result: "warn",
      sentence: "Who asks may also approve.",
      observed: "allowed",
      required: "requester-cannot-approve",
    };
  },
  (environment) => {
    if (!environment.prod || environment.retire.minGrade !== "none") return null;
    return {
      code: "retire-without-evidence",
      result: "warn",
      sentence: "Old credentials are removed although nothing shows that they are unused.",
      observed: "none",
      required: "weak or strong",
    };
  },
];

/** Checks what a policy means, environment by environment; an empty list is a good policy. */
export function lintPolicy(policy: Policy): PolicyLint[] {
  const found = Object.entries(policy.environments).flatMap(([name, environment]) =>
    rules.flatMap((rule): PolicyLint[] => {
      const lint = rule(environment);
      return lint === null ? [] : [{ environment: name, ...lint }];
    }),
  );
  const governsAll = Object.values(policy.environments).some(
    ({ match }) =>
      match.tenant === undefined &&
      match.environment === undefined &&
      (match.names === undefined || match.names.includes("*")),
  );
  if (!governsAll)
    found.push({
      environment: "*",
      code: "ungoverned",
      result: "warn",
      sentence: "Applications that no environment matches are blocked.",
      observed: "no environment matches everything",
      required: "one with `match: {}`",
    });
  return found;
}

function gapSeconds(environment: PolicyEnvironment): number | null {
  return environment.windows === "always" ? 0 : longestGapSeconds(environment.windows);
}

function freezeSeconds(freeze: Pick<Freeze, "from" | "to">): number {
  return (Temporal.PlainDate.from(freeze.from).until(freeze.to, { largestUnit: "days" }).days + 1) * 86_400;
}
