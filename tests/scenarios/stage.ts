/**
 * A whole installation for a test file: the simulated tenant, a database, the product as it is composed for users, and
 * people who drive it over HTTP. Time is the tenant's virtual clock: `advance` returns when everybody has nothing left to
 * do at the new time, so nothing here waits for a while and hopes.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Answer, type Client, createClient, ProblemError, pathOf } from "@countersign/contract";
import type { History, InvariantId } from "@countersign/core";
import { embeddedAdmin } from "@countersign/engine";
import { parseTrust, readBundle, verifyBundle } from "@countersign/evidence";
import { accept, init, type Running, startProduct } from "@countersign/server";
import { type Addresses, type KnobChange, startSimulator } from "@countersign/simulator";
import pg from "pg";
// oxlint-disable-next-line countersign/imports -- a test's own set-up, which no package exports
import { startTestServer } from "../../packages/engine/test/cluster.ts";
import type { Effect } from "../crash/stage/effects.ts";
import { root } from "../crash/stage/process.ts";
import { historyOf, surprises } from "../history/check.ts";
import * as documents from "./documents.ts";
import { changesTo, type Figures, readFigures } from "./effects.ts";
import { type MorePlaces, moreSecrets, othersAt } from "./more-consumers.ts";
import { openSink, type Sink } from "./sink.ts";
import { type ChannelName, channelSecrets, type Receivers, receiversOf } from "./telling.ts";

export interface StageOptions {
  readonly applications: readonly documents.StageApplication[];
  readonly liveness?: documents.Liveness;
  readonly knobs?: KnobChange;
  /** Changes the documents before the installation is made. */
  readonly policy?: (yaml: string) => string;
  /** Channels over which people are told, beside the webhook of the sink; none otherwise. */
  readonly channels?: readonly ChannelName[];
  /** `notices` of the configuration, in YAML. */
  readonly notices?: string;
  /** More that the tenant has, as for `POST /seed`. */
  readonly scenario?: object;
  /** Changes the configuration before the installation is made. */
  readonly config?: (yaml: string, directory: Directory) => string;
  /** Roles of the product in this process; all in one otherwise. */
  readonly roles?: readonly ("all" | StageRole)[];
  /** Another way to install and start the product. */
  readonly product?: StageProduct;
  /** Another way to start the tenant; it is in this process otherwise. */
  readonly tenant?: () => Promise<StageTenant>;
  /** Further tenants of the installation: what happens there counts as well. The caller starts and ends them. */
  readonly beside?: readonly StageTenant[];
  /** Changes the inventory before the installation is made. */
  readonly inventory?: (yaml: string) => string;
}

/** How the product gets installed in a folder that has its documents and secrets, and how it is started there. */
export interface StageProduct {
  install(folder: string): Promise<void>;
  start(folder: string, say: (line: string) => void): Promise<readonly Pick<Running, "stop">[]>;
}

/** A simulated tenant, here or in a process of its own. */
export interface StageTenant {
  readonly urls: Addresses;
  close(): Promise<void>;
}

export type Run = Answer<"getRun">;
export type Role = "app-owner" | "business-owner" | "platform" | "security";

type StageRole = "api" | "scanner" | "executor" | "notifier";

/** What the simulator answers about itself. */
export interface Directory extends Receivers, MorePlaces {
  readonly tenant: { readonly id: string };
  readonly subscription: string;
  readonly callers: Readonly<
    Record<"reader" | "writer" | "vault", { readonly clientId: string; readonly clientSecret: string }>
  >;
  readonly applications: readonly { readonly name: string; readonly objectId: string; readonly appId: string }[];
}

const openStates: readonly string[] = [
  "requested",
  "planned",
  "awaiting_approval",
  "approved",
  "scheduled",
  "executing",
  "overlapping",
  "retiring",
  "held",
  "rolling_back",
];
const busyLimitMs = 60_000;
const heldLookMs = 20;
const heldLooksMax = 3_000;

