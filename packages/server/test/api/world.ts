import { type EntraRow, makePlan, type PostgresRow, type Settings, type World } from "@countersign/core";
import { digestOf } from "@countersign/evidence";
import type { KnownPerson } from "../../src/api/index.ts";
import { type MemoryStore, newRecord } from "./memory-store.ts";

export const now = Date.parse("2026-11-22T21:30:00.000Z");
export const day = 86_400_000;
export const tenant = { name: "contoso", id: "6f1c1a52-0a84-4ef1-9d7f-2a9c1de5a0b1" };
const digest = (text: string) => digestOf(new TextEncoder().encode(text));
export const runId = (letter: string) => `run_01kb0000000000000000000${letter.padStart(3, "0")}`;

const iss = "https://demo.countersign.invalid";
export const people: readonly KnownPerson[] = [
  { person: "p_00000000000000a1", name: "Ada Lindqvist", iss, sub: "ada", roles: ["app-owner"] },
  { person: "p_00000000000000b2", name: "Ben Okafor", iss, sub: "ben", roles: ["platform"] },
  { person: "p_00000000000000c3", name: "Cleo Marin", iss, sub: "cleo", roles: ["security"] },
  { person: "p_00000000000000d4", name: "Dag Auditor", iss, sub: "dag", roles: ["auditor"] },
  { person: "p_00000000000000e5", name: "Eli Brandt", iss, sub: "eli", roles: ["business-owner"] },
];
const [ada, ben, cleo] = people.map((person) => person.person) as [string, string, string, string];

/** Whom the row of payroll-sync names beside its owner: Eli for the business, Ben for its one secret. */
export const payrollOwners = {
  businessOwners: ["p_00000000000000e5"],
  credentialOwners: { "3c7a9f10-77aa-4c0b-9c1e-5d2f8a6b4e21": [ben] },
};

export function entraRow(name: string, number: number, owners: readonly string[] = [ada]): EntraRow {
  const tail = String(number).padStart(12, "0");
  return {
    procedure: "entra-client-secret",
    name,
    environment: number % 3 === 0 ? "test" : "dev",
    tenant: "contoso",
    objectId: `0d0d0d0d-1111-4222-8333-${tail}`,
    appId: `8b2f6c11-5a0e-4d3c-9c41-${tail}`,
    owners,
    record: { connection: "main-vault", name: `${name}-secret` },
    rowDigest: digest(name),
    consumers: [
      {
        kind: "latest",
        name: "checkout-web",
        environment: "dev",
        pickupSeconds: 300,
        cadenceSeconds: 60,
        callers: ["10.0.4.11"],
      },
      {
        kind: "pinned",
        name: "nightly-batch",
        environment: "dev",
        pickupSeconds: 900,
        cadenceSeconds: 86_400,
        callers: ["10.0.4.12"],
        connection: "app-files",
        path: "billing/batch.ref",
      },
      {
        kind: "copied",
        name: "partner-export",
        environment: "dev",
        pickupSeconds: 3_600,
        cadenceSeconds: 3_600,
        callers: ["10.0.4.13"],
        connection: "edge-vault",
        entry: "billing-copy",
      },
    ],
  };
}

export const postgresRow: PostgresRow = {
  procedure: "postgres-role-password",
  name: "orders-db",
  environment: "dev",
  tenant: "contoso",
  connection: "orders-db",
  roles: ["orders_a", "orders_b"],
  owners: [ada],
  record: { connection: "main-vault", name: "orders-db-login" },
  rowDigest: digest("orders-db"),
  consumers: [
    {
      kind: "connection-file",
      name: "orders-api",
      environment: "dev",
      pickupSeconds: 30,
      cadenceSeconds: 5,
      callers: [],
      connection: "app-files",
      path: "orders/db.ref",
    },
  ],
};

export const settings: Settings = {
  prod: false,
  overlapSeconds: 3 * 86_400,
  lifetimeSeconds: 90 * 86_400,
  proofTimes: 5,
  proofSpacingSeconds: 12,
  proofDeadlineSeconds: 300,
  rollbackMinRemainingSeconds: 2 * 86_400,
  quietSeconds: 4 * 86_400,
  retire: { minGrade: "weak", consumerLevel: "used" },
  approvals: {
    expiresAfterSeconds: 86_400,
    minLevel: "session",
    require: [
      { role: "app-owner", count: 1, people: [ada] },
      { role: "platform", count: 1, people: [ben] },
    ],
    separation: ["requester-cannot-approve", "one-person-one-role"],
  },
};

