import type { Facts } from "@countersign/core";
import { z } from "zod";
import { type NoticeKind, troubleKinds } from "./kinds.ts";
import { plainText } from "./plain-text.ts";

/** A notice in words, for people. Every text is one line without control characters; nothing in it is markup. */
export interface Message {
  readonly title: string;
  readonly facts: readonly { readonly label: string; readonly value: string }[];
  readonly lists: readonly { readonly title: string; readonly items: readonly string[] }[];
  readonly link: string;
  readonly linkText: string;
}

/** Name of a person, where it is known; the opaque id otherwise. */
export type NameOf = (person: string) => string;

const text = z.string().optional().catch(undefined);
const texts = z.array(z.string()).catch([]);
/** So many lines, and how many there are. */
const part = <T extends z.ZodType>(item: T) =>
  z
    .object({ total: z.number(), items: z.array(item) })
    .nullish()
    .catch(null);
const runLine = z.object({ application: z.string(), state: text, sentence: text, until: text });

/** The facts that words are made of; everything is optional, since the outbox holds notices of many kinds. */
const Told = z.object({
  kind: z.string(),
  link: z.string(),
  application: z.string().nullish().catch(null),
  tenant: text,
  tenantId: text,
  appId: text,
  environment: text,
  because: z.object({ code: z.string(), step: text, sentence: text }).nullish().catch(null),
  owners: texts,
  businessOwners: texts,
  credentialOwners: texts,
  audience: texts,
  requester: text,
  credential: z.object({ id: z.string(), expiresAt: z.string().nullable() }).nullish().catch(null),
  proposed: z
    .object({ notBefore: z.string(), lifetimeSeconds: z.number(), overlapSeconds: z.number() })
    .nullish()
    .catch(null),
  approveUntil: text,
  planUnread: z.boolean().catch(false),
  missing: z.array(z.object({ role: z.string(), people: z.array(z.string()) })).catch([]),
  steps: texts,
  rollback: texts,
  irreversible: texts,
  risks: texts,
  warnings: texts,
  blockedBy: z.array(z.object({ sentence: z.string(), observed: z.unknown(), required: z.unknown() })).catch([]),
  checklist: texts,
  step: text,
  channel: text,
  recipient: text,
  /** `compromise`: an emergency. */
  trigger: text,
  /** Who started it alone, confirmed or reviewed it. */
  person: text,
  result: text,
  confirmUntil: text,
  reviewUntil: text,
  mayConfirm: texts,
  /** Updates of consumers that an emergency left behind. */
  left: texts,
  outcomes: z
    .array(
      z.object({
        step: z.string(),
        direction: z.enum(["do", "undo", "discard"]),
        outcome: z.string(),
        attempts: z.number(),
        code: text,
        sentence: text,
      }),
    )
    .catch([]),
  outcomesMore: z.number().catch(0),
  invariant: text,
  sentence: text,
  expiring: part(
    z.object({
      application: z.string(),
      credential: z.string(),
      kind: z.string(),
      expiresAt: z.string(),
      leftSeconds: z.number(),
      dueAt: z.string().nullable(),
    }),
  ),
  waiting: part(runLine),
  held: part(runLine),
  failed: part(runLine),
  found: part(
    z.object({
      application: z.string(),
      sentence: z.string(),
      credential: z.string(),
      observed: z.string(),
      required: z.string(),
      since: z.string(),
    }),
  ),
  total: z.number().optional().catch(undefined),
  items: z
    .array(
      z.object({
        kind: z.string(),
        application: z.string().nullish().catch(null),
        because: z.object({ code: z.string(), sentence: text }).nullish().catch(null),
      }),
    )
    .catch([]),
});
type Told = z.output<typeof Told>;
type FoundLine = NonNullable<Told["found"]>["items"][number];
type ExpiringLine = NonNullable<Told["expiring"]>["items"][number];