export class Stage {
  readonly folder: string;
  /** Addresses of the tenant. */
  readonly urls: Addresses;
  readonly sink: Sink;
  readonly url: string;
  /** What the product logged. */
  readonly said: string[] = [];
  readonly #applications: readonly documents.StageApplication[];
  readonly #directory: Directory;
  readonly #database: pg.ClientConfig;
  readonly #ends: (() => Promise<void>)[];
  readonly #clients = new Map<string, Promise<Client>>();
  readonly #broken = new Map<string, readonly InvariantId[]>();
  readonly #tokens = new Map<string, string>();
  readonly #how: StageProduct;
  readonly #beside: readonly string[];
  #product: readonly Pick<Running, "stop">[] = [];

  private constructor(made: {
    folder: string;
    urls: Addresses;
    sink: Sink;
    url: string;
    directory: Directory;
    database: pg.ClientConfig;
    ends: (() => Promise<void>)[];
    options: StageOptions;
  }) {
    this.folder = made.folder;
    this.urls = made.urls;
    this.sink = made.sink;
    this.url = made.url;
    this.#directory = made.directory;
    this.#database = made.database;
    this.#ends = made.ends;
    this.#applications = made.options.applications;
    this.#how = made.options.product ?? inThisProcess(made.options.roles ?? ["all"]);
    this.#beside = (made.options.beside ?? []).map(({ urls }) => urls.management);
  }

  /** Sets everything up and starts the product; ends what it has started when that fails. */
  static async open(options: StageOptions): Promise<Stage> {
    const ends: (() => Promise<void>)[] = [];
    try {
      return await Stage.#setUp(options, ends);
    } catch (error) {
      for (const end of ends.reverse()) await end().catch(() => {});
      throw error;
    }
  }

  static async #setUp(options: StageOptions, ends: (() => Promise<void>)[]): Promise<Stage> {
    const folder = mkdtempSync(join(tmpdir(), "cs-stage-"));
    // As root the database server runs as another user, who has to get there.
    chmodSync(folder, 0o711);
    ends.push(async () => rmSync(folder, { recursive: true, force: true }));
    mkdirSync(join(folder, "files"));
    const server = await startTestServer(folder);
    ends.push(() => server.stop("immediate"));
    const admin = await embeddedAdmin(server);
    const tenant = await (options.tenant ?? startTenant)();
    ends.push(() => tenant.close());
    const sink = await openSink();
    ends.push(() => sink.close());
    await answerOf(tenant.urls.management, "POST", "/seed", {
      ...documents.scenarioOf(options.applications, join(folder, "files")),
      ...receiversOf(options.channels ?? []),
      ...options.scenario,
    });
    const { management: managed } = tenant.urls;
    const directory = (await answerOf(managed, "GET", "/directory")) as Directory;
    const { urls } = (await answerOf(managed, "GET", "/")) as { urls: Addresses };

