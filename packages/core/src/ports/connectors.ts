import type { AuditLog } from "./audit-log.ts";
import type { Scanner } from "./scanner.ts";
import type { Verb } from "./verb.ts";
import type { WorldReader } from "./world.ts";

/** The verbs and readers a build has; composed once, in server/main.ts. */
export interface Connectors {
  readonly verbs: ReadonlyMap<string, Verb<never>>;
  readonly worlds: ReadonlyMap<string, WorldReader>;
  readonly scanners: readonly Scanner[];
  readonly audits: readonly AuditLog[];
}
