import type { UsesSeen } from "../fleet/found.ts";
import type { ConfigScopes } from "../inventory/check.ts";
import type { InventoryRow } from "../inventory/row.ts";
import type { Plan } from "../plan/plan.ts";
import type { ResolvedPolicy } from "../policy/resolve.ts";
import type { World, WorldCredential } from "../ports/index.ts";
import type { Urgent } from "../procedure/procedure.ts";

export const triggers = ["due", "event", "compromise", "leaver", "policy", "manual"] as const;
export type Trigger = (typeof triggers)[number];

/** Who wants what. Names of the target as the request gave them; ids are compared where it gave them. */
export interface Request {
  readonly trigger: Trigger;
  readonly requester: string;
  readonly target: {
    readonly name: string;
    readonly tenant?: string;
    readonly objectId?: string;
    readonly appId?: string;
    /** The credential that somebody says is compromised or, without that trigger, names as the one to be replaced. */
    readonly credential?: string;
  };
  /** A manual request may insist although nothing is due. */
  readonly force: boolean;
  readonly reasonGiven: boolean;
}

/** An enrolled person as the trust file says. */
export interface EnrolledPerson {
  readonly person: string;
  readonly roles: readonly string[];
  /** Highest level at which this person can approve. */
  readonly level: "session" | "idp" | "passkey";
}

/** Everything validation may look at. It is a pure function of this; AI output is no part of it (I10). */
export interface ValidationInput {
  /**
   * `start`: before a plan and before its first effect. `retire`: before retirement, when the run's own effects are in
   * the world; rules about whether to start do not apply any more.
   */
  readonly at: "start" | "retire";
  readonly request: Request;
  /** null: not in the inventory. */
  readonly row: InventoryRow | null;
  /** null: it could not be read. */
  readonly world: World | null;
  readonly config: ConfigScopes;
  /** null: no environment of the policy matches. */
  readonly policy: ResolvedPolicy | null;
  readonly people: readonly EnrolledPerson[];
  /** Domain time, ms. */
  readonly now: number;
  /** Another open run of the same application, or null. */
  readonly openRun: string | null;
  /** Open runs of other applications that hold one of this row's targets. */
  readonly pendingRuns: readonly string[];
  /** In an emergency: the open run that it takes over, with the credentials that one has made. */
  readonly supersedes: Urgent["supersedes"];
  /** A break-glass use of this application that nobody has reviewed yet, or null. */
  readonly unreviewed: string | null;
  /** Where scans have seen it in use; null: no directory has it, or nobody has looked. */
  readonly seen: UsesSeen | null;
  /** The plan of the last completed run of this row; null before the first. */
  readonly lastPlan: Pick<Plan, "environment" | "prod" | "consumers"> | null;
}

/** The input when row, world and policy are all there: what most rules look at. */
export interface Known extends ValidationInput {
  readonly row: InventoryRow;
  readonly world: World;
  readonly policy: ResolvedPolicy;
}

/** Whether a credential is said to be compromised: other approvals, no overlap, no window, no gate (I5). */
export function isEmergency({ request }: Pick<ValidationInput, "request">): boolean {
  return request.trigger === "compromise";
}

export function isKnown(input: ValidationInput): input is Known {
  return input.row !== null && input.world !== null && input.policy !== null;
}

/** The credential that the request names as the one to be replaced, by id; null: what the record holds is meant. */
export function namedCredential({ request }: Pick<ValidationInput, "request">): string | null {
  return isEmergency({ request }) ? null : (request.target.credential ?? null);
}

/**
 * The credential to be replaced: the one that the request names, else the one the record holds; when that is not shown, the
 * live one that expires first.
 */
export function oldCredential(input: Known): WorldCredential | null {
  const named = namedCredential(input);
  return named === null ? storedCredential(input) : (input.world.credentials.find(({ id }) => id === named) ?? null);
}

/** The credential that a roll back goes back to; null: nothing is known of it. */
export function goingBack(input: Known): WorldCredential | null {
  const { binding, credentials } = input.world;
  if (namedCredential(input) === null) return storedCredential(input);
  return credentials.find(({ id }) => id === binding.id) ?? null;
}

function storedCredential({ world, now }: Known): WorldCredential | null {
  const bound = world.credentials.find((credential) => credential.id === world.binding.id);
  if (bound !== undefined) return bound;
  const end = (credential: WorldCredential) => credential.expiresAt ?? Number.POSITIVE_INFINITY;
  const live = world.credentials.filter((credential) => end(credential) > now);
  return [...(live.length > 0 ? live : world.credentials)].sort((a, b) => end(a) - end(b))[0] ?? null;
}
