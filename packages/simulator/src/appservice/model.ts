/** What the platform keeps of a Key Vault reference: it asks the vault again a day later, at a refresh or at a restart. */
export interface ReferenceCache {
  /** The reference it belongs to; another one in the setting makes it void. */
  reference: string;
  version: string;
  value: string;
  readMs: number;
}

/** What a caller may do with an app. */
export interface SiteGrant {
  appId: string;
  role: "contributor" | "reader";
}

/** A web app, or one slot of one. */
export interface AppSite {
  /** Name by which workloads find it: `<site>` or `<site>/<slot>`. */
  name: string;
  resourceGroup: string;
  site: string;
  slot: string | null;
  /** Object id of its system-assigned identity; another one when the app is made again. Null without one. */
  principalId: string | null;
  defaultHostName: string;
  settings: Record<string, string>;
  /** Names that stay with the slot when slots are swapped. */
  stickyNames: string[];
  references: Record<string, ReferenceCache>;
  grants: SiteGrant[];
  restarts: number;
  lastWriteMs: number;
}

/** A line of the subscription's activity log; seen after a delay. */
export interface ActivityEvent {
  id: string;
  atMs: number;
  visibleMs: number;
  /** Object id of who did it, and the client id. */
  caller: string;
  appId: string;
  resourceId: string;
  operation: string;
  correlationId: string;
}
