import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Done, SecretValue, type VerbContext } from "@countersign/core";
import { describe, it } from "vitest";
import { referenceFilePoint } from "../src/files/point.ts";
import { connectionFileWrite } from "../src/files/write-connection.ts";
import { conformance, type Lacks, type Stage } from "../src/kit/conformance.ts";
import { formatMarker } from "../src/kit/markers.ts";
import type { Records, StoredVersion } from "../src/kit/seams.ts";
import { contextOf, jumpingClock, lifetimeSeconds, openTenant, run, verbOf } from "./support.ts";

type Params = Record<string, unknown>;

function suite(name: string, open: () => Promise<Stage<Params>>, lacks: Lacks = {}): void {
  describe(`${name}`, () => {
    it.each(conformance(open, lacks))("$name", (check) => check.run());
  });
}

suite(
  "entra.add-password@1",
  async () => {
    const tenant = await openTenant();
    const verb = verbOf(tenant.connectors, "entra.add-password@1");
    const values: string[] = [];
    const tracked: typeof verb = {
      ...verb,
      async do(ctx, params) {
        const done = await verb.do(ctx, params);
        if (done.value !== undefined) values.push(done.value.reveal());
        return done;
      },
    };
    return {
      verb: tracked,
      params: { ...tenant.app, lifetimeSeconds },
      context: (attempt, direction = "do", past = []) =>
        contextOf({ clock: tenant.clock, tenantId: tenant.sim.tenantId, attempt, direction, past }),
      seen: () => Promise.resolve(tenant.liveKeys().join()),
      neighbours: () =>
        Promise.resolve(
          JSON.stringify(tenant.sim.world.tenant.applications.filter((one) => one.id !== tenant.app.objectId)),
        ),
      effects: () =>
        Promise.resolve(tenant.effects("application.addPassword") + tenant.effects("application.removePassword")),
      loseNextAnswer: () => void tenant.arm("application.addPassword", "reset"),
      secrets: () => [...tenant.secrets(), ...values, ...tenant.application().credentials.map((one) => one.secretText)],
      close: () => tenant.close(),
    };
  },
  {
    twice: "Entra has no idempotency key for addPassword: the executor never repeats an attempt, it reconciles",
    otherWriter: "credentials are added beside one another: another writer's are not touched and not in the way",
  },
);

function vaultStage(verbId: string, connection: string, name: string, extra: Params) {
  return async (): Promise<Stage<Params>> => {
    const tenant = await openTenant();
    const vault = connection === "main-vault" ? "main" : "copy";
    const value = SecretValue.of('n3w~value.With-%&"odd\\ characters');
    const outcomes = new Map<string, Done>([
      [
        "create",
        {
          objectIds: { keyId: "11111111-2222-4333-8444-555555555555" },
          facts: { endsAt: "2027-02-20T08:00:00.000Z" },
          requestIds: [],
        },
      ],
    ]);
    const seen = () => tenant.latestVersion(vault, name)?.value ?? "";
    const others = () =>
      tenant.sim.world.tenant.vaults.flatMap((one) => Object.values(one.secrets)).filter((one) => one.name !== name);
    return {
      verb: verbOf(tenant.connectors, verbId),
      params: {
        connection,
        name,
        previous: tenant.latestVersion(vault, name)?.version ?? null,
        created: "create",
        ...extra,
      },
      context: (attempt, direction = "do", past = []) =>
        contextOf({
          clock: tenant.clock,
          tenantId: tenant.sim.tenantId,
          attempt,
          direction,
          past,
          outcomes,
          value: () => value,
        }),
      seen: () => Promise.resolve(seen()),
      neighbours: () => Promise.resolve(JSON.stringify(others())),
      effects: () => Promise.resolve(tenant.effects("secret.set")),
      loseNextAnswer: () => void tenant.arm("secret.set", "504"),
      async otherWriter() {
        await tenant.putSecret(vault, name, "theirs");
      },
      secrets: () => [...tenant.secrets(), value.reveal(), seen()],
      close: () => tenant.close(),
    };
  };
}

suite("keyvault.write@1", vaultStage("keyvault.write@1", "main-vault", "billing-secret", {}));
suite(
  "keyvault.copy@1",
  vaultStage("keyvault.copy@1", "copy-vault", "billing-copy", {
    record: { connection: "main-vault", name: "billing-secret" },
    store: "store",
  }),
);

suite(
  "entra.remove-password@1",
  async () => {
    const tenant = await openTenant();
    const fresh = tenant.application().credentials.find((one) => one.keyId === tenant.otherKeyId);
    if (fresh !== undefined) fresh.displayName = formatMarker({ run, attempt: 1, nonce: "b".repeat(32) });
    return {
      verb: verbOf(tenant.connectors, "entra.remove-password@1"),
      params: {
        ...tenant.app,
        keyId: tenant.oldKeyId,
        created: "create",
        store: "store",
        record: { connection: "main-vault", name: "billing-secret" },
        quietSeconds: 0,
        consumers: [],
      },
      context: (attempt, direction = "do", past = []) =>
        contextOf({
          clock: tenant.clock,
          tenantId: tenant.sim.tenantId,
          attempt,
          direction,
          past,
          outcomes: new Map([["create", { objectIds: { keyId: tenant.otherKeyId }, facts: {}, requestIds: [] }]]),
        }),
      seen: () => Promise.resolve(tenant.liveKeys().join()),
      neighbours: () =>
        Promise.resolve(
          JSON.stringify(tenant.sim.world.tenant.applications.filter((one) => one.id !== tenant.app.objectId)),
        ),
      effects: () => Promise.resolve(tenant.effects("application.removePassword")),
      loseNextAnswer: () => void tenant.arm("application.removePassword", "timeout"),
      secrets: () => [...tenant.secrets(), ...tenant.application().credentials.map((one) => one.secretText)],
      close: () => tenant.close(),
    };
  },
  {
    undo: "a removed secret cannot be brought back",
    otherWriter: "the secret is named by its exact keyId: another writer cannot stand in its place",
  },
);

