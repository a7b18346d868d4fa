import { z } from "zod";
import { Lock } from "./break-glass.ts";
import {
  Cursor,
  FacetCount,
  Facts,
  JsonValue,
  PersonId,
  Printable,
  Reason,
  RowName,
  RunId,
  RunState,
  Time,
} from "./common.ts";
import { FoundUse } from "./found-use.ts";
import { Permission } from "./permission.ts";

/** Who a credential belongs to, by evidence. */
export const LedgerState = z.enum([
  "ours-active",
  "ours-retiring",
  "ours-unpublished",
  "foreign",
  "orphan",
  "unknown",
  "retired",
]);

export const CredentialKind = z.enum(["client-secret", "certificate", "role"]);

/** How soon it expires; each excludes the ones before it. `never`: it has no end, or none that the directory told. */
export const Expiry = z.enum(["expired", "7-days", "30-days", "90-days", "later", "never"]);

export const Credential = z
  .object({
    /** Row of the inventory that covers it; null: it is not managed. */
    application: RowName.nullable(),
    /** Name of what holds it, as the directory shows it: free text of others. */
    name: z.string(),
    tenant: z.string(),
    objectId: z.string(),
    appId: z.string(),
    /** keyId, or the role's name. Never a value: no route of this API returns one. */
    id: z.string(),
    kind: CredentialKind,
    state: LedgerState,
    startsAt: Time.nullable(),
    expiresAt: Time.nullable(),
    run: RunId.nullable(),
    seenAt: Time.nullable(),
  })
  .meta({ id: "Credential" });
export type Credential = z.infer<typeof Credential>;

/** `ready`: nothing to do. `due`: expires soon, no run yet. `in-progress`: a run is open. `blocked`: the last validation blocked it. `unowned`: nobody answers for it. */
export const Readiness = z.enum([
  "ready",
  "due",
  "expired",
  "in-progress",
  "held",
  "blocked",
  "locked",
  "unowned",
  "unknown",
]);
export type Readiness = z.infer<typeof Readiness>;

export const Application = z
  .object({
    name: RowName,
    procedure: z.string(),
    tenant: z.string(),
    environment: z.string(),
    prod: z.boolean(),
    owners: z.array(PersonId),
    /** Who answers for what the application is for; empty: nobody has said. */
    businessOwners: z.array(PersonId),
    /** By id of a credential: who answers for that one beside the owners. */
    credentialOwners: z.record(z.string(), z.array(PersonId)),
    target: Facts,
    record: z.object({ connection: z.string(), name: z.string() }),
    consumers: z.int().nonnegative(),
    expiresAt: Time.nullable(),
    credentials: z.int().nonnegative(),
    readiness: Readiness,
    openRun: z.object({ id: RunId, state: RunState }).nullable(),
    locked: Lock.nullable(),
    findings: z.int().nonnegative(),
  })
  .meta({ id: "Application" });
export type Application = z.infer<typeof Application>;

export const Consumer = z.object({
  name: z.string(),
  /** As the inventory names it (docs/inventory.md). */
  kind: z.string(),
  environment: z.string(),
  pickupSeconds: z.number(),
  cadenceSeconds: z.number(),
  callers: z.array(z.string()),
});

export const Finding = z
  .object({
    code: z.string(),
    result: z.enum(["pass", "warn", "block"]),
    sentence: z.string(),
    observed: JsonValue,
    required: JsonValue,
    application: RowName.nullable(),
    run: RunId.nullable(),
    at: Time.nullable(),
  })
  .meta({ id: "Finding" });
export type Finding = z.infer<typeof Finding>;

/** Somebody asked that a finding be accepted until a date, or it is, or was. */
export const Acceptance = z
  .object({
    id: z.int(),
    /** `asked`: waits for a second person; `accepted`: quiet until then; `expired`, `changed`: it counts again. */
    state: z.enum(["asked", "accepted", "expired", "changed"]),
    until: Time,
    askedBy: PersonId,
    askedAt: Time,
    /** Null: it was erased. */
    reason: z.string().nullable(),
    confirmedBy: PersonId.nullable(),
    confirmedAt: Time.nullable(),
    /** What the person who asks may do about it. */
    you: z.object({ confirm: Permission, withdraw: Permission }),
  })
  .meta({ id: "Acceptance" });