export const oldKey = "3c7a9f10-77aa-4c0b-9c1e-5d2f8a6b4e21";

/** A secret of every application that no run has made and no store holds. */
export const handMade = "b81e44d0-1d55-4e0e-8f6a-0f9b7c6d2a90";

function entraWorld(row: EntraRow): World {
  return {
    readAt: now,
    target: { tenantId: tenant.id, objectId: row.objectId, appId: row.appId },
    credentials: [
      { id: oldKey, kind: "client-secret", startsAt: now - 76 * day, expiresAt: now + 14 * day, marker: null },
      {
        id: handMade,
        kind: "client-secret",
        startsAt: now - 300 * day,
        expiresAt: now + 60 * day,
        marker: null,
      },
    ],
    record: {
      identity: { vault: "https://main.vault.azure.net", name: row.record.name },
      version: "4f9c2d7be1a84c55",
      readable: true,
    },
    binding: { id: oldKey, by: "hint" },
    recordSignsIn: true,
    consumers: row.consumers.map((consumer) => ({
      name: consumer.name,
      exists: true,
      identity: { name: consumer.name },
      identityKind: "immutable" as const,
      holds: "4f9c2d7be1a84c55",
      matchesRecord: true,
    })),
    directoryOwners: [],
    uses: [{ credential: handMade, address: "192.0.2.44", at: now - 2 * day }],
    limits: { credentialsMax: null, lifetimeSecondsMax: null },
  };
}

function postgresWorld(): World {
  return {
    ...entraWorld(entraRow("x", 1)),
    target: { systemIdentifier: "7412345678901234567", database: "orders", roles: ["orders_a", "orders_b"] },
    credentials: [
      { id: "orders_a", kind: "role", startsAt: null, expiresAt: null, marker: null },
      { id: "orders_b", kind: "role", startsAt: null, expiresAt: null, marker: null },
    ],
    binding: { id: "orders_a", by: "ours" },
    consumers: [
      {
        name: "orders-api",
        exists: true,
        identity: { path: "orders/db.ref" },
        identityKind: "immutable",
        holds: "orders_a",
        matchesRecord: true,
      },
    ],
  };
}

const findings = [
  { code: "which-key-unproven", result: "warn", observed: "first characters match", required: "our own record" },
  { code: "foreign-live-credentials", result: "warn", observed: "1", required: "listed, not touched" },
  { code: "not-in-inventory", result: "pass", observed: "listed", required: "listed" },
  { code: "no-owner", result: "pass", observed: "1 owner", required: "at least 1" },
  { code: "scope-refused", result: "pass", observed: "inside", required: "inside" },
  { code: "consumer-missing", result: "pass", observed: "3 of 3", required: "all" },
  { code: "overlap-too-short", result: "pass", observed: "259200", required: "86400" },
  { code: "record-value-refused", result: "pass", observed: "signs in", required: "signs in" },
  { code: "window-none-before-expiry", result: "pass", observed: "open", required: "open" },
  { code: "approvers-too-few", result: "pass", observed: "2", required: "2" },
];

const allows = (role: string, person: string) => ({ role, people: [person] });

/** What a policy with both ways of haste comes to: security decides; ben may start alone, ada and cleo confirm and review. */
const urgentSettings: Settings = {
  ...settings,
  overlapSeconds: 0,
  quietSeconds: 0,
  approvals: { ...settings.approvals, require: [{ role: "security", count: 1, people: [cleo] }] },
  emergency: { containWithinSeconds: 3_600, restoreWithinSeconds: 4 * 3_600 },
  breakGlass: {
    grant: [allows("platform", ben)],
    confirm: [allows("app-owner", ada), allows("security", cleo)],
    minLevel: "session",
    expiresAfterSeconds: 900,
    confirmWithinSeconds: 7_200,
    reviewWithinSeconds: 86_400,
    unconfirmed: "hold",
  },
};

/** Security signs whatever names a secret. */
const namedSettings: Settings = {
  ...settings,
  approvals: {
    ...settings.approvals,
    require: [...settings.approvals.require, { role: "security", count: 1, people: [cleo] }],
  },
};

const urgentRisks = [
  {
    code: "forced-retirement",
    sentence:
      "There is no overlap and no gate: with this approval the compromised secret is removed at once, whoever still uses it.",
  },
  {
    code: "consumer-fails",
    sentence: "partner-export may fail for up to 1 hour after the cut: so long it takes to pick up a new secret.",
  },
];

