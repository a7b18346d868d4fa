import { SecretValue } from "@countersign/core";
import { signerFromSeed } from "@countersign/evidence";
import type { FastifyInstance } from "fastify";
import { type ApiDependencies, createApi, idempotencyInMemory } from "../../src/api/index.ts";
import { sentenceOf } from "../../src/api/views/sentences.ts";
import { LocalSignIn, Sessions } from "../../src/signin/index.ts";
import { memorySessions } from "./memory-sessions.ts";
import { MemoryStore } from "./memory-store.ts";
import { addRun, day, entraRow, now, payrollOwners, people, postgresRow, runId, stepDone } from "./world.ts";

export const password = "correct horse battery staple";
export const origin = "http://127.0.0.1:8080";

export interface Fixture {
  readonly app: FastifyInstance;
  readonly store: MemoryStore;
  readonly api: ApiDependencies;
  /** Real time as the sessions see it. */
  readonly time: { real: number; domain: number };
  readonly sessionRows: Map<string, unknown>;
  token(login: string): Promise<string>;
}

/** The real API over an in-memory store with an awaiting, an overlapping, a held and a completed run. */
export async function fixture(change: Partial<ApiDependencies> = {}): Promise<Fixture> {
  const store = new MemoryStore();
  const time = { real: Date.parse("2099-01-01T00:00:00.000Z"), domain: now };
  seed(store);
  const kept = memorySessions();
  const rows = [
    entraRow("billing-api", 1),
    postgresRow,
    { ...entraRow("payroll-sync", 3), ...payrollOwners },
    entraRow("reporting", 4),
    entraRow("crm-bridge", 5, []),
  ];
  for (let index = 6; index < 126; index += 1) rows.push(entraRow(`service-${String(index).padStart(3, "0")}`, index));
  const local = new LocalSignIn(
    people.map((person) => ({
      person: person.person,
      sub: person.sub,
      email: `${person.sub}@contoso.example`,
      password: SecretValue.of(password),
    })),
  );
  const api: ApiDependencies = {
    installation: {
      profile: "demo",
      clock: "virtual",
      separation: "none",
      build: "0.1.0+demo",
      origin: "demo.countersign.invalid/log",
      url: origin,
      rpId: "127.0.0.1",
    },
    store,
    sessions: new Sessions(kept, () => time.real),
    idempotency: idempotencyInMemory(),
    local,
    people,
    inventory: () => ({
      rows,
      digest: `sha256:${"1".repeat(64)}`,
      policyDigest: `sha256:${"2".repeat(64)}`,
      isProd: (environment) => environment === "prod",
    }),
    sessionKey: signerFromSeed(new Uint8Array(32).fill(7), "session"),
    now: () => time.domain,
    advance: async (seconds) => {
      time.domain += seconds * 1_000;
      return time.domain;
    },
    readiness: async () => ({ mode: "ready", reasons: [] }),
    askScan: async () => {},
    bundle: async () => new TextEncoder().encode("PK\u0005\u0006"),
    population: async () => new TextEncoder().encode("PK\u0005\u0006"),
    log: () => {},
    signInsPerMinuteMax: 10_000,
    acceptanceDaysMax: 180,
    hooks: null,
    outside: {
      directories: [
        {
          name: "contoso",
          id: "11111111-2222-3333-4444-555555555555",
          writer: "5f1c5a52-0000-4000-8000-000000000001",
          reaches: ["https://login.example", "https://graph.example"],
        },
      ],
      connections: [
        {
          name: "vault",
          kind: "key-vault",
          environment: "prod",
          prod: true,
          tenant: "main",
          reach: "https://vault.example",
        },
        { name: "files", kind: "files", environment: "dev", prod: false, tenant: null, reach: null },
      ],
      webhooks: [{ name: "grid", kind: "event-grid", keys: 2, perMinuteMax: 120 }],
    },
    consoleDir: null,
    ...change,
  };
  const app = await createApi(api);
  return {
    app,
    store,
    api,
    time,
    sessionRows: kept.rows,
    token: async (login) => {
      const answer = await app.inject({
        method: "POST",
        url: "/v1/session",
        payload: { login, password, kind: "bearer" },
      });
      return answer.json<{ token: string }>().token;
    },
  };
}

