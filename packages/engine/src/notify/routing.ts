import { type NoticesConfig, nextCron } from "@countersign/core";
import { unconfirmed } from "../execution/phases/second-person.ts";
import type { NoticeRow, Route } from "../store/index.ts";
import type { Channel } from "./channels/channel.ts";
import { mayConfirm, missingApprovals, type RunContext } from "./facts.ts";
import { aroundUs, breakGlassKinds, matchesKind, operatorKinds, troubleKinds, waitingKinds } from "./kinds.ts";

/** A channel as routing sees it; what is left out takes everything. */
export interface Taker {
  readonly name: string;
  readonly kind: Channel["kind"];
  readonly kinds?: readonly string[] | undefined;
  readonly owners?: readonly string[] | undefined;
  readonly environments?: readonly string[] | undefined;
  readonly tenants?: readonly string[] | undefined;
  /** Mail: how many addresses of the configuration it goes to; none: to each person it is for. */
  readonly addresses: number;
  /** Kinds of the digest wait for it. */
  readonly digest: boolean;
}

/** Who holds a role, as the trust file has it. */
export type PeopleOf = (role: string) => readonly string[];

/** Not worth a line in a chat unless it is asked for. */
const quietInChat: ReadonlySet<string> = new Set(["run.executing", "run.overlapping"]);
/** Written to one person: not where many read unless it is asked for. */
const personal = "owner.weekly";

/** Where a notice goes: which channels take it, and over those that reach single people, whom. */
export function deliveriesOf(
  notice: NoticeRow,
  context: RunContext | null,
  takers: readonly Taker[],
  /** Whom it is for; mail goes to each of them. */
  audience: readonly string[],
  rules: Pick<NoticesConfig, "digest">,
  now: number,
): Route["deliveries"] {
  const candidates = takers.filter((taker) => takes(taker, notice, context));
  const bundle = bundleAt(notice.kind, rules.digest, now);
  const general = forOperators(notice, candidates, takers);
  return [...general, ...deskInAnyCase(notice, general, takers)].flatMap((taker): Route["deliveries"] => {
    const to = { channel: taker.name, recipient: "", ticket: null, bundle: taker.digest ? bundle : null };
    if (taker.kind === "mail") return recipientsOf(taker, audience).map((recipient) => ({ ...to, recipient }));
    if (!isDesk(taker)) return [to];
    if (notice.runId === null || waitingKinds.has(notice.kind)) return [];
    return [{ ...to, ticket: troubleKinds.has(notice.kind) ? "open" : "append" }];
  });
}

function takes(taker: Taker, notice: NoticeRow, context: RunContext | null): boolean {
  const { kind, payload } = notice;
  if (payload.only !== undefined) return payload.only === taker.name;
  // A channel cannot say that it is dead.
  if (payload.channel === taker.name && kind !== "channel.test") return false;
  if (taker.kinds !== undefined && !taker.kinds.some((pattern) => matchesKind(pattern, kind))) return false;
  const isChat = taker.kind === "slack" || taker.kind === "teams";
  if (taker.kinds === undefined && quietInChat.has(kind) && isChat) return false;
  if (taker.kinds === undefined && kind === personal && (isChat || taker.addresses > 0)) return false;
  if (operatorKinds.has(kind)) return true;
  const { owners, environment, tenant } = aboutOf(notice, context);
  return (
    (taker.owners === undefined || taker.owners.some((owner) => owners.includes(owner))) &&
    (taker.environments === undefined || taker.environments.includes(environment)) &&
    (taker.tenants === undefined || taker.tenants.includes(tenant))
  );
}

/** Whose it is and from where: by its run, else by what the notice itself says. */
function aboutOf({ kind, payload }: NoticeRow, context: RunContext | null) {
  if (context !== null) return { owners: ownersTold(kind, context), ...context.run };
  const { owners, environment, tenant } = payload;
  return {
    owners: ownersIn(owners),
    environment: typeof environment === "string" ? environment : "",
    tenant: typeof tenant === "string" ? tenant : "",
  };
}

/** Whoever answers for the business hears of trouble, and of a plan that is about to expire; the others of everything. */
function ownersTold(kind: string, { owners, businessOwners, credentialOwners }: RunContext): readonly string[] {
  const isForBusiness = troubleKinds.has(kind) || kind === "approval.escalated";
  return unique([...owners, ...credentialOwners, ...(isForBusiness ? businessOwners : [])]);
}

function ownersIn(owners: unknown): readonly string[] {
  return Array.isArray(owners) ? owners.filter((one) => typeof one === "string") : [];
}

/**
 * What is about the channels goes over those that are for everything; where there is none, over every other one. What was done
 * around us goes where its application's notices go; where every filter leaves it out, over all.
 */
