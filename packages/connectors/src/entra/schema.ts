import { z } from "zod";

const guid = z.string().regex(/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/);

/** Object id or client id as vendor and plan print them. */
export const directoryId = guid;

/**
 * An id as the directory prints it, which is not always in the same case: from here on in lower case, as documents and
 * journal have it, so that ids can be compared as they are.
 */
export const printedId = z.string().min(1).max(64).toLowerCase();

/** Parameters that name one application (I11: all three are checked). */
export const applicationParams = { tenant: z.string().min(1), objectId: guid, appId: guid };
