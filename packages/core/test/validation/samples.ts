import type {
  ConfigScopes,
  Connection,
  EntraRow,
  InventoryRow,
  Policy,
  PostgresRow,
  Request,
  ValidationInput,
  World,
  WorldCredential,
} from "../../src/index.ts";
import { resolvePolicy } from "../../src/index.ts";
import { environmentWith, policyOf } from "../policy/samples.ts";

export const now = Date.UTC(2026, 10, 23, 8);
export const day = 86_400_000;
export const ada = "p_00000000000000aa";
export const bob = "p_00000000000000bb";
export const cyd = "p_00000000000000cc";
export const sam = "p_00000000000000dd";
export const eve = "p_00000000000000ee";
const tenantId = "11111111-2222-4333-8444-555555555555";
export const executorAppId = "33333333-2222-4333-8444-555555555555";

export const row: EntraRow = {
  procedure: "entra-client-secret",
  name: "billing-api",
  environment: "dev",
  tenant: "contoso",
  objectId: "8f1c5a52-0000-4000-8000-000000000001",
  appId: "8f1c5a52-0000-4000-8000-000000000002",
  owners: [ada, bob],
  record: { connection: "main-vault", name: "billing-secret" },
  consumers: [
    { kind: "latest", name: "web", environment: "dev", pickupSeconds: 3_600, cadenceSeconds: 600, callers: [] },
    {
      kind: "pinned",
      name: "batch",
      environment: "dev",
      pickupSeconds: 60,
      cadenceSeconds: 86_400 * 2,
      callers: [],
      connection: "app-files",
      path: "billing/batch.ref",
    },
  ],
  rowDigest: `sha256:${"0".repeat(64)}`,
};

export const postgres: PostgresRow = {
  procedure: "postgres-role-password",
  name: "orders",
  environment: "dev",
  tenant: "contoso",
  connection: "orders-db",
  roles: ["orders_a", "orders_b"],
  owners: [ada, bob],
  record: { connection: "main-vault", name: "billing-orders" },
  consumers: [],
  rowDigest: `sha256:${"1".repeat(64)}`,
};

export const connection = (
  name: string,
  kind: string,
  scope: readonly string[],
  more: Partial<Connection> = {},
): Connection => ({ name, kind, environment: "dev", prod: false, tenant: null, scope, settings: {}, ...more });
export const config: ConfigScopes = {
  tenants: [
    {
      name: "contoso",
      id: tenantId,
      authority: "https://login.example",
      graph: "https://graph.example",
      reader: { clientId: "22222222-2222-4333-8444-555555555555", secret: "env:R" },
      writer: { clientId: executorAppId, secret: "env:W" },
      ownExecutorAppIds: [],
    },
  ],
  connections: [
    connection("main-vault", "key-vault", ["billing-*"], { tenant: "contoso" }),
    connection("app-files", "files", ["billing/*.ref"]),
    connection("orders-db", "postgres", ["orders_*"]),
  ],
};
export const withConnection = (name: string, more: Partial<Connection>): ConfigScopes => ({
  ...config,
  connections: config.connections.map((item) => (item.name === name ? { ...item, ...more } : item)),
});

export const credential = (id: string, more: Partial<WorldCredential> = {}): WorldCredential => ({
  id,
  kind: "client-secret",
  startsAt: now - 80 * day,
  expiresAt: now + 10 * day,
  marker: { run: "run_x", attempt: 1, nonce: "n" },
  ...more,
});
export function worldOf(of: InventoryRow, more: Partial<World> = {}): World {
  return {
    readAt: now,
    target:
      of.procedure === "entra-client-secret"
        ? { tenantId, objectId: of.objectId, appId: of.appId }
        : { systemIdentifier: "1", database: "orders" },
    credentials:
      of.procedure === "entra-client-secret"
        ? [credential("old")]
        : of.roles.map((id) => credential(id, { kind: "role", startsAt: null, expiresAt: null, marker: null })),
    record: { identity: { vault: "v" }, version: "v1", readable: true },
    binding: { id: of.procedure === "entra-client-secret" ? "old" : of.roles[0], by: "ours" },
    recordSignsIn: true,
    consumers: of.consumers.map((consumer) => ({
      name: consumer.name,
      exists: true,
      identity: { i: consumer.name },
      identityKind: "immutable" as const,
      holds: "v1",
      matchesRecord: true,
    })),
    directoryOwners: [],
    limits: { credentialsMax: null, lifetimeSecondsMax: null },
    ...more,
  };
}
export const seenConsumers = (more: Partial<World["consumers"][number]>): World["consumers"] =>
  worldOf(row).consumers.map((consumer) => (consumer.name === "batch" ? { ...consumer, ...more } : consumer));

export const request: Request = {
  trigger: "due",
  requester: "system:scanner",
  target: { name: "billing-api" },
  force: false,
  reasonGiven: false,
};
export const policy = (...changes: (readonly [string, string])[]): Policy =>
  policyOf({ all: environmentWith(...changes) });

/** Everything in order: no rule blocks or warns. */
export const good: ValidationInput = {
  at: "start",
  request,
  row,
  world: worldOf(row),
  config,
  policy: resolvePolicy(policy(), row),
  people: [
    { person: ada, roles: ["app-owner", "platform"], level: "passkey" },
    { person: bob, roles: ["app-owner"], level: "passkey" },
    { person: cyd, roles: ["platform"], level: "passkey" },
    { person: sam, roles: ["security"], level: "passkey" },
  ],
  now,
  openRun: null,
  pendingRuns: [],
  supersedes: null,
  unreviewed: null,
  seen: { entries: [], callers: [], signInsRead: true, vaultsRead: true },
  lastPlan: null,
};
export const underPolicy = (...changes: (readonly [string, string])[]): ValidationInput => ({
  ...good,
  policy: resolvePolicy(policy(...changes), row),
});
export const inWorld = (more: Partial<World>): ValidationInput => ({ ...good, world: worldOf(row, more) });
