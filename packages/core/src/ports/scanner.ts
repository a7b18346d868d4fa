import type { ReadContext, WorldCredential } from "./world.ts";

/** A credential as a listing shows it. Times in milliseconds. */
export interface ScannedCredential {
  readonly id: string;
  readonly kind: WorldCredential["kind"];
  readonly startsAt: number | null;
  readonly expiresAt: number | null;
  readonly marker: WorldCredential["marker"];
}

/** A directory object that may carry credentials, as a listing shows it. */
export interface ScannedObject {
  readonly kind: "application" | "service-principal";
  readonly objectId: string;
  readonly appId: string;
  readonly name: string;
  readonly createdAt: number | null;
  readonly audience: string | null;
  readonly disabled: boolean;
  /** What the directory names as its record in a service catalogue. */
  readonly serviceRef: string | null;
  readonly credentials: readonly ScannedCredential[];
}

/** One page of a listing. */
export interface ScanPage {
  readonly objects: readonly ScannedObject[];
  /** Ids of what was listed in a form that nobody documented: nothing is concluded about it. */
  readonly unreadable: readonly string[];
  /** Link to the next page; null: this was the last one. */
  readonly next: string | null;
}

/** What has changed since a link was given. */
export interface ScanChanges {
  /** As they are now: each was read again, since a change names only what has changed. */
  readonly objects: readonly ScannedObject[];
  readonly unreadable: readonly string[];
  readonly removed: readonly string[];
  /** Where the next look begins. */
  readonly link: string;
}

/** Who owns a directory object. */
export interface ObjectOwners {
  readonly objectId: string;
  readonly owners: readonly {
    readonly id: string;
    readonly kind: "user" | "service-principal" | "other";
    /** How the directory shows it; personal data. */
    readonly name: string | null;
    /** Null: not said. */
    readonly enabled: boolean | null;
  }[];
}

/** When a credential was last used to sign in, as the directory's own report says. */
export interface LastUse {
  readonly id: string;
  readonly lastUsedAt: number | null;
}

/** Sign-ins of one application that its directory refused for the secret they came with, summed up. */
export interface SignInFailure {
  readonly appId: string;
  /** Null: the log does not say with which. */
  readonly credential: string | null;
  /** The directory's own number, without AADSTS. */
  readonly error: number;
  /** Milliseconds. */
  readonly firstAt: number;
  readonly lastAt: number;
  readonly count: number;
  /** Where they came from, in order, at most four. */
  readonly addresses: readonly string[];
}

export interface FailedSignIns {
  readonly found: readonly SignInFailure[];
  readonly pages: number;
  /** Not all of the time was read, or not every line could be: what is not named may have failed too. */
  readonly cut: boolean;
}

/** How long a policy of the directory itself lets a secret live. */
export interface LifetimePolicy {
  /** Empty: the tenant's default for this kind; one of its own takes its place. */
  readonly objectId: string;
  readonly kind: ScannedObject["kind"];
  /** Null: it lifts the default. */
  readonly secretSecondsMax: number | null;
  /** It holds for what was created then or later, ms. */
  readonly createdFrom: number;
}

/** A permission that an application holds by itself, as the API that offers it calls it. */
export interface GrantedPermission {
  /** Name of that API in the directory; anybody may call an API so. */
  readonly resource: string;
  /** Its client id, by which it is known. */
  readonly resourceAppId: string;
  readonly permission: string;
}

/** An address that signed in with a client secret of the application. */
export interface CallerFound {
  readonly address: string;
  /** Milliseconds. */
  readonly lastAt: number;
}

/** Lists the credentials of one tenant. Reading rights are all it has. */
export interface Scanner {
  readonly tenant: string;
  /** The queries as sent, for evidence. */
  readonly query: string;
  readonly collections: readonly string[];
  /** appIds under which we act ourselves: what owns for them is of interest also where it holds nothing. */
  readonly ownAppIds: readonly string[];
  /** A link from which on changes can be asked for; null: this server keeps none. */
  latest(ctx: ReadContext, collection: string): Promise<string | null>;
  /** One page; `link` null: the first. Error: OUTSIDE_INVALID when the link is not known any more. */
  page(ctx: ReadContext, collection: string, link: string | null): Promise<ScanPage>;
  /** Null: the link is too old, a whole listing is due. */
  changes(ctx: ReadContext, collection: string, link: string): Promise<ScanChanges | null>;
  /** One page of the owners of what a collection holds; `link` null: the first. */
  owners(
    ctx: ReadContext,
    collection: string,
    link: string | null,
  ): Promise<{ readonly found: readonly ObjectOwners[]; readonly next: string | null }>;
  /** The owners of these objects, each asked for by its id; one that is gone is left out. */
  ownersOf(
    ctx: ReadContext,
    objects: readonly Pick<ScannedObject, "kind" | "objectId">[],
  ): Promise<readonly ObjectOwners[]>;
  /** The directory's own policies. Null: they are not to be had. */
  policies(ctx: ReadContext): Promise<readonly LifetimePolicy[] | null>;
  /** One page of when credentials were last used. Null: the report is not to be had. */
  uses(
    ctx: ReadContext,
    link: string | null,
  ): Promise<{ readonly found: readonly LastUse[]; readonly next: string | null } | null>;
  /** Sign-ins since a time that failed for their secret. Null: the log is not to be had. */
  failures(ctx: ReadContext, since: number): Promise<FailedSignIns | null>;
  /** Addresses that signed in with a client secret of an application since a time, the last first. Null: the log is not to be had. */
  callers(ctx: ReadContext, appId: string, since: number): Promise<readonly CallerFound[] | null>;
  /** Application permissions that a client of the tenant holds. Null: they are not to be had. */
  granted(ctx: ReadContext, clientId: string): Promise<readonly GrantedPermission[] | null>;
}
