import type { InventoryRow } from "../inventory/row.ts";
import { matchesPattern } from "../inventory/scope.ts";
import { type Grade, type VerifyLevel, verifyLevels } from "../ports/index.ts";
import type { Schedule } from "../time/windows.ts";
import type { Policy } from "./parse.ts";
import { approvalLevels, grades, type PolicyEnvironment, separations } from "./schema.ts";

type ApprovalLevel = (typeof approvalLevels)[number];

/** One requirement; a person must fit every `from`. */
export interface ResolvedRequirement {
  readonly role: string;
  readonly from: readonly string[];
  readonly count: number;
  /** Asked only when the plan carries a risk. */
  readonly onlyAtRisk: boolean;
}

/** What policy says for one application: the strictest of each value over all environments that match. */
export interface ResolvedPolicy {
  /** Names of the matching environments, in the order of the document. */
  readonly environments: readonly string[];
  readonly prod: boolean;
  readonly rotateWhenExpiresInSeconds: number;
  readonly lifetimeMaxSeconds: number;
  readonly overlapMinSeconds: number;
  readonly overlapMaxSeconds: number;
  readonly schedule: Schedule;
  readonly approvals: {
    readonly expiresAfterSeconds: number;
    readonly minLevel: ApprovalLevel;
    readonly require: readonly ResolvedRequirement[];
    readonly separation: readonly (typeof separations)[number][];
  };
  readonly proof: { readonly times: number; readonly spacingSeconds: number; readonly deadlineSeconds: number };
  readonly rollbackMinRemainingSeconds: number;
  /** So long before a credential ends its owners are told; the longest first. */
  readonly tellBeforeExpirySeconds: readonly number[];
  /** What holds instead of `approvals` for a compromised credential, and by when it is to be contained and restored. */
  readonly emergency: {
    readonly expiresAfterSeconds: number;
    readonly require: readonly ResolvedRequirement[];
    readonly containWithinSeconds: number;
    readonly restoreWithinSeconds: number;
  };
  /** What holds instead of `approvals` for a credential that a request names; security is always among them. */
  readonly remediation: { readonly expiresAfterSeconds: number; readonly require: readonly ResolvedRequirement[] };
  /** Roles that may start alone, and what that asks for afterwards; null: nobody may. */
  readonly breakGlass: {
    readonly roles: readonly string[];
    readonly confirm: readonly string[];
    readonly expiresAfterSeconds: number;
    readonly confirmWithinSeconds: number;
    readonly reviewWithinSeconds: number;
    readonly unconfirmed: "hold" | "roll-back";
  } | null;
  readonly retire: { readonly minGrade: Grade; readonly consumerLevel: VerifyLevel; readonly quietSeconds: number };
  readonly mode: "supervised";
}

/** What of a row decides which environments match. */
export type Governed = Pick<InventoryRow, "name" | "environment" | "tenant" | "procedure">;

/** The strictest policy for this row in its tenant; null when no environment matches, which means deny. */
export function resolvePolicy(policy: Policy, row: Governed): ResolvedPolicy | null {
  const matching = Object.entries(policy.environments).filter(([, environment]) => matches(environment, row));
  const all = matching.map(([, environment]) => environment);
  if (all.length === 0) return null;
  const largest = (of: (environment: PolicyEnvironment) => number) => Math.max(...all.map(of));
  const smallest = (of: (environment: PolicyEnvironment) => number) => Math.min(...all.map(of));
  const retire = all.map((environment) => environment.kinds[row.procedure]?.retire ?? environment.retire);
  return {
    environments: matching.map(([name]) => name),
    prod: all.some((environment) => environment.prod),
    rotateWhenExpiresInSeconds: largest((environment) => environment.rotateWhenExpiresIn),
    lifetimeMaxSeconds: smallest((environment) => environment.secretLifetime.max),
    overlapMinSeconds: largest((environment) => environment.overlap.min),
    overlapMaxSeconds: smallest((environment) => environment.overlap.max),
    schedule: {
      windowSets: all.flatMap((environment) => (environment.windows === "always" ? [] : [environment.windows])),
      freezes: all.flatMap((environment) =>
        environment.freezes.map(({ name, from, to, tz }) => ({ name, from, to, tz })),
      ),
    },
    approvals: {
      expiresAfterSeconds: smallest((environment) => environment.approvals.expiresAfter),
      minLevel: highest(
        approvalLevels,
        all.map((environment) => environment.approvals.minLevel),
      ),
      require: requirements(all.map((environment) => environment.approvals.require)),
      separation: separations.filter((rule) =>
        all.some((environment) => environment.approvals.separation.includes(rule)),
      ),
    },
    proof: {
      times: largest((environment) => environment.proof.times),
      spacingSeconds: largest((environment) => environment.proof.spacing),
      deadlineSeconds: Math.max(
        largest((environment) => environment.proof.deadline),
        (largest((environment) => environment.proof.times) - 1) * largest((environment) => environment.proof.spacing),
      ),
    },
    rollbackMinRemainingSeconds: largest((environment) => environment.rollback.minRemaining),
    tellBeforeExpirySeconds: [
      ...new Set(all.flatMap(({ tellBeforeExpiry }) => tellBeforeExpiry ?? tellBeforeExpirySecondsDefault)),
    ].toSorted((a, b) => b - a),
    emergency: {
      expiresAfterSeconds: smallest(
        ({ emergency, approvals }) => emergency?.approvals.expiresAfter ?? approvals.expiresAfter,
      ),
      require: requirements(all.map(({ emergency, approvals }) => emergency?.approvals.require ?? ordinary(approvals))),
      containWithinSeconds: smallest(({ emergency }) => emergency?.containWithin ?? containSecondsDefault),
      restoreWithinSeconds: smallest(({ emergency }) => emergency?.restoreWithin ?? restoreSecondsDefault),
    },
    remediation: {
      expiresAfterSeconds: smallest(
        ({ remediation, approvals }) => remediation?.approvals.expiresAfter ?? approvals.expiresAfter,
      ),
      require: requirements([
        ...all.map(({ remediation, approvals }) => remediation?.approvals.require ?? approvals.require),
        [security],
      ]),
    },
    breakGlass: breakGlassOf(all),
    retire: {
      minGrade: highest(
        grades,
        retire.map((item) => item.minGrade),
      ),
      consumerLevel: highest(
        verifyLevels,
        retire.map((item) => item.consumerLevel),
      ),
      quietSeconds: Math.max(...retire.map((item) => item.quiet)),
    },
    mode: "supervised",
  };
}

