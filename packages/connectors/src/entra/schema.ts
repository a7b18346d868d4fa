import { z } from "zod";

const guid = z.string().regex(/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/);

/** Object id or client id as vendor and plan print them. */
export const directoryId = guid;

/** Parameters that name one application (I11: all three are checked). */
export const applicationParams = { tenant: z.string().min(1), objectId: guid, appId: guid };
