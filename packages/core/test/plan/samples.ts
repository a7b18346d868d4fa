import { digestOf, type Json } from "@countersign/evidence";
import {
  type Consumer,
  type EntraRow,
  type InventoryRow,
  makePlan,
  type PlanInput,
  type PostgresRow,
  type Settings,
  type World,
} from "../../src/index.ts";

/** 2026-11-23T08:00:00.000Z */
export const startMs = Date.UTC(2026, 10, 23, 8);
const dayMs = 86_400_000;
export const people = { ada: "p_00000000000000aa", bob: "p_00000000000000bb", cyd: "p_00000000000000cc" } as const;
export const requester = "p_00000000000000ee";

export const settings: Settings = {
  prod: false,
  overlapSeconds: 3 * 86_400,
  lifetimeSeconds: 90 * 86_400,
  proofTimes: 5,
  proofSpacingSeconds: 12,
  proofDeadlineSeconds: 300,
  rollbackMinRemainingSeconds: 2 * 86_400,
  quietSeconds: 86_400,
  retire: { minGrade: "strong", consumerLevel: "value-matched" },
  approvals: {
    expiresAfterSeconds: 86_400,
    minLevel: "session",
    require: [
      { role: "app-owner", count: 1, people: [people.ada, people.bob] },
      { role: "platform", count: 1, people: [people.ada, people.cyd] },
    ],
    separation: ["requester-cannot-approve", "one-person-one-role"],
  },
};

/** The same with a yes of security, as it is asked for a credential that is named. */
export const withSecurity: Settings = {
  ...settings,
  approvals: {
    ...settings.approvals,
    require: [...settings.approvals.require, { role: "security", count: 1, people: [people.cyd] }],
  },
};

const common = { environment: "dev", pickupSeconds: 60, cadenceSeconds: 3_600, callers: ["192.0.2.7"] };
export const consumersByKind: { readonly [K in Consumer["kind"]]: Extract<Consumer, { kind: K }> } = {
  latest: { ...common, name: "Billing API", kind: "latest" },
  pinned: { ...common, name: "batch", kind: "pinned", connection: "app-files", path: "billing/batch.ref" },
  copied: { ...common, name: "reports", kind: "copied", connection: "team-vault", entry: "billing-copy" },
  "connection-file": {
    ...common,
    name: "orders",
    kind: "connection-file",
    connection: "app-files",
    path: "orders/db.json",
  },
  "devops-variable": {
    ...common,
    name: "pipeline",
    kind: "devops-variable",
    connection: "devops",
    project: "billing",
    group: 7,
    variable: "clientSecret",
  },
  "app-setting": {
    ...common,
    name: "shop",
    kind: "app-setting",
    connection: "apps",
    resourceGroup: "billing",
    site: "shop",
    setting: "CLIENT_SECRET",
  },
  "app-reference": {
    ...common,
    name: "portal",
    kind: "app-reference",
    connection: "apps",
    resourceGroup: "billing",
    site: "portal",
    setting: "CLIENT_SECRET",
  },
  "github-secret": {
    ...common,
    name: "deploy",
    kind: "github-secret",
    connection: "github",
    repository: "contoso/billing",
    deployment: "live/eu west",
    secret: "BILLING_SECRET",
  },
  "kubernetes-secret": {
    ...common,
    name: "pods",
    kind: "kubernetes-secret",
    connection: "cluster",
    namespace: "billing",
    secret: "entra",
    key: "client-secret",
    workloads: ["deployment/billing"],
    restart: true,
  },
  rest: { ...common, name: "partner", kind: "rest", connection: "partner-api", entry: "billing" },
  manual: { ...common, name: "till", kind: "manual", checklist: ["Open the till's settings", "Paste the new value"] },
};

const record = { connection: "main-vault", name: "billing-secret" };

export function withDigest<R extends Omit<InventoryRow, "rowDigest">>(row: R): R & { rowDigest: string } {
  return { ...row, rowDigest: digestOf(row as unknown as Json) };
}

export const entraRow: EntraRow = withDigest({
  procedure: "entra-client-secret" as const,
  name: "billing-api",
  tenant: "contoso",
  environment: "dev",
  objectId: "8f1c5a52-0000-4000-8000-000000000001",
  appId: "8f1c5a52-0000-4000-8000-000000000002",
  owners: [people.ada, people.bob],
  record,
  consumers: [consumersByKind.latest, consumersByKind.pinned, consumersByKind.copied],
});

export const postgresRow: PostgresRow = withDigest({
  procedure: "postgres-role-password" as const,
  name: "orders",
  tenant: "contoso",
  environment: "dev",
  connection: "orders-db",
  roles: ["orders_a", "orders_b"] as const,
  owners: [people.ada],
  record,
  // Every kind stands in the cases of the procedures; here each one more costs the tests of single changes their square.
  consumers: [
    consumersByKind.latest,
    consumersByKind["connection-file"],
    consumersByKind["github-secret"],
    consumersByKind["kubernetes-secret"],
    consumersByKind.rest,
  ],
});

/** The world as a reader would find it when everything is in order. */
export function worldOf(row: InventoryRow): World {
  const entra = row.procedure === "entra-client-secret";
  const ids = entra ? ["11111111-old", "22222222-foreign"] : [...row.roles];
  return {
    readAt: startMs - dayMs,
    target: entra
      ? { tenantId: "tenant-guid", objectId: row.objectId, appId: row.appId }
      : { systemIdentifier: "7301122334455667788", database: "orders" },
    credentials: ids.map((id) => ({
      id,
      kind: entra ? "client-secret" : "role",
      startsAt: entra ? startMs - 80 * dayMs : null,
      expiresAt: entra ? startMs + 10 * dayMs : null,
      marker: null,
    })),
    record: { identity: { vault: "main.vault.example", name: row.record.name }, version: "v-1", readable: true },
    binding: { id: ids[0] ?? null, by: "hint" },
    recordSignsIn: true,
    consumers: row.consumers.map((consumer) => ({
      name: consumer.name,
      exists: true,
      identity: { of: consumer.name, inode: "4711" },
      identityKind: "immutable",
      holds: "v-1",
      matchesRecord: true,
    })),
    directoryOwners: [],
    limits: { credentialsMax: null, lifetimeSecondsMax: null },
  };
}

export function inputOf(row: InventoryRow, world: World = worldOf(row)): PlanInput {
  return {
    run: "run_01jd8y0000000000000000000a",
    tenant: { name: "contoso", id: "tenant-guid" },
    trigger: "due",
    requester,
    row,
    world,
    settings,
    notBefore: startMs,
    rules: [
      { rule: "overlap-floor", observed: "3 days", required: "at least 1 day", result: "pass" },
      { rule: "identity-immutable", observed: "name only", required: "immutable", result: "warn" },
    ],
    risks: [{ code: "foreign-key", sentence: "Another live secret exists that we did not create." }],
    policyDigest: digestOf("policy"),
    inventoryDigest: digestOf("inventory"),
  };
}

/** A sample row of each registered procedure. */
export const samples: readonly InventoryRow[] = [entraRow, postgresRow];

export const frozenOf = (row: InventoryRow = entraRow) => makePlan(inputOf(row));
