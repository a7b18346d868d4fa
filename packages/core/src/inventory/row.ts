/**
 * One row of the inventory: the allowlist of what may ever be touched, with who answers for it and who uses it.
 * The YAML form and its strict schema stand in schema.ts; these are the parsed shapes. Durations are seconds.
 */

/** Where the current value officially lives: an entry inside a connection scope. */
export interface RecordRef {
  readonly connection: string;
  readonly name: string;
}

export interface ConsumerBase {
  readonly name: string;
  readonly environment: string;
  /** Longest time until the consumer uses what its target says. */
  readonly pickupSeconds: number;
  /** How often it signs in at least; widens the quiet time of the retire gate. */
  readonly cadenceSeconds: number;
  /** Source addresses of its sign-ins; with them "used" can be shown per consumer. */
  readonly callers: readonly string[];
}

/** Reads the record's newest version by itself: the store write is its update. */
export interface LatestConsumer extends ConsumerBase {
  readonly kind: "latest";
}

/** Holds a reference with a version in it, in a file inside a `files` connection. */
export interface PinnedConsumer extends ConsumerBase {
  readonly kind: "pinned";
  readonly connection: string;
  readonly path: string;
}

/** Holds a copy of the value, in an entry of another vault. */
export interface CopiedConsumer extends ConsumerBase {
  readonly kind: "copied";
  readonly connection: string;
  readonly entry: string;
}

/** Reads a connection file (host, database, user and password rendered together, written as one unit). */
export interface ConnectionFileConsumer extends ConsumerBase {
  readonly kind: "connection-file";
  readonly connection: string;
  readonly path: string;
}

/** A secret variable of an Azure DevOps variable group. */
export interface DevopsVariableConsumer extends ConsumerBase {
  readonly kind: "devops-variable";
  readonly connection: string;
  readonly project: string;
  readonly group: number;
  readonly variable: string;
}

interface AppServiceConsumer extends ConsumerBase {
  readonly connection: string;
  readonly resourceGroup: string;
  readonly site: string;
  readonly slot?: string;
  readonly setting: string;
}

/** An App Service setting that holds the value itself. */
export interface AppSettingConsumer extends AppServiceConsumer {
  readonly kind: "app-setting";
}

/** An App Service setting that refers to the record without a version. */
export interface AppReferenceConsumer extends AppServiceConsumer {
  readonly kind: "app-reference";
}

/** A secret of GitHub Actions: of a repository, of one of its environments (`deployment`), or of an organization. */
export interface GithubSecretConsumer extends ConsumerBase {
  readonly kind: "github-secret";
  readonly connection: string;
  readonly repository?: string;
  readonly organization?: string;
  readonly deployment?: string;
  readonly secret: string;
}

/** One key of a Kubernetes Secret, with the workloads that use it. */
export interface KubernetesSecretConsumer extends ConsumerBase {
  readonly kind: "kubernetes-secret";
  readonly connection: string;
  readonly namespace: string;
  readonly secret: string;
  readonly key: string;
  readonly workloads?: readonly string[];
  readonly restart?: boolean;
}

/** An entry behind a plain HTTP interface that the connection describes. */
export interface RestConsumer extends ConsumerBase {
  readonly kind: "rest";
  readonly connection: string;
  readonly entry: string;
}

/** Updated by hand: an owner works through the checklist and confirms. */
export interface ManualConsumer extends ConsumerBase {
  readonly kind: "manual";
  readonly checklist: readonly string[];
}

export type Consumer =
  | LatestConsumer
  | PinnedConsumer
  | CopiedConsumer
  | ConnectionFileConsumer
  | DevopsVariableConsumer
  | AppSettingConsumer
  | AppReferenceConsumer
  | GithubSecretConsumer
  | KubernetesSecretConsumer
  | RestConsumer
  | ManualConsumer;

interface RowBase {
  /** Unique name, used in URLs and on the command line. */
  readonly name: string;
  readonly environment: string;
  /** Opaque person ids of the accountable owners; empty = nobody answers for it. */
  readonly owners: readonly string[];
  /** Who answers for what the application is for; absent where nobody has said. They are told of trouble and may be asked to approve. */
  readonly businessOwners?: readonly string[] | undefined;
  readonly record: RecordRef;
  readonly consumers: readonly Consumer[];
  /** Digest of this row's canonical form: what a plan is bound to. */
  readonly rowDigest: string;
}

export interface EntraRow extends RowBase {
  readonly procedure: "entra-client-secret";
  /** Name of the tenant in the configuration. */
  readonly tenant: string;
  readonly objectId: string;
  readonly appId: string;
  /** By id of a credential: who answers for that one beside the owners; absent where nobody has said. */
  readonly credentialOwners?: Readonly<Record<string, readonly string[]>> | undefined;
}

export interface PostgresRow extends RowBase {
  readonly procedure: "postgres-role-password";
  /** Name of the tenant in whose name the run is governed. */
  readonly tenant: string;
  /** A `postgres` connection. */
  readonly connection: string;
  /** The two login roles that take turns. */
  readonly roles: readonly [string, string];
}

export type InventoryRow = EntraRow | PostgresRow;
