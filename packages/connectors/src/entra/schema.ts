import { z } from "zod";
import { secretReference } from "../kit/schema.ts";

const guid = z.string().regex(/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/);

const client = z.strictObject({ clientId: guid, secret: secretReference });

/**
 * One tenant of the configuration. Authority, Graph base and vault audience are separate values because each cloud has
 * its own; tokens of one never work in another.
 */
export const EntraTenant = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/),
  id: guid,
  authority: z.url(),
  graph: z.url(),
  /** Reads applications, owners, policies and sign-in logs. */
  reader: client,
  /** Adds and removes secrets of the applications it owns (`Application.ReadWrite.OwnedBy`). */
  writer: client,
  /** Applications of our own executors; never a target. */
  ownExecutorAppIds: z.array(guid).max(20),
  /** Addresses our own sign-ins come from; left out of use evidence. */
  ownAddresses: z.array(z.string().max(64)).max(50).optional(),
  /** How late the sign-in log may be, in seconds; a day where nothing else is known. */
  signInLogLagSeconds: z
    .int()
    .min(0)
    .max(7 * 86_400)
    .optional(),
});
export type EntraTenant = z.infer<typeof EntraTenant>;

/** Object id or client id as vendor and plan print them. */
export const directoryId = guid;

/** Parameters that name one application (I11: all three are checked). */
export const applicationParams = { tenant: z.string().min(1), objectId: guid, appId: guid };
