import { z } from "zod";
import { Time } from "./common.ts";

/** Something that uses an application and stands nowhere in its row. */
export const FoundUse = z
  .object({
    /** `entry`: of a vault; `caller`: an address that signs in with one of its secrets. */
    kind: z.enum(["entry", "caller"]),
    /** `connection/name`, or the address. */
    where: z.string(),
    /** What in the entry points at the application; null for an address. */
    because: z.string().nullable(),
    /** Null for an entry: nobody sees who reads it. */
    lastAt: Time.nullable(),
    /** The line of YAML that declares it, to be corrected where it guesses. */
    declare: z.string(),
  })
  .meta({ id: "FoundUse" });
export type FoundUse = z.infer<typeof FoundUse>;
