import type { ScannedObject } from "./scanner.ts";
import type { ReadContext, WorldCredential } from "./world.ts";

/** Who the directory says has changed something. */
export interface AuditActor {
  readonly kind: "person" | "application" | "unnamed";
  /** Object id of a person, appId of an application; never a name: people and programs are renamed. */
  readonly id: string | null;
}

/** A change of one credential as the directory's own audit log has it; what it had refused is no change. */
export interface AuditChange {
  /** The directory's own id of the entry. */
  readonly entry: string;
  /** When the directory says it happened, ms. */
  readonly at: number;
  /** What the directory calls it, spelled in one way. */
  readonly activity: string;
  readonly correlation: string | null;
  readonly actor: AuditActor;
  readonly objectId: string;
  readonly holder: ScannedObject["kind"];
  /** `unreadable`: it says that credentials were changed, in a form that does not tell which. */
  readonly act: "added" | "removed" | "unreadable";
  /** Null only for `unreadable`. */
  readonly credential: string | null;
  readonly kind: "client-secret" | "certificate" | "other";
  readonly marker: WorldCredential["marker"];
}

/** One page of the directory's audit log. */
export interface AuditPage {
  readonly changes: readonly AuditChange[];
  /** Entries of the page, whatever they are about. */
  readonly seen: number;
  /** Entries without an id or a time: nothing can be said of them. */
  readonly unreadable: number;
  readonly next: string | null;
}

/** Reads the audit log of one tenant's directory. Reading rights are all it has. */
export interface AuditLog {
  readonly tenant: string;
  /** The query as sent, with `{from}` and `{to}` where the times stand. */
  readonly query: string;
  /** appIds under which we act ourselves. */
  readonly ownAppIds: readonly string[];
  /**
   * One page of what happened from `from` to `to` (ms, both included); `link` null: the first. Null: this tenant has no such
   * log for us. Error: OUTSIDE_INVALID when the link is not known any more.
   */
  page(
    ctx: ReadContext,
    span: { readonly from: number; readonly to: number },
    link: string | null,
  ): Promise<AuditPage | null>;
}