const titles: Readonly<Record<NoticeKind, (told: Told, app: string) => string>> = {
  "run.awaiting-approval": (_, app) => `Approval needed: rotation of ${app}`,
  "approval.reminder": (_, app) => `Still waiting for your approval: rotation of ${app}`,
  "approval.escalated": (_, app) => `Nobody has decided, and the time runs out: rotation of ${app}`,
  "run.executing": (_, app) => `The rotation of ${app} has begun`,
  "run.overlapping": (_, app) => `${app}: old and new credential are both valid`,
  "run.completed": (_, app) => `The credential of ${app} was rotated`,
  "run.rolling-back": (_, app) => `The rotation of ${app} failed and is rolled back`,
  "run.rolled-back": (_, app) => `The rotation of ${app} was rolled back; the old credential is still in use`,
  "run.held": (told, app) =>
    isEmergency(told)
      ? `The rotation of ${app} stopped; a person has to decide`
      : `The rotation of ${app} stopped; both credentials are valid, a person has to decide`,
  "run.contained": ({ left }, app) =>
    left.length === 0
      ? `The compromised credential of ${app} is dead`
      : `The compromised credential of ${app} is dead; ${left.length} of its consumers could not be written before`,
  "run.restore-late": (_, app) => `Consumers of ${app} are still without a working credential`,
  "run.blocked": (_, app) => `${app} cannot be rotated`,
  "run.expired": (_, app) => `Nobody approved in time: rotation of ${app}`,
  "run.rejected": (_, app) => `The rotation of ${app} was refused`,
  "run.withdrawn": (_, app) => `The request to rotate ${app} was taken back`,
  "breakglass.used": (_, app) => `Break-glass: one person alone let the rotation of ${app} start`,
  "breakglass.confirmed": (_, app) => `A second person confirmed what one alone started for ${app}`,
  "breakglass.reviewed": ({ result }, app) =>
    result === "accepted"
      ? `The break-glass use for ${app} was reviewed and accepted`
      : `The review objects to the break-glass use for ${app}, which stays locked`,
  "breakglass.review-late": (_, app) => `Nobody has reviewed the break-glass use for ${app}, which stays locked`,
  "run.superseded": ({ because }, app) =>
    because?.code === "emergency"
      ? `An emergency took over the rotation of ${app}`
      : `The plan for ${app} no longer fits the world; a new one was made`,
  "run.left-as-is": (_, app) => `The rotation of ${app} was closed as it stands; what remains outside is listed`,
  "run.unfinished": (_, app) =>
    `An emergency took over the rotation of ${app} and came to nothing; it has to be asked for again`,
  "close.asked": (_, app) => `Security has to confirm: the held rotation of ${app} is to be closed as it stands`,
  "run.overdue": (_, app) => `${app}: the old credential cannot be retired yet`,
  "step.asked": (_, app) => `To be done by hand: ${app}`,
  "step.reminded": (_, app) => `Still to be done by hand: ${app}`,
  "step.asked-back": (_, app) => `To be put back by hand: ${app}`,
  "channel.dead": ({ channel }) => `Nothing arrives over the channel ${channel ?? ""}`,
  "channel.recovered": ({ channel }) => `The channel ${channel ?? ""} delivers again`,
  "channel.test": ({ channel }) => `Test of the channel ${channel ?? ""}`,
  "credential.expiring": ({ expiring }) => {
    const [first] = expiring?.items ?? [];
    return first === undefined || expiring?.total !== 1
      ? `${expiring?.total ?? 0} credentials of your applications expire`
      : `The ${nameOfKind(first.kind)} of ${plainText(first.application, 120)} expires in ${duration(first.leftSeconds)}`;
  },
  "owner.weekly": (told) => weeklyTitle(told),
  "recipient.refused": ({ channel, recipient }) => `${channel ?? ""} does not reach ${recipient ?? ""}`,
  "invariant.broken": ({ invariant, application }) =>
    `A promise is broken: ${invariant ?? ""}${application == null ? "" : ` (${plainText(application, 120)})`}`,
  "scan.late": ({ tenant }) => `${plainText(tenant ?? "", 120)} has not been listed as a whole for more than a day`,
  "audit.out-of-band": ({ application }) =>
    `A credential was changed, and by no run: ${plainText(application ?? "", 120)}`,
  digest: ({ total }) => `${total ?? 0} things about your applications`,
};

function nameOfKind(kind: string): string {
  return kind === "certificate" ? "certificate" : "client secret";
}