function matches({ match }: PolicyEnvironment, row: Governed): boolean {
  if (match.tenant !== undefined && match.tenant !== row.tenant) return false;
  if (match.environment !== undefined && match.environment !== row.environment) return false;
  return match.names === undefined || match.names.some((pattern) => matchesPattern(row.name, pattern));
}

function highest<T extends string>(scale: readonly T[], values: readonly T[]): T {
  return scale[Math.max(...values.map((value) => scale.indexOf(value)))] as T;
}

/** Where policy says nothing of it: 30, 7, 3 days and one day. */
const tellBeforeExpirySecondsDefault = [30, 7, 3, 1].map((days) => days * 86_400);

const security = { role: "security", from: "role:security", count: 1 } as const;

/** Where policy says nothing of emergencies: what it asks for otherwise, and security at any rate. */
function ordinary({ require }: PolicyEnvironment["approvals"]): PolicyEnvironment["approvals"]["require"] {
  return [...require, security];
}

/** Where policy names no time: how soon a compromise is to be contained, and its consumers are to be well again. */
const containSecondsDefault = 3_600;
const restoreSecondsDefault = 4 * 3_600;

type Terms = NonNullable<PolicyEnvironment["breakGlass"]>;

/** Only where every matching environment lets somebody start alone, and then only whom each of them lets. */
function breakGlassOf(all: readonly PolicyEnvironment[]): ResolvedPolicy["breakGlass"] {
  const terms = all.map(({ breakGlass }) => breakGlass).filter((one) => one !== undefined);
  const [first] = terms;
  if (first === undefined || terms.length < all.length) return null;
  const inAll = (of: (one: Terms) => readonly string[]) =>
    of(first).filter((role) => terms.every((one) => of(one).includes(role)));
  const smallest = (of: (one: Terms) => number) => Math.min(...terms.map(of));
  return {
    roles: inAll(({ roles }) => roles),
    confirm: inAll(({ confirm }) => confirm),
    expiresAfterSeconds: smallest(({ expiresAfter }) => expiresAfter),
    confirmWithinSeconds: smallest(({ confirmWithin }) => confirmWithin),
    reviewWithinSeconds: smallest(({ reviewWithin }) => reviewWithin),
    unconfirmed: terms.some(({ unconfirmed }) => unconfirmed === "roll-back") ? "roll-back" : "hold",
  };
}

/** One entry per role; the same role asked twice needs the larger number, of people who fit both. */
function requirements(all: readonly PolicyEnvironment["approvals"]["require"][]): ResolvedRequirement[] {
  const byRole = new Map<string, ResolvedRequirement>();
  for (const { role, from, count, when } of all.flat()) {
    const before = byRole.get(role);
    byRole.set(role, {
      role,
      from: [...new Set([...(before?.from ?? []), from])],
      count: Math.max(before?.count ?? 0, count),
      onlyAtRisk: (before?.onlyAtRisk ?? true) && when !== undefined,
    });
  }
  return [...byRole.values()];
}
