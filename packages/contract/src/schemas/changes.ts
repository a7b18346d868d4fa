import { z } from "zod";
import { pagingQuery } from "./applications.ts";
import { PersonId, Printable, Reason, RowName, RunId, Time } from "./common.ts";

/** Whose doing a change was (docs/audit-log.md). */
export const Verdict = z.enum(["ours", "break-glass", "out-of-band", "unknown"]);

const Act = z.enum(["added", "removed", "unreadable"]);

/** The directory's own names for a change: its entry, and which of that entry's credentials. */
const place = {
  tenant: Printable.min(1).max(100),
  entry: z.string().regex(/^[\x21-\x7e]{1,200}$/),
  /** Null: the entry does not tell which. */
  credential: Printable.min(1).max(64).nullable(),
  act: Act,
};

/** A change of a credential, as the directory's own audit log tells it. Never a value: the directory does not log one. */
export const AuditChange = z
  .object({
    tenant: z.string(),
    entry: z.string(),
    credential: z.string().nullable(),
    act: Act,
    /** When the directory says that it happened, and when we read it. */
    at: Time,
    readAt: Time,
    /** Row of the inventory; null: it is not listed. */
    application: RowName.nullable(),
    /** What the directory calls the object: free text of others. Null: no scan has seen it. */
    name: z.string().nullable(),
    objectId: z.string(),
    holder: z.enum(["application", "service-principal"]),
    kind: z.enum(["client-secret", "certificate", "other"]),
    /** What the directory calls the act. */
    activity: z.string(),
    actorKind: z.enum(["person", "application", "unnamed"]),
    /** Object id of a person, appId of an application. */
    actor: z.string().nullable(),
    verdict: Verdict,
    because: z.string(),
    sentence: z.string(),
    run: RunId.nullable(),
    step: z.string().nullable(),
    /** No run had done it, nobody has explained it, and the credential may still be there. */
    standing: z.boolean(),
    /** What a person said it was; the reason is null once it was erased. */
    explained: z.object({ by: PersonId, at: Time, reason: z.string().nullable() }).nullable(),
  })
  .meta({ id: "AuditChange" });
export type AuditChange = z.infer<typeof AuditChange>;

export const ChangeQuery = z.strictObject({
  application: RowName.optional(),
  /** A whole id: of an object, a credential, or of who did it. */
  q: Printable.max(200).optional(),
  tenant: Printable.max(100).optional(),
  verdict: Verdict.optional(),
  standing: z.enum(["true", "false"]).optional(),
  /** Those that happened then or later. */
  since: Time.optional(),
  ...pagingQuery,
});

export const ExplainRequest = z.strictObject({ ...place, reason: Reason });
export const Explained = z.object({ ...place, by: PersonId, at: Time }).meta({ id: "Explained" });
