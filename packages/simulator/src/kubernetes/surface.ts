import type { Incoming, Operation, Outcome, Surface } from "../http/exchange.ts";
import type { World } from "../world.ts";
import type { Cluster, ClusterAccount } from "./model.ts";
import { patchWorkload, secretOf, secretShape, workloadShape, writeSecret } from "./objects.ts";
import { clusterFailure, refuseCluster } from "./status.ts";

const MERGE = "application/merge-patch+json";

/** Namespaces, Secrets and workloads of one cluster (Kubernetes API, core v1 and apps v1). */
export function createClusterSurface(world: World, cluster: Cluster): Surface {
  return {
    name: `cluster ${cluster.name}`,
    resolve: (incoming) => resolve(world, cluster, incoming),
    fail: (request) => clusterFailure(request),
  };
}

function resolve(world: World, cluster: Cluster, incoming: Incoming): Operation {
  const { method } = incoming;
  const [, lone = null] = /^\/api\/v1\/namespaces\/([^/]+)$/.exec(incoming.path) ?? [];
  const [, space = "", secret = null] = /^\/api\/v1\/namespaces\/([^/]+)\/secrets\/([^/]+)$/.exec(incoming.path) ?? [];
  const [, place = "", plural = "", workload = null] =
    /^\/apis\/apps\/v1\/namespaces\/([^/]+)\/(deployments|statefulsets|daemonsets)\/([^/]+)$/.exec(incoming.path) ?? [];
  const verbs: Record<string, string> = { GET: "get", PATCH: "patch", PUT: "update" };
  const object =
    lone !== null ? "namespace" : secret !== null ? "clusterSecret" : workload !== null ? "workload" : null;
  const op = object === null || verbs[method] === undefined ? "unknown" : `${object}.${verbs[method]}`;
  const account = readAccount(cluster, incoming);
  const namespace = lone ?? (space || place);
  return {
    op,
    write: method !== "GET",
    caller: account?.name ?? null,
    target: { cluster: cluster.name, namespace, secret, workload },
    carryOut(): Outcome {
      if (account === null) return refuseCluster(401, "Unauthorized");
      const mayRead = lone !== null || account.namespaces.some((item) => item === "*" || item === namespace);
      if (!mayRead || (method !== "GET" && !account.write)) return refuseCluster(403, `${object}s is forbidden`);
      if (op === "namespace.get" && lone === "kube-system")
        return {
          reply: { status: 200, body: { kind: "Namespace", metadata: { name: lone, uid: cluster.uid } } },
          effect: false,
        };
      if (method === "PATCH" && incoming.headers["content-type"] !== MERGE)
        return refuseCluster(
          415,
          `the body of the request was in an unknown format - accepted media types include: ${MERGE}`,
        );
      if (secret !== null) {
        const found = secretOf(cluster, namespace, secret);
        if (found === undefined) return refuseCluster(404, `secrets "${secret}" not found`);
        if (method === "GET") return { reply: { status: 200, body: secretShape(found) }, effect: false };
        return writeSecret(cluster, found, parse(incoming.body), method === "PUT");
      }
      const item = cluster.workloads.find(
        (one) => one.namespace === namespace && `${one.kind}s` === plural && one.name === workload,
      );
      if (item === undefined || op === "unknown")
        return refuseCluster(404, "the server could not find the requested resource");
      if (method === "GET") return { reply: { status: 200, body: workloadShape(world, item) }, effect: false };
      if (method !== "PATCH") return refuseCluster(405, "the server does not allow this method");
      return patchWorkload(world, cluster, item, parse(incoming.body));
    },
  };
}

function readAccount(cluster: Cluster, incoming: Incoming): ClusterAccount | null {
  const token = /^Bearer (.+)$/i.exec(incoming.headers.authorization ?? "")?.[1];
  return cluster.accounts.find((item) => item.token === token) ?? null;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