/** What is said of the fleet: of applications that are listed, of others under names as people write them, and of once. */
function sayOf(store: MemoryStore): void {
  const codes = ["expired", "expiring", "ownerless", "unused", "unmanaged"] as const;
  for (let index = 0; index < 130; index += 1) {
    const code = codes[index % codes.length] ?? "expired";
    const isListed = index % 4 === 0;
    store.said.push({
      code,
      result: "warn",
      sentence: sentenceOf(code),
      observed: `ended ${new Date(now - index * day).toISOString()}`,
      required: "live, or removed",
      application: isListed ? `service-${String(6 + index).padStart(3, "0")}` : null,
      run: null,
      at: new Date(now - index * day).toISOString(),
      tenant: "contoso",
      environment: isListed ? "dev" : null,
      name: `日本 sync ${index}`,
      objectId: `0b1e-${index}`,
      appId: `a99d-${index}`,
      credential: code === "ownerless" || code === "unmanaged" ? null : `5c7a9f10-${index}`,
      firstSeenAt: new Date(now - index * day).toISOString(),
      lastSeenAt: new Date(now).toISOString(),
      clearedAt: index === 129 ? new Date(now).toISOString() : null,
      id: index + 1,
      acceptance: null,
    });
  }
}

/** What a directory's own log tells: of every verdict, of listed applications and of others. */
function tellOf(store: MemoryStore): void {
  const verdicts = ["ours", "break-glass", "out-of-band", "unknown"] as const;
  const because = ["made-by-attempt", "removed-by-attempt", "by-person", "change-unreadable"] as const;
  for (let index = 0; index < 120; index += 1) {
    const at = index % verdicts.length;
    const isOurs = at < 2;
    store.changes.push({
      tenant: "contoso",
      entry: `Directory_${index}`,
      credential: at === 3 ? "" : `5c7a9f10-${index}`,
      act: at === 3 ? "unreadable" : at === 1 ? "removed" : "added",
      at: now - index * 3_600_000,
      readAt: now - index * 3_600_000 + 600_000,
      objectId: index < 8 ? entraRow("billing-api", 1).objectId : `0b1e-${index}`,
      holder: "application",
      kind: at === 3 ? "other" : "client-secret",
      activity: "update application - certificates and secrets management",
      correlation: null,
      actorKind: isOurs ? "application" : "person",
      actor: isOurs ? "0a0a0a0a-0000-4000-8000-000000000001" : "b0b0b0b0-0000-4000-8000-000000000001",
      marker: null,
      verdict: verdicts[at] ?? "unknown",
      because: because[at] ?? "change-unreadable",
      runId: isOurs ? runId("7") : null,
      step: isOurs ? "create" : null,
      direction: isOurs ? "do" : null,
      attempt: isOurs ? 1 : null,
      explainedBy: null,
      explainedAt: null,
      explanation: null,
      readIn: null,
      name: index % 3 === 0 ? null : `日本 sync ${index}`,
      stands: at === 2,
    });
  }
}

/** The inventory beside the ledger: one row of each matter, one of two. */
function compareOf(store: MemoryStore): void {
  const row = entraRow("payroll-sync", 3);
  store.compared.set("billing-api", { matters: ["not-owned"], ownersReadAt: now - day });
  store.compared.set(row.name, { matters: ["not-owned", "not-declared"], ownersReadAt: now - day });
  store.compared.set("reporting", { matters: ["gone"], name: null, goneAt: now - 2 * day });
  store.compared.set("crm-bridge", { matters: ["other-application"], appId: "a99d0000-0000-4000-8000-000000000001" });
  store.compared.set("service-006", { matters: ["owners-not-read"] });
  store.found.set(row.objectId, {
    entries: [{ connection: "edge-vault", name: "payroll-old", because: "tag app" }],
    callers: [
      { address: "10.0.4.11", lastAt: now - day },
      { address: "192.0.2.7", lastAt: now - day },
    ],
  });
  store.vaults.push(
    { connection: "edge-vault", readAt: now - day, available: true },
    { connection: "main-vault", readAt: now - day, available: false },
  );
  store.callersReadAt = now - day;
}

