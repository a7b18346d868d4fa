import { createHash } from "node:crypto";
import { type Facts, isCode, type SecretValue } from "@countersign/core";
import type { Budget } from "../kit/budget.ts";
import type { Ground } from "../kit/ground.ts";
import type { Answer, Call, Endpoint, ErrorReader, Http } from "../kit/http.ts";
import type { Leave } from "../kit/leave.ts";
import type { KubernetesConnection } from "./schema.ts";
import { Namespace, Secret, Status, Workload } from "./shapes.ts";

/** One cluster ready to be called. */
export interface Cluster {
  readonly connection: KubernetesConnection;
  readonly http: Http;
  readonly endpoint: Endpoint;
  readonly budget: Budget;
  readonly token: () => Promise<SecretValue>;
}

/** Finds a cluster by its connection name. Throws CONFIG_INVALID. */
export type Clusters = (connection: string) => Cluster;

/** Where a key stands. */
export interface KeyPlace {
  readonly namespace: string;
  /** Name of the Secret. */
  readonly entry: string;
  readonly key: string;
}

/** Makes a connection ready. Throws HOST_REFUSED. */
export function connectCluster(connection: KubernetesConnection, ground: Ground): Cluster {
  const { ca } = connection;
  const http = ca === undefined ? ground.http : ground.open({ ca: [ca], caOnly: true });
  const endpoint = http.endpoint(connection.url);
  return {
    connection,
    http,
    endpoint,
    budget: ground.budget(`${endpoint.base.host}:kubernetes`),
    token: () => ground.readSecret(connection.token),
  };
}

export function scopeName({ namespace, entry, key }: KeyPlace): string {
  return `${namespace}/${entry}/${key}`;
}

const readStatus: ErrorReader = (_status, body) => {
  const parsed = Status.safeParse(body);
  return { code: parsed.success ? parsed.data.reason : null, transient: false };
};

type ClusterCall<T> = Pick<Call<T>, "name" | "url" | "answer"> &
  Partial<Pick<Call<T>, "method" | "json" | "retry" | "effect">>;

async function call<T>(leave: Leave, to: Cluster, request: ClusterCall<T>): Promise<Answer<T>> {
  const once = async () =>
    to.http.call(leave, {
      method: "GET",
      retry: "safe",
      effect: false,
      ...request,
      expect: [200],
      readError: readStatus,
      budget: to.budget,
      headers: {
        authorization: `Bearer ${(await to.token()).reveal()}`,
        ...(request.method === "PATCH" ? { "content-type": "application/merge-patch+json" } : {}),
      },
    });
  try {
    return await once();
  } catch (error) {
    if (!isCode(error, "OUTSIDE_AUTH")) throw error;
    // The token was changed between reading it and its use; a refusal did nothing.
    return once();
  }
}

const secretPath = ({ namespace, entry }: KeyPlace) =>
  `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets/${encodeURIComponent(entry)}`;

/** Throws OUTSIDE_NOT_FOUND. */
export async function readSecret(leave: Leave, to: Cluster, place: KeyPlace): Promise<Secret> {
  return (await call(leave, to, { name: "secret.get", url: to.endpoint.url(secretPath(place)), answer: Secret })).body;
}

/** Changes one key of the Secret as it was read, and nothing beside it. Throws OUTSIDE_CONFLICT when it was changed since. */
export function patchKey(
  leave: Leave,
  to: Cluster,
  place: KeyPlace,
  seen: Secret,
  value: SecretValue,
): Promise<Answer<Secret>> {
  return call(leave, to, {
    name: "secret.patch",
    method: "PATCH",
    url: to.endpoint.url(secretPath(place)),
    json: {
      metadata: { resourceVersion: seen.metadata.resourceVersion },
      data: { [place.key]: Buffer.from(value.reveal(), "utf8").toString("base64") },
    },
    // The revision makes a second one a conflict; what stands there is read before another is made.
    retry: "once",
    effect: true,
    answer: Secret,
  });
}

/** What outlives names: the cluster's and the Secret's own ids (I11). */
export async function identityOf(leave: Leave, to: Cluster, place: KeyPlace, secret: Secret): Promise<Facts> {
  const url = to.endpoint.url("/api/v1/namespaces/kube-system");
  const { body } = await call(leave, to, { name: "namespace.get", url, answer: Namespace });
  return {
    cluster: body.metadata.uid,
    uid: secret.metadata.uid,
    namespace: place.namespace,
    entry: place.entry,
    key: place.key,
  };
}

/** What made a Secret and would undo our write; null when nobody does. */
export function keeperOf({ metadata }: Secret): string | null {
  const owner = metadata.ownerReferences?.[0]?.kind;
  if (owner !== undefined) return owner;
  const labels = metadata.labels ?? {};
  const marks = [
    "argocd.argoproj.io/instance",
    "helm.toolkit.fluxcd.io/name",
    "kustomize.toolkit.fluxcd.io/name",
    "reconcile.external-secrets.io/created-by",
  ];
  const mark = marks.find((name) => labels[name] !== undefined);
  return mark ?? (labels["app.kubernetes.io/managed-by"] === "Helm" ? "Helm" : null);
}

const workloadPath = (namespace: string, workload: string) => {
  const [kind = "", name = ""] = workload.split("/");
  return `/apis/apps/v1/namespaces/${encodeURIComponent(namespace)}/${kind}s/${encodeURIComponent(name)}`;
};

export async function readWorkload(leave: Leave, to: Cluster, namespace: string, workload: string): Promise<Workload> {
  const url = to.endpoint.url(workloadPath(namespace, workload));
  return (await call(leave, to, { name: "workload.get", url, answer: Workload })).body;
}

/** The mark of our restarts for one key: other keys' marks on the same workload stay. */
export function restartMark({ namespace, entry, key }: KeyPlace): string {
  const name = createHash("sha256").update(`${namespace}/${entry}/${key}`).digest("hex").slice(0, 16);
  return `countersign.dev/restarted-for-${name}`;
}

/** Marks a workload's template with the version it is restarted for. The same mark again restarts nothing. */
export function restart(
  leave: Leave,
  to: Cluster,
  place: KeyPlace,
  workload: string,
  version: string,
): Promise<Answer<Workload>> {
  return call(leave, to, {
    name: "workload.patch",
    method: "PATCH",
    url: to.endpoint.url(workloadPath(place.namespace, workload)),
    json: { spec: { template: { metadata: { annotations: { [restartMark(place)]: version } } } } },
    retry: "idempotent",
    effect: true,
    answer: Workload,
  });
}

/** How far the rollout of a workload's present template is (the conditions of `kubectl rollout status`). */
export function rollout({ metadata, spec, status }: Workload): "done" | "under-way" | "failed" {
  const stuck = status.conditions?.some((one) => one.type === "Progressing" && one.status === "False") === true;
  if (stuck) return "failed";
  if ((status.observedGeneration ?? 0) < metadata.generation) return "under-way";
  const wanted = status.desiredNumberScheduled ?? spec.replicas ?? 1;
  const updated = status.updatedNumberScheduled ?? status.updatedReplicas ?? 0;
  const available = status.numberAvailable ?? status.availableReplicas ?? 0;
  const left = (status.replicas ?? wanted) > wanted;
  return updated >= wanted && available >= wanted && !left ? "done" : "under-way";
}