/** `Your week: 2 expire, 1 waits for you`. */
function weeklyTitle({ expiring, waiting, held, failed, found }: Told): string {
  const says = (count: number | undefined, one: string, many: string) =>
    count === undefined || count === 0 ? [] : [`${count} ${count === 1 ? one : many}`];
  const words = [
    ...says(expiring?.total, "expires", "expire"),
    ...says(waiting?.total, "waits for you", "wait for you"),
    ...says(held?.total, "is held", "are held"),
    ...says(failed?.total, "failed", "failed"),
    ...says(found?.total, "is to be looked at", "are to be looked at"),
  ];
  return `Your week: ${words.length === 0 ? "nothing to do" : words.join(", ")}`;
}

/** Lines of a part, with a word about the rest. */
function linesOf<T>(
  told: { readonly total: number; readonly items: readonly T[] } | null | undefined,
  line: (item: T) => string,
) {
  if (told === null || told === undefined) return [];
  const more = told.total - told.items.length;
  return [...told.items.map(line), ...(more > 0 ? [`and ${more} more: see the page`] : [])];
}

function expiringLine({ application, credential, kind, expiresAt, leftSeconds, dueAt }: ExpiringLine): string {
  const next = dueAt === null ? "nobody rotates it: ask for it" : `a rotation is asked for from ${dueAt} on`;
  return `${application}: ${nameOfKind(kind)} ${credential} expires ${expiresAt}, in ${duration(leftSeconds)}; ${next}`;
}

function runLineOf({ application, state, sentence, until }: z.output<typeof runLine>): string {
  const words = [until === undefined ? undefined : `until ${until}`, sentence ?? state?.replaceAll("_", " ")];
  return [application, ...words.filter((word) => word !== undefined)].join("; ");
}

function foundLine({ application, sentence, credential, observed, required, since }: FoundLine): string {
  const where = credential === "" ? application : `${application}, ${credential}`;
  return `${where}: ${sentence} Observed: ${plainText(observed, 100)}; required: ${plainText(required, 100)}; since ${since}`;
}

function isEmergency({ trigger }: Told): boolean {
  return trigger === "compromise";
}

function titleOf(told: Told, app: string): string {
  const words: Readonly<Record<string, (told: Told, app: string) => string>> = titles;
  const title = words[told.kind]?.(told, app) ?? `${told.kind}: ${app}`;
  return isEmergency(told) ? `EMERGENCY: ${title}` : title;
}

/** Kinds with which people are told what was done so far, step by step. */
function tellsOutcomes(kind: string): boolean {
  return troubleKinds.has(kind) || kind === "run.contained" || kind === "run.completed";
}

const directions = { do: "", undo: ", put back", discard: ", discarded" } as const;

function outcomeLine({ step, direction, outcome, attempts, code, sentence }: Told["outcomes"][number]): string {
  const tries = attempts > 1 ? ` (${attempts} attempts)` : "";
  return `${step}${directions[direction]}: ${outcome}${tries}${code === undefined ? "" : `; ${code}: ${sentence ?? ""}`}`;
}

/** Words for what is told; `nameOf` puts names for people. */
export function messageOf(facts: Facts, nameOf: NameOf): Message {
  const told = Told.parse(facts);
  const app = plainText(told.application ?? "an application", 120);
  const title = titleOf({ ...told, recipient: told.recipient && nameOf(told.recipient) }, app);
  const list = (name: string, items: readonly string[]) =>
    items.length === 0 ? [] : [{ title: name, items: items.map((item) => plainText(item, 300)) }];
  const asked = told.kind === "run.awaiting-approval" || told.kind.startsWith("approval.");
  return {
    title: plainText(title, 200),
    facts: labelled(told, nameOf),
    lists: [
      ...list(
        "Findings",
        told.blockedBy.map(
          ({ sentence, observed, required }) =>
            `${sentence} Observed: ${plainText(observed, 100)}; required: ${plainText(required, 100)}`,
        ),
      ),
      ...list(told.kind === "credential.expiring" ? "" : "What expires", linesOf(told.expiring, expiringLine)),
      ...list("What waits for you", linesOf(told.waiting, runLineOf)),
      ...list("What is held", linesOf(told.held, runLineOf)),
      ...list("What failed since the last time", linesOf(told.failed, runLineOf)),
      ...list("What scans have found", linesOf(told.found, foundLine)),
      ...list("To do", told.checklist),
      ...list("Left behind", told.left),
      ...(tellsOutcomes(told.kind)
        ? list("What was done", [
            ...told.outcomes.map(outcomeLine),
            ...(told.outcomesMore > 0 ? [`and ${told.outcomesMore} more: see the page`] : []),
          ])
        : []),
      ...list("Risks", told.risks),
      ...(asked
        ? [
            ...list("Warnings", told.warnings),
            ...list("What will be done, in this order", told.steps),
            ...list("If it fails", told.rollback),
            ...list("What cannot be undone", told.irreversible),
          ]
        : []),
      ...list(
        "",
        told.items.map((item) => itemLine(item)),
      ),
      ...list(
        "",
        (told.total ?? 0) > told.items.length
          ? [`and ${(told.total ?? 0) - told.items.length} more: see the page`]
          : [],
      ),
    ],
    link: told.link,
    linkText: asked ? "Read the plan and decide" : "Open the page",
  };
}

