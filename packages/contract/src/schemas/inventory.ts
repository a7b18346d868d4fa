import { z } from "zod";
import { page, pagingQuery } from "./applications.ts";
import { Digest, Printable, RowName, Time } from "./common.ts";
import { FoundUse } from "./found-use.ts";

/**
 * What somebody has to do about a row. `gone`: the directory has no such application. `other-application`: it has another one
 * under that id. `not-owned`: the writer does not own it, so that nothing of ours can change it. `not-declared`: something uses it
 * that the row does not name. `owners-not-read`, `not-looked`: it is not known yet.
 */
export const Matter = z.enum([
  "gone",
  "other-application",
  "not-owned",
  "not-declared",
  "owners-not-read",
  "not-looked",
]);
export type Matter = z.infer<typeof Matter>;

/** A row of the inventory beside what the ledger shows of it. */
export const ComparedRow = z
  .object({
    application: RowName,
    tenant: z.string(),
    environment: z.string(),
    objectId: z.string(),
    appId: z.string(),
    /** How the directory calls it: free text of others. Null: it has no such application. */
    name: z.string().nullable(),
    matters: z.array(Matter),
    /** Since when the directory has it no more; null: it has it, or never had it. */
    goneAt: Time.nullable(),
    /** Which application the directory has under its object id, where it is another one. */
    otherAppId: z.string().nullable(),
    /** When it was last read who owns it. */
    ownersReadAt: Time.nullable(),
    /** How an administrator makes the writer its owner; null: it is one, or there is nobody to be made one. */
    grant: z.object({ command: z.string(), call: z.string(), body: z.string() }).nullable(),
    found: z.array(FoundUse),
  })
  .meta({ id: "ComparedRow" });
export type ComparedRow = z.infer<typeof ComparedRow>;

/** What a comparison rests on, by tenant. */
export const InventoryStanding = z.object({
  tenant: z.string(),
  writer: z.object({
    clientId: z.string(),
    /** What owns applications; null: the directory has no service principal of the writer. */
    servicePrincipal: z.string().nullable(),
  }),
  /** Rows of this tenant, and how many of them the writer owns. */
  listed: z.int().nonnegative(),
  owned: z.int().nonnegative(),
  /** What holds live credentials in the directory and is not listed. */
  unlisted: z.int().nonnegative(),
  listedAt: Time.nullable(),
  ownersReadAt: Time.nullable(),
  /** Sign-ins: when all were last read; refused: the directory does not give them. */
  callers: z.object({ readAt: Time.nullable(), refused: z.boolean() }),
});
export type InventoryStanding = z.infer<typeof InventoryStanding>;

export const InventoryQuery = z.strictObject({
  /** Part of a row's name, or a whole id. */
  q: Printable.max(200).optional(),
  environment: Printable.max(100).optional(),
  tenant: Printable.max(100).optional(),
  /** `any`: of what there is something to do about; `none`: of what agrees. */
  matter: z.union([Matter, z.enum(["any", "none"])]).optional(),
  ...pagingQuery,
});

export const Inventory = page(ComparedRow)
  .extend({
    /** Of the accepted inventory; null: none counts. */
    digest: Digest.nullable(),
    /** Rows that no directory has: roles of databases. */
    elsewhere: z.int().nonnegative(),
    standings: z.array(InventoryStanding),
    /** Vaults whose entries were looked at. `refused`: we may not list them, and nothing is concluded. */
    vaults: z.array(z.object({ connection: z.string(), readAt: Time.nullable(), refused: z.boolean() })),
  })
  .meta({ id: "Inventory" });
