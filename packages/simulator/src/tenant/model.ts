import type { ActivityEvent, AppSite } from "../appservice/model.ts";
import type { ChatRoom } from "../chat/model.ts";
import type { DevopsOrganization } from "../devops/model.ts";
import type { Gateway } from "../gateway/model.ts";
import type { GithubHost } from "../github/model.ts";
import type { Cluster } from "../kubernetes/model.ts";
import type { SharePointSite } from "../sharepoint/model.ts";
import type { TicketDesk } from "../tickets/model.ts";

/** `createdBy` of what a person has made in the portal. */
export const PORTAL = "portal";

/** A client secret on an application or a service principal. Times are virtual milliseconds. */
export interface Credential {
  keyId: string;
  displayName: string | null;
  /** First three characters of the value, as the directory shows them. */
  hint: string;
  secretText: string;
  startMs: number;
  endMs: number;
  /** Start and end as written on the wire, seven fraction digits included. */
  startText: string;
  endText: string;
  createdMs: number;
  /** appId that called addPassword, {@link PORTAL}, or null for a credential that was there from the start. */
  createdBy: string | null;
  removedMs: number | null;
  /** When each read replica of the directory begins to list it. */
  listedAtMs: number[];
  /** When each read replica stops listing it, once removed. */
  unlistedAtMs: number[];
  /** When each token gateway begins to accept it. */
  usableAtMs: number[];
  /** When each token gateway stops accepting it, once removed. */
  unusableAtMs: number[];
}

/** Public half of a certificate; only listed, never used to sign in here. */
export interface KeyCredential {
  keyId: string;
  displayName: string | null;
  startText: string;
  endText: string;
}

/** Somebody who owns an application: a user or a service principal, by object id. */
export interface Owner {
  kind: "user" | "servicePrincipal";
  id: string;
}

/** What an application and a service principal have in common: an object that carries credentials. */
export interface CredentialHolder {
  /** Object id. */
  id: string;
  appId: string;
  displayName: string;
  createdMs: number;
  owners: Owner[];
  credentials: Credential[];
  keyCredentials: KeyCredential[];
  tags: string[];
  /** Virtual time of the last write to the object, for concurrency errors. */
  lastWriteMs: number;
}

export interface Application extends CredentialHolder {
  signInAudience: string;
  notes: string | null;
  serviceManagementReference: string | null;
  isDisabled: boolean;
  redirectUris: string[];
}

export interface ServicePrincipal extends CredentialHolder {
  accountEnabled: boolean;
  /** Application permissions granted on Graph: the `roles` claim. */
  roles: string[];
}

export interface User {
  id: string;
  displayName: string;
  userPrincipalName: string;
  mail: string | null;
  accountEnabled: boolean;
}

export interface SecretVersion {
  version: string;
  value: string;
  contentType: string | null;
  enabled: boolean;
  nbf: number | null;
  exp: number | null;
  /** Unix seconds. */
  created: number;
  updated: number;
  tags: Record<string, string>;
  previousVersion: string | null;
  /** Object id of the writer; null for one that was there from the start. */
  writer: string | null;
}

export interface VaultSecret {
  name: string;
  /** Oldest first. */
  versions: SecretVersion[];
  deleted: { atMs: number; purgeMs: number; visibleMs: number } | null;
}

export interface Vault {
  name: string;
  /** Port it listens on; 0 until it has one. */
  port: number;
  purgeProtection: boolean;
  secrets: Record<string, VaultSecret>;
  /** Id of the tenant that its challenge names, where it is one of the aliases. */
  tenant?: string;
}

/** A role on a vault, or on one secret of it. */
export interface VaultGrant {
  appId: string;
  vault: string;
  secret: string | null;
  role: VaultRole;
}

export type VaultRole = "officer" | "user" | "reader" | "purge";

/** One attempt to get a token, as the sign-in log keeps it. Holds no secret. */
export interface SignIn {
  id: string;
  atMs: number;
  /** When the log shows it. */
  visibleMs: number;
  appId: string;
  keyId: string | null;
  ipAddress: string;
  resource: string;
  errorCode: number;
  correlationId: string;
  /** Name of the hosted workload; null for a call over HTTP. */
  workload: string | null;
}