/** What is to be known first of a plan that replaces a secret by name. */
const namedRisks = [
  {
    code: "holder-unlisted",
    sentence: `What lives on the secret ${handMade} stands in no inventory: it was used from 192.0.2.44. An owner moves it by hand.`,
  },
];

/** Files a run and brings it to `awaiting_approval`, as the executor would; an emergency, or for a secret by its name. */
export function addRun(
  store: MemoryStore,
  id: string,
  row: EntraRow | PostgresRow,
  requester: string,
  at: number,
  reason?: string,
  credential?: string | { readonly named: string },
): string {
  const compromised = typeof credential === "string" ? credential : undefined;
  const named = typeof credential === "object" ? credential.named : undefined;
  const isUrgent = compromised !== undefined;
  const urgent = isUrgent ? { urgent: { compromised, supersedes: null } } : {};
  const trigger = isUrgent ? "compromise" : requester.startsWith("p_") ? "manual" : "due";
  const procedure = named === undefined ? row.procedure : "entra-replace-foreign";
  const record = newRecord(id, row.name, procedure, row.environment, requester, at);
  store.records.set(id, { ...record, trigger });
  let reasonDigest: string | null = null;
  if (reason !== undefined) {
    const attachment = store.reasonOf(reason);
    reasonDigest = attachment.digest;
    store.keep([attachment]);
  }
  store.append(
    at,
    "run.requested",
    {
      procedure: `${procedure}@1`,
      reasonDigest,
      replaces: null,
      requester,
      target: isUrgent
        ? { credential: compromised, reportedAt: new Date(at).toISOString() }
        : named === undefined
          ? {}
          : { credential: named },
      trigger,
    },
    id,
  );
  const rules = findings.map(({ code, result, observed, required }) => ({
    rule: code,
    observed,
    required,
    result: result as "pass" | "warn",
  }));
  const world = row.procedure === "entra-client-secret" ? entraWorld(row) : postgresWorld();
  const fresh = { code: "new-consumer", sentence: "Consumer partner-export was no part of the last completed run." };
  const frozen = makePlan({
    run: id,
    tenant,
    trigger,
    requester,
    row,
    world,
    settings: isUrgent ? urgentSettings : named === undefined ? settings : namedSettings,
    notBefore: at,
    rules,
    risks: isUrgent ? [...urgentRisks, fresh] : named === undefined ? [fresh] : namedRisks,
    ...urgent,
    ...(named === undefined ? {} : { named }),
    policyDigest: digest("policy"),
    inventoryDigest: digest("inventory"),
  });
  store.plans.set(frozen.digest, new TextDecoder().decode(frozen.bytes));
  store.append(
    at + 800,
    "run.validated",
    { findings, inventoryDigest: digest("inventory"), policyDigest: digest("policy") },
    id,
  );
  store.append(
    at + 900,
    "plan.frozen",
    {
      planDigest: frozen.digest,
      policyDigest: digest("policy"),
      procedure: `${isUrgent ? "emergency-revoke" : procedure}@1`,
      procedureDigest: digest("p"),
    },
    id,
  );
  store.move(id, "planned", at + 900, { planDigest: frozen.digest });
  store.move(id, "awaiting_approval", at + 950, { approvalExpiresAt: at + 86_400_000 });
  return frozen.digest;
}

/** Marks a step as done in the journal. */
export function stepDone(
  store: MemoryStore,
  run: string,
  step: string,
  verb: string,
  call: string,
  at: number,
  attempt = 1,
  outcome = "done",
): void {
  const shared = { attempt, call, direction: "do", step, verb };
  store.append(at, "step.intent", { ...shared, facts: {}, target: {} }, run);
  store.append(
    at + 340,
    "step.outcome",
    {
      ...shared,
      build: "0.1.0+demo",
      connector: { id: verb.split(".")[0] ?? "", version: "1.0.0" },
      error: outcome === "failed" ? { code: "OUTSIDE_CONFLICT", status: 409 } : null,
      facts: { status: outcome === "failed" ? 409 : 200 },
      objectIds: outcome === "failed" ? {} : { keyId: "9f2e6a61-3b0d-4a52-8d41-6c5b4a3f2e10" },
      outcome,
      requestIds: ["b6a1c3de-0f41-4f2b-9a59-1f4a6c7d8e90"],
      verified: outcome === "failed" ? null : "value-matched",
    },
    run,
  );
}