function forOperators(notice: NoticeRow, candidates: readonly Taker[], all: readonly Taker[]): readonly Taker[] {
  if (notice.kind === aroundUs) return candidates.length > 0 ? candidates : all;
  if (!operatorKinds.has(notice.kind) || notice.payload.only !== undefined) return candidates;
  const general = candidates.filter((taker) => !taker.owners && !taker.environments && !taker.tenants);
  if (general.length > 0) return general;
  return candidates.length > 0 ? candidates : all.filter((taker) => taker.name !== notice.payload.channel);
}

/** Trouble always has a ticket: where every desk's filter leaves it out, the first one gets it. */
function deskInAnyCase(notice: NoticeRow, found: readonly Taker[], all: readonly Taker[]): readonly Taker[] {
  if (!troubleKinds.has(notice.kind) || found.some(isDesk)) return [];
  return all.filter(isDesk).slice(0, 1);
}

function recipientsOf({ addresses }: Taker, audience: readonly string[]): readonly string[] {
  return addresses === 0 ? audience : Array.from({ length: addresses }, (_, n) => `to-${n + 1}`);
}

function isDesk({ kind }: Taker): boolean {
  return kind === "jira" || kind === "servicenow";
}

/**
 * The people who are to hear of it: named where a channel reaches everybody at once. Security hears of every emergency
 * and of every break-glass use, and of a use so do all who may confirm and review it.
 */
export function audienceOf(
  notice: NoticeRow,
  context: RunContext | null,
  escalateTo: string | null,
  peopleOf: PeopleOf,
): string[] {
  const undecided = context === null ? [] : missingApprovals(context).flatMap(({ people }) => people);
  const requester = context?.run.requester.startsWith("p_") === true ? [context.run.requester] : [];
  switch (notice.kind) {
    case "run.awaiting-approval":
      return unique([...undecided, ...aboutOf(notice, context).owners]);
    case "approval.reminder":
      return unique(undecided);
    case "approval.escalated":
      return unique([
        ...(escalateTo === null ? [] : peopleOf(escalateTo)),
        ...undecided,
        ...(context?.businessOwners ?? []),
      ]);
    case aroundUs:
      return unique([...aboutOf(notice, context).owners, ...peopleOf("security"), ...peopleOf("platform")]);
    default:
      return operatorKinds.has(notice.kind)
        ? unique(peopleOf("platform"))
        : unique([...aboutOf(notice, context).owners, ...requester, ...further(notice, context, peopleOf)]);
  }
}

function further(notice: NoticeRow, context: RunContext | null, peopleOf: PeopleOf): readonly string[] {
  const because = notice.payload.because as { readonly code?: unknown } | null | undefined;
  const ofUse = breakGlassKinds.has(notice.kind) || because?.code === unconfirmed;
  const security = ofUse || context?.run.trigger === "compromise" ? peopleOf("security") : [];
  return [...security, ...(ofUse && context !== null ? mayConfirm(context) : [])];
}

function unique(people: readonly string[]): string[] {
  return [...new Set(people)].sort();
}

function bundleAt(kind: string, digest: NoticesConfig["digest"], now: number): number | null {
  if (digest === null || !digest.kinds.some((pattern) => matchesKind(pattern, kind))) return null;
  return nextCron(digest.cron, digest.zone, now);
}

/**
 * What comes due later about a plan that waits for people: reminders, and the word to a further role before the approvals
 * expire. Nobody gains a right by it: who may approve stands in the plan, and a privileged approval is never re-routed.
 */
export function laterOf(
  notice: NoticeRow,
  context: RunContext | null,
  rules: Pick<NoticesConfig, "remindAfterSeconds" | "escalate">,
): Route["later"] {
  const until = context?.run.data.approveUntil;
  if (notice.kind !== "run.awaiting-approval" || typeof until !== "number" || context?.run.planDigest == null)
    return [];
  const payload = { planDigest: context.run.planDigest };
  const key = (what: string) => `${context.run.id}:${what}`;
  const reminders = rules.remindAfterSeconds.flatMap((seconds, n) => {
    const notBefore = notice.createdAt + seconds * 1_000;
    return notBefore >= until ? [] : [{ kind: "approval.reminder", key: key(`remind:${n + 1}`), payload, notBefore }];
  });
  if (rules.escalate === null) return reminders;
  // Where people have less time than that, it is said at half of it.
  const beforeMs = Math.min(rules.escalate.beforeExpirySeconds * 1_000, (until - notice.createdAt) / 2);
  const notBefore = Math.floor(until - beforeMs);
  return [...reminders, { kind: "approval.escalated", key: key("escalate"), payload, notBefore }];
}

/** Whether nothing is left to say: the plan that people were to be reminded of waits no more. */
export function isMoot(notice: NoticeRow, context: RunContext | null): boolean {
  if (!waitingKinds.has(notice.kind)) return false;
  return context?.run.state !== "awaiting_approval" || context.run.planDigest !== notice.payload.planDigest;
}