    const api = await freePort();
    const url = `http://127.0.0.1:${api}`;
    const { host, port, database } = admin.address;
    const stage = new Stage({
      folder,
      urls,
      sink,
      url,
      directory,
      ends,
      options,
      database: { host, port, database, user: admin.user, password: admin.password },
    });
    await stage.#writePinned();
    const { callers } = directory;
    const secret = (name: string, value: string) => writeFileSync(join(folder, name), value, { mode: 0o600 });
    for (const name of ["reader", "writer", "vault"] as const) secret(`${name}.secret`, callers[name].clientSecret);
    secret("person.secret", documents.password);
    for (const [name, value] of [...channelSecrets(directory), ...moreSecrets(directory)]) secret(name, value);
    secret("hook.secret", sink.secret);
    secret(
      "database.secret",
      `postgres://${admin.user}:${encodeURIComponent(admin.password)}@local:${port}/${database}?host=${encodeURIComponent(host)}&sslmode=disable`,
    );
    const { authority, graph, management, vaults } = urls;
    const clientIds = {
      reader: callers.reader.clientId,
      writer: callers.writer.clientId,
      vault: callers.vault.clientId,
    };
    const places = {
      management,
      authority,
      graph,
      vaults,
      devops: urls.devops,
      arm: urls.arm,
      github: urls.github,
      githubApp: directory.github[0]?.apps[0]?.clientId ?? "",
      clusters: urls.clusters,
      gateways: urls.gateways,
      subscription: directory.subscription,
      tenantId: directory.tenant.id,
      callers: clientIds,
      api,
      hook: sink.url,
    };
    const { channels = [], notices = "{}", liveness = documents.stageLiveness } = options;
    const config = documents.configYaml(places, liveness, { channels, receivers: directory, notices });
    stage.write("countersign.yaml", options.config?.(config, directory) ?? config);
    stage.write(
      "inventory.yaml",
      (options.inventory ?? ((yaml) => yaml))(
        documents.inventoryYaml(options.applications, (name) => stage.idsOf(name)),
      ),
    );
    stage.write("policy.yaml", (options.policy ?? ((yaml) => yaml))(documents.policyYaml));
    await stage.#how.install(folder);
    if (options.knobs !== undefined) await stage.manage("PUT", "/knobs", options.knobs);
    await stage.start();
    return stage;
  }

  /** Starts the product, as `countersign serve` does. */
  async start(): Promise<void> {
    this.#product = await this.#how.start(this.folder, (line) => this.said.push(line));
  }

  /** Says which invariants a test breaks on purpose, of which run: they must be reported, and nothing else may be. */
  expectBroken(run: string, ...ids: readonly InvariantId[]): void {
    this.#broken.set(run, [...(this.#broken.get(run) ?? []), ...ids]);
  }

  async stop(): Promise<void> {
    for (const running of this.#product) await running.stop();
    this.#product = [];
  }

  /** Joins what happened outside, journal and log of all runs, judges them by every invariant, and ends everything. */
  async close(): Promise<void> {
    const found = await this.#surprises().catch((error: unknown) => [
      `the history could not be read: ${String(error)}`,
    ]);
    await this.closeBroken();
    if (found.length > 0) throw new Error(`expected every invariant to hold, got\n${found.join("\n")}`);
  }

  /** Ends everything without judging it: for a product that is broken on purpose, whose test judges by itself. */
  async closeBroken(): Promise<void> {
    await this.stop();
    for (const end of this.#ends.splice(0).reverse()) await end().catch(() => {});
  }

  /** Journal and log of all runs, joined with what happened outside. */
  history(): Promise<History> {
    return historyOf({
      database: this.#database,
      management: this.urls.management,
      beside: this.#beside,
      config: this.path("countersign.yaml"),
    });
  }

  async #surprises(): Promise<readonly string[]> {
    return surprises(await this.history(), this.#broken);
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  read(name: string): string {
    return readFileSync(this.path(name), "utf8");
  }

  write(name: string, text: string | Uint8Array): void {
    writeFileSync(this.path(name), text);
  }

  idsOf(name: string): documents.Ids {
    const found = this.#directory.applications.find((application) => application.name === name);
    if (found === undefined) throw new Error(`expected an application ${name} on the stage`);
    return found;
  }

  /** Edits a document and accepts or activates it, as the administrator on the host does. */
  async edit(document: "inventory" | "policy", change: (yaml: string) => string): Promise<void> {
    const before = this.read(`${document}.yaml`);
    const after = change(before);
    if (after === before) throw new Error(`expected an edit that changes ${document}.yaml`);
    this.write(`${document}.yaml`, after);
    await accept(this.path("countersign.yaml"), document);
  }

  /** Edits the part of inventory.yaml that is about one application. */
  async editRow(name: string, change: (row: string) => string): Promise<void> {
    await this.edit("inventory", (yaml) => {
      const parts = yaml.split(/(?=^ {2}- name: )/m);
      return parts.map((part) => (part.startsWith(`  - name: ${name}\n`) ? change(part) : part)).join("");
    });
  }

  // People.

  /** A client signed in as this person. */
  as(login: documents.Login): Promise<Client> {
    let client = this.#clients.get(login);
    if (client === undefined) {
      client = this.#signIn(login);
      this.#clients.set(login, client);
    }
    return client;
  }

  async #signIn(login: string): Promise<Client> {
    const headers = (): Record<string, string> => {
      const token = this.#tokens.get(login);
      return token === undefined ? {} : { authorization: `Bearer ${token}` };
    };
    const client = createClient(this.url, fetch, headers);
    const { token } = await client.signIn({ body: { login, password: documents.password, kind: "bearer" } });
    if (token === null) throw new Error("expected a token, got none");
    this.#tokens.set(login, token);
    return client;
  }

  /** Asks for a rotation. Returns the run's id. */
  async file(application: string, login: documents.Login = "cleo"): Promise<string> {
    const client = await this.as(login);
    const { run } = await client.requestRun({ body: { row: application, reason: "asked for on the stage" } });
    return run;
  }

  /** Reports that somebody else may hold a credential of the application. Returns the id of the emergency run. */
  async report(application: string, credential: string, login: documents.Login = "ada"): Promise<string> {
    const { run } = await (await this.as(login)).requestRun({
      body: { row: application, reason: "it stood in a public log", trigger: "compromise", credential },
    });
    await this.settle();
    return run;
  }

  /** The live secrets of an application, as the tenant lists them. */
  async secretsOf(application: string): Promise<string[]> {
    const found = (await this.foreign("GET", `/v1.0/applications/${this.idsOf(application).objectId}`)) as {
      passwordCredentials: { keyId: string }[];
    };
    return found.passwordCredentials.map(({ keyId }) => keyId);
  }

  /** Asks for a rotation and waits until it is planned (or blocked). Returns the run's id. */
  async request(application: string, login: documents.Login = "cleo"): Promise<string> {
    const run = await this.file(application, login);
    await this.settle();
    return run;
  }

  /** The newest run of an application. */
  async newestOf(application: string): Promise<string | null> {
    const { items } = await (await this.as("cleo")).listRuns({ query: { row: application } });
    return items[0]?.id ?? null;
  }

  /** Signs what the person is shown. Throws the API's problem when it is refused. */
  async decide(
    login: documents.Login,
    run: string,
    role: Role,
    decision: "approve" | "reject" = "approve",
  ): Promise<Answer<"decide">> {
    const client = await this.as(login);
    const statement = await client.makeStatement({
      params: { id: run },
      body: { decision, role, ...(decision === "reject" ? { reason: "not now" } : {}) },
    });
    const { planDigest } = statement;
    return client.decide({
      params: { id: run },
      body: { statement: statement.statement, planDigest, reasonAttachment: statement.reasonAttachment },
      headers: { "if-match": `"${planDigest}"` },
    });
  }

  /** Signs a word on a break-glass use as the person is shown it. Throws the API's problem when it is refused. */
  async say(
    login: documents.Login,
    run: string,
    role: Role,
    decision: "break-glass" | "confirm" | "accept" | "object",
    reason?: string,
  ): Promise<Answer<"sayOnUse">> {
    const client = await this.as(login);
    const params = { id: run };
    const asked = { decision, role, ...(reason === undefined ? {} : { reason }) };
    const { statement, planDigest, reasonAttachment } = await client.makeUseStatement({ params, body: asked });
    const headers = { "if-match": `"${planDigest}"` };
    return client.sayOnUse({ params, body: { statement, planDigest, reasonAttachment }, headers });
  }

  /** Signs a word about closing a held run as it stands. Throws the API's problem when it is refused. */
  async sayClose(
    login: documents.Login,
    run: string,
    role: Role,
    decision: "close" | "close-confirm",
    reason?: string,
  ): Promise<Answer<"sayOnClose">> {
    const client = await this.as(login);
    const params = { id: run };
    const asked = { decision, role, ...(reason === undefined ? {} : { reason }) };
    const { statement, planDigest, reasonAttachment } = await client.makeCloseStatement({ params, body: asked });
    const headers = { "if-match": `"${planDigest}"` };
    return client.sayOnClose({ params, body: { statement, planDigest, reasonAttachment }, headers });
  }

  /** Owner and platform team approve. */
  async approve(run: string): Promise<void> {
    await this.decide("ada", run, "app-owner");
    await this.decide("ben", run, "platform");
  }

  async run(id: string): Promise<Run> {
    return (await this.as("cleo")).getRun({ params: { id } });
  }

  async stateOf(id: string): Promise<string> {
    return (await this.run(id)).run.state;
  }

  // Time.

  /** Moves domain time event by event; returns when the product has nothing left to do there. */
  async advance(seconds: number): Promise<void> {
    await this.manage("POST", "/clock/advance", { by: seconds, limitMs: busyLimitMs });
  }

  /** Lets everything that is due now be done; time stands still but for a second. */
  settle(): Promise<void> {
    return this.advance(1);
  }

  /** Advances in steps until the run is in one of the states. */
  async advanceUntil(
    run: string,
    states: readonly string[],
    options: { readonly stepSeconds?: number; readonly hoursMax?: number } = {},
  ): Promise<string> {
    const { stepSeconds = 3_600, hoursMax = 24 } = options;
    for (let passed = 0; ; passed += stepSeconds) {
      const state = await this.stateOf(run);
      if (states.includes(state)) return state;
      if (passed >= hoursMax * 3_600 || !openStates.includes(state))
        throw new Error(
          `expected ${run} to be ${states.join(" or ")}, got ${state}: ${JSON.stringify((await this.run(run)).run.because)}`,
        );
      await this.advance(stepSeconds);
    }
  }

  // The tenant.

  /** A call to the simulator's management port. */
  manage(method: "GET" | "POST" | "PUT" | "DELETE", path: string, body?: unknown): Promise<unknown> {
    return answerOf(this.urls.management, method, path, body);
  }

  /** Id of the request that stands still at a hold of the tenant, once there is one. */
  async heldRequest(): Promise<string> {
    for (let left = heldLooksMax; left > 0; left -= 1) {
      const { held } = (await this.manage("GET", "/holds")) as { held: { id: string }[] };
      if (held[0] !== undefined) return held[0].id;
      await delay(heldLookMs);
    }
    throw new Error("expected a request that is held, got none");
  }

  /** Acts on the tenant as somebody else with rights of their own would: never as the product. */
  async foreign(method: string, path: string, body?: unknown): Promise<unknown> {
    const { writer, vault } = this.#directory.callers;
    const isVault = path.startsWith("/secrets/");
    const who = isVault ? vault : writer;
    const scope = isVault ? "https://vault.azure.net/.default" : `${this.urls.graph}/.default`;
    const token = await fetch(new URL(`/${this.#directory.tenant.id}/oauth2/v2.0/token`, this.urls.authority), {
      method: "POST",
      body: new URLSearchParams({
        grant_type: "client_credentials",
        client_id: who.clientId,
        client_secret: who.clientSecret,
        scope,
      }),
    });
    const { access_token: bearer } = (await token.json()) as { access_token: string };
    const base = isVault ? this.urls.vaults.main : this.urls.graph;
    const answer = await fetch(new URL(isVault ? `${path}?api-version=7.6` : path, base), {
      method,
      headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`expected ${method} ${path} to work, got ${answer.status} ${text.slice(0, 300)}`);
    return text === "" ? null : JSON.parse(text);
  }

  /** Somebody else at work in the places that hold more kinds of consumers. */
  get elsewhere(): ReturnType<typeof othersAt> {
    return othersAt(this.urls, this.#directory);
  }

  /** Everything that was changed for this application by callers from outside, in order. */
  effects(application: string): Promise<readonly Effect[]> {
    return changesTo(this.urls.management, { name: application, ...this.idsOf(application) });
  }

  figures(application: string): Promise<Figures> {
    return readFigures(this.urls.management, application);
  }

  // Evidence and the database.

  /** What our own verifier says about the run's bundle. */
  async verdict(run: string): Promise<string> {
    await this.#untilCheckpointed();
    const file = await this.download(pathOf("getBundle", { id: run }), `${run}.zip`);
    return verifyBundle(readBundle(file), parseTrust(readFileSync(this.path("state/trust.json")))).verdict;
  }

  /** Writes a zip that the API gives into the stage's folder; with a body it is asked for by POST. Returns its path. */
  async download(path: string, name: string, body?: object): Promise<string> {
    await this.as("cleo");
    const answer = await fetch(new URL(path, this.url), {
      headers: {
        "x-countersign": "1",
        authorization: `Bearer ${this.#tokens.get("cleo")}`,
        "content-type": "application/json",
      },
      ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`expected a zip from ${path}, got ${answer.status} ${await answer.text()}`);
    writeFileSync(this.path(name), Buffer.from(await answer.arrayBuffer()));
    return this.path(name);
  }

  /** What the second verifier, written from the format page alone, says about a bundle that was downloaded. */
  secondVerdict(name: string): string {
    const args = [
      join(root, "tools/verify.py"),
      this.path(`${name}.zip`),
      "--trust",
      this.path("state/trust.json"),
      "--json",
    ];
    // A refusal is an answer too, with exit code 1.
    const { stdout, error } = spawnSync("python3", args, { encoding: "utf8" });
    if (error !== undefined) throw new Error(`expected python3 for the second verifier: ${error.message}`);
    return (JSON.parse(stdout) as { verdict: string }).verdict;
  }

  /** A bundle ends at a signed checkpoint; one is signed every second while the log grows. */
  async #untilCheckpointed(): Promise<void> {
    const client = await this.as("cleo");
    for (;;) {
      const [{ checkpoint }, { size }] = await Promise.all([
        client.getCheckpoint({}),
        client.getLogEntries({ query: { limit: 1 } }),
      ]);
      if (checkpoint !== null && checkpoint.size >= size) return;
      await delay(20);
    }
  }

  /** Statements of the database's owner: whoever has this account can write anything, and must still achieve nothing. */
  async asDatabaseOwner<T>(act: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = new pg.Client(this.#database);
    await client.connect();
    try {
      return await act(client);
    } finally {
      await client.end();
    }
  }

  /** What pinned consumers hold on the first day: the address of the newest version. */
  async #writePinned(): Promise<void> {
    for (const application of this.#applications) {
      const kinds = documents.consumersOf(application);
      const { id } = (await this.foreign("GET", `/secrets/${application.name}`)) as { id: string };
      const write = (name: string) => this.write(`files/${name}.ref`, `${id}\n`);
      if (kinds.includes("pinned")) write(application.name);
      if (kinds.includes("desk")) write(`${application.name}-desk`);
    }
  }
}

/** The product as `countersign init` and `countersign serve` have it, in the process of the test. */
function inThisProcess(roles: readonly ("all" | StageRole)[]): StageProduct {
  return {
    async install(folder) {
      await init(join(folder, "countersign.yaml"), stageOrigin);
    },
    async start(folder, say) {
      const running: Running[] = [];
      for (const role of roles)
        running.push(
          await startProduct({
            configPath: join(folder, "countersign.yaml"),
            role,
            consoleDir: null,
            pauseUrl: null,
            fenced: (because) => say(`fenced: ${because}`),
            log: (event, facts) => say(JSON.stringify({ event, ...facts })),
          }),
        );
      return running;
    },
  };
}

/** Name of every stage's log. */
export const stageOrigin = "stage.countersign.invalid/log";

/** Seed, knobs and first instant that every stage begins with. */
export const tenantStart = "2026-11-22T20:00:00.000Z";

function startTenant(): Promise<StageTenant> {
  return startSimulator({ seed: 7, knobs: "off", start: tenantStart });
}

/** The problem's code of a call that must be refused. */
export async function refusal(call: Promise<unknown>): Promise<{ code: string; status: number }> {
  try {
    await call;
  } catch (error) {
    if (error instanceof ProblemError) return { code: error.problem.code, status: error.problem.status };
    throw error;
  }
  throw new Error("expected a refusal, got an answer");
}

async function answerOf(base: string, method: string, path: string, body?: unknown): Promise<unknown> {
  const answer = await fetch(new URL(path, base), {
    method,
    ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`expected ${method} ${path} to work, got ${answer.status} ${text.slice(0, 500)}`);
  return text === "" ? null : JSON.parse(text);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