function itemLine({ kind, application, because }: Told["items"][number]): string {
  const title = titleOf(Told.parse({ kind, link: "", because }), application ?? "an application");
  return because?.sentence === undefined ? title : `${title} (${because.sentence})`;
}

const persons: Readonly<Record<string, string>> = {
  "breakglass.used": "Started alone by",
  "breakglass.review-late": "Started alone by",
  "breakglass.confirmed": "Confirmed by",
  "breakglass.reviewed": "Reviewed by",
  "channel.test": "Asked for by",
};

function labelled(told: Told, nameOf: NameOf): Message["facts"] {
  const found: { label: string; value: string }[] = [];
  const add = (label: string, value: string | undefined | null) => {
    if (value !== undefined && value !== null && value !== "") found.push({ label, value: plainText(value, 500) });
  };
  const people = (ids: readonly string[]) => ids.map(nameOf).join(", ");
  add("Application", told.application);
  add("App id", told.appId);
  add("Tenant", told.tenantId === undefined ? told.tenant : `${told.tenant ?? ""} (${told.tenantId})`);
  add("Environment", told.environment);
  add(
    "Why",
    told.because === null || told.because === undefined
      ? null
      : `${told.because.sentence ?? told.because.code}${told.because.step === undefined ? "" : ` Step: ${told.because.step}.`}`,
  );
  add(
    "Plan",
    told.planUnread
      ? "it could not be read: what is stored is not what its digest says. Nothing of it is told here."
      : null,
  );
  add("Step", told.step);
  add(persons[told.kind] ?? "Person", told.person === undefined ? null : nameOf(told.person));
  add("Confirm until", told.confirmUntil);
  add("Review until", told.reviewUntil);
  add("May confirm", people(told.mayConfirm.filter((person) => person !== told.person)));
  add("Found", told.sentence);
  add("For", people(told.audience));
  add("Owners", people(told.owners));
  add("Business owners", people(told.businessOwners));
  add("Owners of the credential", people(told.credentialOwners));
  add("Asked for by", told.requester?.startsWith("p_") === true ? nameOf(told.requester) : told.requester);
  add(
    "Credential now",
    told.credential === null || told.credential === undefined
      ? null
      : `${told.credential.id}, expires ${told.credential.expiresAt ?? "never"}`,
  );
  if (told.proposed !== null && told.proposed !== undefined) {
    add("Earliest start", told.proposed.notBefore);
    add("Both valid for", told.proposed.overlapSeconds === 0 ? null : duration(told.proposed.overlapSeconds));
    add("New one valid for", duration(told.proposed.lifetimeSeconds));
  }
  add("Decide until", told.approveUntil);
  add("Still missing", told.missing.map(({ role, people: who }) => `${role} (${people(who)})`).join("; "));
  return found;
}

function duration(seconds: number): string {
  const [unit, name] = seconds >= 172_800 ? [86_400, "days"] : seconds >= 7_200 ? [3_600, "hours"] : [60, "minutes"];
  return `${Math.round(seconds / Number(unit))} ${name}`;
}

/** The message as plain text: mails, tickets. */
export function plainMessage(message: Message): string {
  return [
    message.title,
    "",
    ...message.facts.map(({ label, value }) => `${label}: ${value}`),
    ...message.lists.flatMap(({ title, items }) => [
      "",
      ...(title === "" ? [] : [`${title}:`]),
      ...items.map((item) => `- ${item}`),
    ]),
    "",
    `${message.linkText}: ${message.link}`,
  ].join("\n");
}
