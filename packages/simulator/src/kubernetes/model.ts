export type Metadata = Record<string, string>;

/** A Secret: a map of base64 texts, one revision of the cluster at a time. */
export interface ClusterSecret {
  namespace: string;
  name: string;
  uid: string;
  revision: number;
  createdMs: number;
  immutable: boolean;
  labels: Metadata;
  annotations: Metadata;
  /** Kind and name of what made it and keeps it as it is. */
  owner: { kind: string; name: string } | null;
  /** Plain texts; answered as base64. */
  data: Record<string, string>;
}

/** A workload that has a Secret in its environment: what its pods hold is what stood there when they began. */
export interface ClusterWorkload {
  kind: "deployment" | "statefulset" | "daemonset";
  namespace: string;
  name: string;
  uid: string;
  replicas: number;
  revision: number;
  generation: number;
  template: Metadata;
  secret: string;
  rolloutMs: number;
  /** When the template changed last, and what the Secret held then. */
  changedMs: number;
  next: Record<string, string>;
  /** What the pods of before hold until the rollout is through. */
  held: Record<string, string>;
  /** A rollout that never gets through. */
  stuck: boolean;
}

/** What a service account may do: Secrets and workloads by `namespace/name`, `*` for all of them. */
export interface ClusterAccount {
  name: string;
  token: string;
  namespaces: string[];
  write: boolean;
}

/** A cluster's API server, on a port of its own. */
export interface Cluster {
  name: string;
  port: number;
  /** Of the namespace kube-system: the nearest thing to an identity that a cluster has. */
  uid: string;
  revision: number;
  accounts: ClusterAccount[];
  secrets: ClusterSecret[];
  workloads: ClusterWorkload[];
}