/** A finding in the list of all: of the fleet, by what the ledger shows, or of a run, by what validation found. */
export const ListedFinding = Finding.extend({
  tenant: z.string().nullable(),
  environment: z.string().nullable(),
  /** What holds the credential: free text of others. Null in what validation found. */
  name: z.string().nullable(),
  objectId: z.string().nullable(),
  appId: z.string().nullable(),
  /** Null: it is said of the whole object, or of a run. */
  credential: z.string().nullable(),
  firstSeenAt: Time.nullable(),
  /** The last look that saw it. */
  lastSeenAt: Time.nullable(),
  /** Null: it is so now. */
  clearedAt: Time.nullable(),
  /** Names it in what is asked of the fleet's findings; null in what validation found. */
  id: z.int().nullable(),
  acceptance: Acceptance.nullable(),
}).meta({ id: "ListedFinding" });
export type ListedFinding = z.infer<typeof ListedFinding>;

/** What findings rest on, and the last pass over a tenant has not read as a whole. */
export const Unread = z
  .object({
    tenant: z.string(),
    part: z.enum(["owners", "policies", "uses", "failures", "callers"]),
    /** The directory does not give it: a permission or a licence is missing, or this cloud has no such report. */
    refused: z.boolean(),
    /** When it was last read as a whole. */
    readAt: Time.nullable(),
  })
  .meta({ id: "Unread" });
export type Unread = z.infer<typeof Unread>;

/** Lines of an overlap timeline: when each credential lived and when each consumer switched. */
export const ApplicationDetail = z
  .object({
    application: Application,
    consumers: z.array(Consumer),
    /** Seen in use and declared by nobody, as far as sign-ins and vaults were read. */
    found: z.array(FoundUse),
    credentials: z.array(Credential),
    switches: z.array(z.object({ consumer: z.string(), at: Time, run: RunId })),
    runs: z.array(z.object({ id: RunId, state: RunState, requestedAt: Time })),
    findings: z.array(Finding),
  })
  .meta({ id: "ApplicationDetail" });

const paging = {
  cursor: Cursor.optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
};

export const ApplicationQuery = z.strictObject({
  q: Printable.max(200).optional(),
  environment: Printable.max(100).optional(),
  tenant: Printable.max(100).optional(),
  owner: PersonId.optional(),
  readiness: Readiness.optional(),
  sort: z.enum(["expires", "name"]).default("expires"),
  order: z.enum(["asc", "desc"]).default("asc"),
  ...paging,
});
export const CredentialQuery = z.strictObject({
  application: RowName.optional(),
  q: Printable.max(200).optional(),
  state: LedgerState.optional(),
  kind: CredentialKind.optional(),
  tenant: Printable.max(100).optional(),
  expiry: Expiry.optional(),
  managed: z.enum(["true", "false"]).optional(),
  ...paging,
});

/** Live secrets and certificates by the week in which they expire, the first week beginning now. */
export const ExpiryWeeks = z
  .object({
    weeks: z.array(
      z.object({
        from: Time,
        /** Of the inventory, and nothing stands in the way of a rotation. */
        ready: z.int().nonnegative(),
        /** Of the inventory, and its rotation is blocked, held, or nobody owns it. */
        stuck: z.int().nonnegative(),
        /** Not in the inventory: nothing will rotate it. */
        unmanaged: z.int().nonnegative(),
      }),
    ),
  })
  .meta({ id: "ExpiryWeeks" });

export const FindingQuery = z.strictObject({
  /** `fleet`: of everything in the directory, as the ledger shows it. `runs`: what validation found on each application's newest run. */
  of: z.enum(["fleet", "runs"]).default("fleet"),
  application: RowName.optional(),
  code: Printable.max(100).optional(),
  /** Only of runs. */
  result: z.enum(["warn", "block"]).optional(),
  /** From here on only of the fleet. Part of a name, or a whole id. */
  q: Printable.max(200).optional(),
  tenant: Printable.max(100).optional(),
  /** Empty text: of what the inventory does not list. */
  environment: z.union([z.literal(""), Printable.max(100)]).optional(),
  listed: z.enum(["true", "false"]).optional(),
  /**
   * `open`: what counts. `accepted`: what people have accepted until a date. Of what counts: `asked` waits for a second
   * person, `expired` was accepted until a date that has passed. `cleared`: what was so once.
   */
  state: z.enum(["open", "accepted", "asked", "expired", "cleared"]).default("open"),
  ...paging,
});

const manyIds = z.array(z.int().positive()).min(1).max(100);
/** Findings of the fleet to accept until then, and why. */
export const AcceptanceRequest = z.strictObject({ findings: manyIds, until: Time, reason: Reason });
export const Acceptances = z.strictObject({ acceptances: manyIds });

/** A page of a list; `nextCursor` null = the end. */
export function page<T extends z.ZodType>(item: T) {
  return z.object({
    items: z.array(item),
    nextCursor: Cursor.nullable(),
    total: z.int().nonnegative(),
    facets: z.record(z.string(), z.array(FacetCount)),
  });
}
export const ListedFindings = page(ListedFinding).extend({ unread: z.array(Unread) });
export const pagingQuery = paging;