function seed(store: MemoryStore): void {
  compareOf(store);
  sayOf(store);
  tellOf(store);
  store.append(now - 40 * day, "log.genesis", {});
  store.append(now - 3_600_000, "scan.completed", {});
  for (const [index, name] of ["billing-api", "payroll-sync", "reporting", "crm-bridge"].entries()) {
    const expiresAt = new Date(now + [14, 9, 88, -2][index]! * day).toISOString();
    store.credentials.push({
      application: name,
      name,
      objectId: `0b1e-${name}`,
      appId: `a99d-${name}`,
      tenant: "contoso",
      id: `3c7a9f10-77aa-4c0b-9c1e-5d2f8a6b4e2${index}`,
      kind: "client-secret",
      state: "foreign",
      startsAt: new Date(now - 76 * day).toISOString(),
      expiresAt,
      run: null,
      seenAt: new Date(now).toISOString(),
    });
  }
  for (let index = 6; index < 126; index += 1) {
    const expiresAt = new Date(now + (20 + ((index * 37) % 300)) * day).toISOString();
    store.credentials.push({
      application: `service-${String(index).padStart(3, "0")}`,
      name: `service-${String(index).padStart(3, "0")}`,
      objectId: `0b1e-${index}`,
      appId: `a99d-${index}`,
      tenant: "contoso",
      id: `5c7a9f10-77aa-4c0b-9c1e-${String(index).padStart(12, "0")}`,
      kind: "client-secret",
      state: "foreign",
      startsAt: new Date(now - 90 * day).toISOString(),
      expiresAt,
      run: null,
      seenAt: new Date(now).toISOString(),
    });
  }
  const [ada, ben, cleo] = people.map((person) => person.person) as [string, string, string];
  addRun(store, runId("a"), entraRow("billing-api", 1), "system:scanner", now - 3_600_000);

  addRun(store, runId("y"), entraRow("service-010", 10), "system:scanner", now - 1_800_000);
  addRun(store, runId("x"), entraRow("service-011", 11), "system:scanner", now - 1_700_000);
  const begun = now - day;
  const b = runId("9");
  addRun(store, b, postgresRow, cleo, begun, "Quarterly rotation of the orders database login.");
  approveBoth(store, b, ada, ben, begun + 3_600_000);
  store.move(b, "executing", begun + 3_601_000, { notBefore: null });
  let at = begun + 3_602_000;
  for (const [step, verb, call] of [
    ["set", "postgres.set-password@1", "role.setPassword"],
    ["prove", "postgres.prove@1", "role.signIn"],
    ["store", "keyvault.write@1", "secret.set"],
  ] as const) {
    if (step === "store") stepDone(store, b, step, verb, call, (at += 2_000), 1, "failed");
    stepDone(store, b, step, verb, call, (at += 2_000), step === "store" ? 2 : 1);
  }
  stepDone(store, b, "update:orders-api", "connection-file.write@1", "file.write", (at += 1_000));
  store.move(b, "overlapping", at + 1_000, { notBefore: now + 600_000 });
  stepDone(store, b, "confirm:orders-api", "consumer.confirm@1", "consumer.look", at + 60_000);
  store.append(
    at + 61_000,
    "notice.sent",
    { attempt: 1, channel: "webhook", kind: "run.overlapping", outcome: "done", status: 200 },
    b,
  );

  const c = runId("8");
  addRun(store, c, entraRow("payroll-sync", 3), "system:scanner", now - 2 * day);
  approveBoth(store, c, ada, ben, now - 2 * day + 3_600_000);
  store.move(c, "executing", now - 2 * day + 3_601_000, { notBefore: null });
  stepDone(store, c, "create", "entra.add-password@1", "application.addPassword", now - 2 * day + 3_602_000);
  stepDone(store, c, "prove", "entra.prove@1", "token.request", now - 2 * day + 3_670_000);
  stepDone(store, c, "store", "keyvault.write@1", "secret.set", now - 2 * day + 3_672_000);
  stepDone(
    store,
    c,
    "update:nightly-batch",
    "reference-file.point@1",
    "file.write",
    now - 2 * day + 3_673_000,
    1,
    "failed",
  );
  store.move(
    c,
    "held",
    now - 2 * day + 3_674_000,
    { notBefore: null },
    { code: "rollback-minimum", step: "update:nightly-batch" },
  );

  const d = runId("7");
  addRun(store, d, entraRow("reporting", 4), "system:scanner", now - 9 * day);
  approveBoth(store, d, ada, ben, now - 9 * day + 3_600_000);
  store.move(d, "executing", now - 9 * day + 3_601_000, { notBefore: null });
  stepDone(store, d, "create", "entra.add-password@1", "application.addPassword", now - 9 * day + 3_602_000);
  store.move(d, "overlapping", now - 9 * day + 3_690_000);
  store.append(
    now - 5 * day,
    "gate.checked",
    { evidence: { quietSeconds: 345_600, lastUseOldKey: null }, grade: "strong", open: true, reasons: [] },
    d,
  );
  store.move(d, "retiring", now - 5 * day);
  stepDone(store, d, "retire", "entra.remove-password@1", "application.removePassword", now - 5 * day + 2_000);
  store.move(d, "completed", now - 5 * day + 4_000);
}

function approveBoth(store: MemoryStore, run: string, owner: string, platform: string, at: number): void {
  for (const [index, [person, role]] of (
    [
      [owner, "app-owner"],
      [platform, "platform"],
    ] as const
  ).entries()) {
    const statementDigest = `sha256:${String(index).repeat(64)}`;
    store.given.set(run, [
      ...(store.given.get(run) ?? []),
      { person, role, decision: "approve", statementDigest, level: "session", at: at + index, reasonDigest: null },
    ]);
    store.append(
      at + index,
      "approval.given",
      { decision: "approve", evidenceDigest: statementDigest, level: "session", person, role, statementDigest },
      run,
    );
  }
  store.move(run, "approved", at + 2, { notBefore: at + 2 });
}