const stored = (version: string, value: string): StoredVersion => ({
  version,
  value: SecretValue.of(value),
  tags: {},
  contentType: null,
  expiresAt: null,
});
const versions = new Map([
  ["v1", stored("v1", JSON.stringify({ user: "orders_a", password: "old-password-of-a" }))],
  ["v2", stored("v2", JSON.stringify({ user: "orders_b", password: "new-password-of-b" }))],
]);
const records: Records = () => ({
  prod: false,
  identity: () => Promise.resolve({ name: "orders" }),
  latest: () => Promise.resolve(versions.get("v2") ?? null),
  version: (_leave, _name, version) => Promise.resolve(versions.get(version) ?? stored(version, "")),
  reference: (name, version) => `https://main.vault.azure.net/secrets/${name}/${version}`,
});

function fileStage(make: (root: string) => Promise<{ verb: unknown; params: Params; file: string; theirs: string }>) {
  return async (): Promise<Stage<Params>> => {
    const root = await mkdtemp(join(tmpdir(), "countersign-files-"));
    const { verb, params, file, theirs } = await make(root);
    await writeFile(join(root, "beside.json"), "{}");
    const clock = jumpingClock();
    const outcomes = new Map<string, Done>([["store", { objectIds: { version: "v2" }, facts: {}, requestIds: [] }]]);
    let effects = 0;
    return {
      verb: verb as Stage<Params>["verb"],
      params,
      context: (attempt, direction: VerbContext["direction"] = "do", past = []) =>
        contextOf({
          clock,
          attempt,
          direction,
          past,
          outcomes,
          effectSent: () => Promise.resolve(void (effects += 1)),
        }),
      seen: () => readFile(join(root, file), "utf8"),
      neighbours: () => readFile(join(root, "beside.json"), "utf8"),
      effects: () => Promise.resolve(effects),
      otherWriter: () => writeFile(join(root, file), theirs),
      secrets: () => ["old-password-of-a", "new-password-of-b"],
      close: () => rm(root, { recursive: true, force: true }),
    };
  };
}

const scope = (root: string) => () => ({
  name: "files",
  environment: "dev",
  prod: false,
  root,
  paths: ["*.ref", "*.json", "*.env"],
});
const by = { id: "files", version: "0" };
const common = {
  connection: "files",
  record: { connection: "main-vault", name: "orders" },
  store: "store",
  created: "create",
};
const noAnswer = { lostAnswer: "a rename has no answer that could be lost" };

suite(
  "reference-file.point@1, text file",
  fileStage(async (root) => {
    const previous = records("").reference("orders", "v1");
    await writeFile(join(root, "app.ref"), `${previous}\n`);
    return {
      verb: referenceFilePoint(scope(root), records, by),
      params: { ...common, path: "app.ref", previous },
      file: "app.ref",
      theirs: "https://elsewhere.example/x\n",
    };
  }),
  noAnswer,
);
suite(
  "reference-file.point@1, JSON file with members of others",
  fileStage(async (root) => {
    const previous = records("").reference("orders", "v1");
    await writeFile(join(root, "app.json"), `${JSON.stringify({ log: "debug", secretUri: previous }, null, 2)}\n`);
    return {
      verb: referenceFilePoint(scope(root), records, by),
      params: { ...common, path: "app.json", previous },
      file: "app.json",
      theirs: '{"secretUri":"https://elsewhere.example/x"}',
    };
  }),
  noAnswer,
);
suite(
  "connection-file.write@1, JSON file",
  fileStage(async (root) => {
    const text = {
      host: "db.internal",
      port: 5432,
      database: "orders",
      pool: 8,
      user: "orders_a",
      password: "old-password-of-a",
      version: "v1",
    };
    await writeFile(join(root, "db.json"), `${JSON.stringify(text, null, 2)}\n`);
    const params = {
      ...common,
      path: "db.json",
      previous: "v1",
      server: "orders-db",
      role: "orders_b",
      old: "orders_a",
    };
    return {
      verb: connectionFileWrite(scope(root), records, by),
      params,
      file: "db.json",
      theirs: JSON.stringify({ ...text, password: "theirs" }),
    };
  }),
  noAnswer,
);
suite(
  "connection-file.write@1, lines",
  fileStage(async (root) => {
    const text =
      "# pool settings\nPGHOST=db.internal\nPGPORT=5432\nPGDATABASE=orders\nPGUSER=orders_a\nPGPASSWORD=old-password-of-a\nCOUNTERSIGN_VERSION=v1\n";
    await writeFile(join(root, "db.env"), text);
    const params = {
      ...common,
      path: "db.env",
      previous: "v1",
      server: "orders-db",
      role: "orders_b",
      old: "orders_a",
    };
    return {
      verb: connectionFileWrite(scope(root), records, by),
      params,
      file: "db.env",
      theirs: text.replace("old-password-of-a", "theirs"),
    };
  }),
  noAnswer,
);