/** A line of the directory's own audit log. Names are as they were then: people and programs are renamed later. */
export interface DirectoryAudit {
  id: string;
  atMs: number;
  visibleMs: number;
  activityDisplayName: string;
  correlationId: string;
  /** The program that did it; null: a person did, in the portal. */
  appId: string | null;
  actorName: string | null;
  user: { id: string; userPrincipalName: string; ipAddress: string } | null;
  targetId: string;
  targetName: string;
  targetType: "Application" | "ServicePrincipal";
  /** Both null: the line that comes along and says nothing of keys. */
  oldValue: string[] | null;
  newValue: string[] | null;
  userAgent: string | null;
}

/** What the proxy has seen of a login role. */
export interface RoleState {
  /** SCRAM verifier as it was set; null when none was. Never leaves the process but for the state file. */
  verifier: string | null;
  setMs: number;
  login: boolean;
}

/** A real PostgreSQL server behind the proxy. */
export interface PostgresDatabase {
  name: string;
  host: string;
  port: number;
  /** Port of the proxy; 0 until it has one. */
  listenPort: number;
  roles: Record<string, RoleState>;
}

/** An application made for whoever drives this tenant, with the credential it signs in with. */
export interface Caller {
  name: string;
  appId: string;
  objectId: string;
  servicePrincipalId: string;
  secret: string;
  keyId: string;
}

export type WorkloadKind =
  | "entra-latest"
  | "entra-pinned"
  | "entra-copied"
  | "entra-pipeline"
  | "entra-site"
  | "entra-actions"
  | "entra-pod"
  | "entra-gateway"
  | "entra-held"
  | "postgres-file"
  | "postgres-vault";

/** A program that lives on a secret and signs in again and again. */
export interface Workload {
  name: string;
  kind: WorkloadKind;
  ipAddress: string;
  intervalMs: number;
  /** How long it keeps what it read before it looks again: its pick-up delay. */
  cacheMs: number;
  nextMs: number;
  appId: string | null;
  vault: string | null;
  secret: string | null;
  file: string | null;
  postgres: string | null;
  /**
   * What its entry stands in: `<organization>/<group>`, an app `<site>` or `<site>/<slot>`,
   * `<github>/<owner>/<repository>` with or without `/<environment>`, `<cluster>/<namespace>/secret/<name>` (mounted) or
   * `<cluster>/<namespace>/<kind of workload>/<name>` (in its environment), or a gateway.
   */
  container: string | null;
  /** Name of a variable, a setting, a secret or a key in the container. */
  entry: string | null;
  /** What it holds now. A secret value; never leaves the process but for the state file. */
  held: { value: string; user: string | null; database: string | null; readMs: number } | null;
  stopped: boolean;
}

export interface AppManagementRestriction {
  restrictionType: string;
  state: "enabled" | "disabled";
  /** ISO 8601 duration, days only, or null. */
  maxLifetime: string | null;
  restrictForAppsCreatedAfterDateTime: string;
}

export interface AppManagementPolicy {
  id: string;
  isEnabled: boolean;
  passwordCredentials: AppManagementRestriction[];
}

/** Everything a tenant holds, as plain data: this is what the state file keeps. */
export interface Tenant {
  id: string;
  name: string;
  domain: string;
  /** Further ids under which tokens are issued, so that one simulator can stand for several tenants of a configuration. */
  aliases?: string[];
  applications: Application[];
  servicePrincipals: ServicePrincipal[];
  users: User[];
  vaults: Vault[];
  grants: VaultGrant[];
  signIns: SignIn[];
  audits: DirectoryAudit[];
  postgres: PostgresDatabase[];
  callers: Caller[];
  workloads: Workload[];
  devops: DevopsOrganization[];
  github: GithubHost[];
  clusters: Cluster[];
  gateways: Gateway[];
  /** Missing in a state file of before. */
  sharepoint?: SharePointSite[];
  chat: ChatRoom[];
  desks: TicketDesk[];
  /** Id of the one Azure subscription. */
  subscription: string;
  /** Port of Azure Resource Manager; 0 until it has one. */
  armPort: number;
  sites: AppSite[];
  activities: ActivityEvent[];
  defaultPolicy: AppManagementPolicy;
  /** Per application object id; replaces the default per restriction type. */
  applicationPolicies: Record<string, AppManagementPolicy>;
  /** Scenario name of an application -> its object id and the keyIds of its named secrets. */
  names: Record<string, { objectId: string; secrets: Record<string, string> }>;
}
