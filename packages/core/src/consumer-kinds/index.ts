import type { Consumer, RecordRef } from "../inventory/row.ts";
import type { Facts } from "../ports/index.ts";
import { appReference, appSetting } from "./app-service.ts";
import { devopsVariable } from "./devops.ts";
import { githubSecret } from "./github.ts";
import type { ConsumerKind } from "./kind.ts";
import { kubernetesSecret } from "./kubernetes.ts";
import { manual } from "./manual.ts";
import { rest } from "./rest.ts";
import { connectionFile, copied, latest, pinned } from "./vault-and-files.ts";

export type { ConsumerKind } from "./kind.ts";

type Kinds = { readonly [K in Consumer["kind"]]: ConsumerKind<Extract<Consumer, { kind: K }>> };

/** Every kind of consumer, in the order in which procedures update them. */
export const consumerKinds: Kinds = {
  latest,
  pinned,
  copied,
  "connection-file": connectionFile,
  "devops-variable": devopsVariable,
  "app-setting": appSetting,
  "app-reference": appReference,
  "github-secret": githubSecret,
  "kubernetes-secret": kubernetesSecret,
  rest,
  manual,
};

/** Their names, for schemas. */
export const consumerKindNames = Object.keys(consumerKinds) as [Consumer["kind"], ...Consumer["kind"][]];

/** What is known of this consumer's kind. */
export function kindOf<C extends Consumer>(consumer: C): ConsumerKind<C> {
  return consumerKinds[consumer.kind] as unknown as ConsumerKind<C>;
}

/** Where a consumer's value or reference stands, for people and for parameters. */
export function consumerTarget(consumer: Consumer, record: RecordRef): Facts {
  if (consumer.kind === "latest") return { ...record };
  const target = kindOf(consumer).target(consumer);
  return "connection" in consumer ? { connection: consumer.connection, ...target } : target;
}
