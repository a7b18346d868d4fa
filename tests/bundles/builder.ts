import { createHash } from "node:crypto";
import {
  type BundleFiles,
  type BundleInput,
  type Checkpoint,
  type EntryData,
  type EntryDraft,
  type EntryType,
  type Json,
  type LoggedEntry,
  MerkleTree,
  type RunState,
  type Signer,
  type Trust,
  type TrustFile,
  bundleNeeds,
  buildStatement,
  canonicalBytes,
  checkpointRef,
  digestOf,
  encodeEntry,
  formatVkey,
  leafHash,
  makeBundle,
  noteKey,
  parseEntry,
  parsePlan,
  parseTrust,
  remainsOf,
  signApproval,
  signCheckpoint,
  signRunRecord,
  signerFromSeed,
  toBase64url,
  toHex,
  trustedKey,
  writeTrust,
} from "@countersign/evidence";

/*
 * A small installation in memory: a log, its keys, people, and runs that lived in it. Everything is made from a seed, so
 * that a failing forgery can be made again.
 */

export const ORIGIN = "countersign.test/log1";
export const RUN = "run_01k9zzzzzz0123456789abcdef";
const OTHER_RUN = "run_01k9yyyyyy0123456789abcdef";
export const OWNER = "p_00000000000000a1";
export const PLATFORM = "p_00000000000000b2";
export const REQUESTER = "p_00000000000000c3";
export const OLD_KEY = "0ld0ld00-1111-4222-8333-444444444444";
export const NEW_KEY = "11111111-aaaa-4bbb-8ccc-222222222222";
export const BUILD = "countersign-0.1.0+test";
const APP = { objectId: "aaaaaaaa-0000-4000-8000-000000000001", appId: "bbbbbbbb-0000-4000-8000-000000000002" };
const TENANT = "cccccccc-0000-4000-8000-000000000003";
const ISS = "https://login.test/tenant";
const START = Date.parse("2026-11-01T08:00:00.000Z");

export const POLICY = Buffer.from("apiVersion: countersign/policy/v1\nkind: RotationPolicy\n");
const POLICY_DIGEST = digestOf(POLICY);
const INVENTORY_DIGEST = digestOf(Buffer.from("inventory"));
const PROCEDURE_DIGEST = digestOf(Buffer.from("procedure"));
const REASON = Buffer.from("It expires in ten days.");
const NO_REASON = Buffer.from("The batch window is closed this week.");

/** A signer that the same seed always gives. */
export function key(seed: string, name = seed): Signer {
  return signerFromSeed(createHash("sha256").update(seed).digest(), name);
}

/** An entry of the log before its place in a run and its salt are put on. */
export interface Draft<T extends EntryType = EntryType> {
  readonly at: string;
  readonly type: T;
  readonly data: EntryData<T>;
  readonly run: string | null;
}

export interface Keys {
  readonly log: Signer;
  readonly run: Signer;
  readonly session: Signer;
}

/** Keys of an installation; another seed is another installation. */
export function keysOf(seed: string): Keys {
  return { log: key(`${seed}/log`, ORIGIN), run: key(`${seed}/run`), session: key(`${seed}/session`) };
}

/** The trust file of an installation with these keys. */
export function trustFileOf(keys: Keys): TrustFile {
  const person = (id: string, roles: string[]) => ({ person: id, iss: ISS, sub: `sub-${id}`, roles, level: "session" as const });
  return {
    v: 1,
    origin: ORIGIN,
    profile: "test",
    solo: false,
    logKeys: [{ vkey: formatVkey(noteKey(ORIGIN, keys.log.publicKey)) }],
    runKeys: [trustedKey(keys.run.publicKey)],
    sessionKeys: [trustedKey(keys.session.publicKey)],
    people: [person(OWNER, ["app-owner"]), person(PLATFORM, ["platform", "security"]), person(REQUESTER, ["app-owner", "platform"])],
    policies: [{ digest: POLICY_DIGEST }],
    inventories: [{ digest: INVENTORY_DIGEST }],
  };
}

/** The same, read, after a change. */
export function trustOf(keys: Keys, change: (file: Record<string, unknown>) => void = () => {}): Trust {
  const file = structuredClone(trustFileOf(keys));
  change(file as unknown as Record<string, unknown>);
  return parseTrust(writeTrust(file));
}

/** A log that only grows, and everything that hangs on it. */
export class Log {
  readonly drafts: Draft[] = [];
  readonly entries: LoggedEntry[] = [];
  readonly tree = new MerkleTree();
  readonly keys: Keys;
  /** Signed checkpoints by size. */
  readonly notes = new Map<number, Uint8Array>();
  #now = START;
  readonly #chains = new Map<string, { seq: number; leaf: string | null }>();

  constructor(keys: Keys) {
    this.keys = keys;
  }

  get size(): number {
    return this.entries.length;
  }

  now(): string {
    return new Date(this.#now).toISOString();
  }

  pass(seconds: number): void {
    this.#now += seconds * 1000;
  }

  add<T extends EntryType>(type: T, data: EntryData<T>, run: string | null = null): number {
    this.pass(1);
    return this.replay({ at: this.now(), type, data, run } as Draft);
  }

  /** Appends a draft as it is: its place in its run and the Merkle tree follow from what is there. */
  replay(draft: Draft): number {
    const chain = draft.run === null ? undefined : (this.#chains.get(draft.run) ?? { seq: 0, leaf: null });
    const salt = toBase64url(createHash("sha256").update(`salt ${this.size}`).digest().subarray(0, 16));
    const bytes = encodeEntry({ ...draft, salt, runSeq: chain?.seq ?? null, prevRunLeaf: chain?.leaf ?? null } as EntryDraft);
    const leaf = leafHash(bytes);
    if (draft.run !== null && chain !== undefined) this.#chains.set(draft.run, { seq: chain.seq + 1, leaf: toHex(leaf) });
    this.drafts.push(draft);
    this.entries.push({ index: this.tree.append(leaf), bytes });
    return this.size - 1;
  }

  checkpoint(): Checkpoint {
    return { origin: this.keys.log.name, size: this.size, root: this.tree.root() };
  }

  async sign(): Promise<Checkpoint> {
    const checkpoint = this.checkpoint();
    this.notes.set(checkpoint.size, await signCheckpoint(checkpoint, [this.keys.log]));
    return checkpoint;
  }
}

/** What a run left besides its entries. */
export interface Papers {
  plan: Uint8Array | null;
  policy: Uint8Array | null;
  approvals: { statement: Uint8Array; envelope: Uint8Array }[];
  attachments: Uint8Array[];
}

/** One run in a log. */
export class Run {
  readonly log: Log;
  readonly papers: Papers = { plan: null, policy: null, approvals: [], attachments: [] };
  /** Attests what people decide; the installation's session key unless a test plays a stranger. */
  session: Signer;
  procedure = "entra-client-secret";
  trigger: EntryData<"run.requested">["trigger"] = "manual";
  /** The credential that the request names; null: none. */
  credential: string | null = null;
  #state: RunState = "requested";
  #fence = 0;

  constructor(log: Log) {
    this.log = log;
    this.session = log.keys.session;
  }

  add<T extends EntryType>(type: T, data: EntryData<T>): number {
    return this.log.add(type, data, RUN);
  }

  move(to: RunState, because: string | null = null): void {
    const from = this.#state;
    this.#fence += 1;
    this.#state = to;
    this.add("run.moved", { because: because === null ? null : { code: because }, fence: this.#fence, from, to });
  }

  request(): void {
    this.papers.attachments.push(REASON);
    this.add("run.requested", {
      procedure: `${this.procedure}@1`,
      reasonDigest: digestOf(REASON),
      replaces: null,
      requester: REQUESTER,
      target: { tenant: TENANT, ...APP, ...(this.credential === null ? {} : { credential: this.credential }) },
      trigger: this.trigger,
    });
  }

  validate(result: "pass" | "block"): void {
    this.papers.policy = POLICY;
    const findings = [{ code: "allowlist", observed: result === "pass" ? "listed" : "not listed", required: "listed", result }];
    this.add("run.validated", { findings, inventoryDigest: INVENTORY_DIGEST, policyDigest: POLICY_DIGEST });
  }

  freeze(change: (plan: Record<string, Json>) => void = () => {}): void {
    const plan = planData();
    change(plan);
    this.papers.plan = canonicalBytes(plan);
    this.move("planned");
    this.add("plan.frozen", {
      planDigest: digestOf(this.papers.plan),
      policyDigest: POLICY_DIGEST,
      procedure: `${this.procedure}@1`,
      procedureDigest: PROCEDURE_DIGEST,
    });
    this.move("awaiting_approval");
  }

  async decide(person: string, role: string, decision: "approve" | "reject" = "approve", change: (s: Statement) => Statement = (s) => s): Promise<string> {
    const word = await this.sign(person, role, decision, change);
    this.add("approval.given", { decision, ...word });
    this.log.add("scan.completed", { applications: 3, findings: 0, kind: "listing", query: "/applications?$top=999", queryDigest: digestOf("q"), tenant: TENANT });
    return word.statementDigest;
  }

  /** What a person signs about the plan, with its papers; the entry is another matter. */
  async sign(person: string, role: string, decision: Statement["decision"], change: (s: Statement) => Statement = (s) => s) {
    const seen = await this.log.sign();
    const issued = Date.parse(this.log.now());
    const reasoned = decision === "reject" || decision === "break-glass" || decision === "close";
    const reasonDigest = reasoned ? digestOf(NO_REASON) : null;
    if (reasoned) this.papers.attachments.push(NO_REASON);
    const statement = buildStatement(
      change({
        approver: { iss: ISS, sub: `sub-${person}` },
        checkpoint: checkpointRef(seen),
        decision,
        expiresAt: new Date(issued + 3_600_000).toISOString(),
        issuedAt: new Date(issued).toISOString(),
        nonce: toBase64url(createHash("sha256").update(`nonce ${person} ${role} ${decision === "approve" || decision === "reject" ? "" : decision}`).digest()),
        policyDigest: POLICY_DIGEST,
        reasonDigest,
        role,
        rpId: "localhost",
        runId: RUN,
        subjects: [{ digest: digestOf(this.papers.plan as Uint8Array), kind: "plan" }],
      }),
    );
    const envelope = await signApproval(statement, this.session);
    this.papers.approvals.push({ statement, envelope });
    return { evidenceDigest: digestOf(envelope), level: "session" as const, person, role, statementDigest: digestOf(statement) };
  }

  async authorise(statements: readonly string[], kind: EntryData<"run.authorised">["kind"] = "quorum"): Promise<void> {
    const checkpoint = checkpointRef(await this.log.sign());
    this.add("run.authorised", {
      checkpoint,
      kind,
      planDigest: digestOf(this.papers.plan as Uint8Array),
      statements: statements as EntryData<"run.authorised">["statements"],
    });
  }

  step(id: string, options: StepOptions = {}): void {
    const { direction = "do", attempt = 1, outcome = "done", objectIds = {}, verified = null, target = APP } = options;
    const verb = options.verb ?? (STEPS.find((s) => s.id === id)?.verb as string);
    const call = verb.split("@")[0] as string;
    this.add("step.intent", { attempt, call, direction, facts: {}, step: id, target, verb });
    if (outcome === "none") return;
    this.add("step.outcome", {
      attempt,
      build: BUILD,
      call,
      connector: { id: verb.split(".")[0] as string, version: "0.1.0" },
      direction,
      error: outcome === "done" ? null : { code: "OUTSIDE_UNAVAILABLE", status: 503 },
      facts: { status: 200 },
      objectIds,
      outcome,
      requestIds: ["req-1"],
      step: id,
      verb,
      verified,
    });
  }

  /** An owner says that a step was done by hand, or takes it back. */
  word(confirmation: "given" | "withdrawn" = "given", direction: "do" | "undo" = "do", person = OWNER, step = BY_HAND): void {
    this.add("step.confirmed", { confirmation, direction, level: "session", person, step });
  }

  gate(grade: "strong" | "weak" | "none" = "strong", open = true): void {
    this.add("gate.checked", { evidence: { quietSeconds: 7200 }, grade, open, reasons: open ? [] : ["old-key-used"] });
  }

  close(): void {
    const entries = this.log.drafts.filter((d) => d.run === RUN).length + 1;
    this.add("run.closed", { entries, state: this.#state });
  }
}

export type Statement = Parameters<typeof buildStatement>[0];

export interface StepOptions {
  readonly direction?: "do" | "undo" | "discard";
  readonly attempt?: number;
  readonly outcome?: "done" | "failed" | "unknown" | "none";
  readonly objectIds?: EntryData<"step.outcome">["objectIds"];
  readonly verified?: EntryData<"step.outcome">["verified"];
  readonly target?: EntryData<"step.intent">["target"];
  readonly verb?: string;
}

const undo = { describe: "Take it back" };
const none = { none: "It only looks" };
const STEPS = [
  { id: "create", verb: "entra.add-password@1", phase: "execute", params: { ...APP }, identity: APP, describe: "Create", undo, undoable: true },
  { id: "prove", verb: "entra.prove@1", phase: "execute", params: {}, identity: APP, describe: "Prove", undo: none, undoable: false },
  { id: "store", verb: "keyvault.write@1", phase: "execute", params: {}, identity: {}, describe: "Store", undo, undoable: true },
  { id: "confirm:batch", verb: "consumer.confirm@1", phase: "overlap", params: {}, identity: {}, describe: "Confirm", undo: none, undoable: false },
  { id: "retire", verb: "entra.remove-password@1", phase: "retire", params: { ...APP, keyId: OLD_KEY }, identity: APP, describe: "Remove", undo: { none: "Gone for ever" }, undoable: false },
];

/** The plan everybody is asked about. */
export function planData(): Record<string, Json> {
  return {
    v: 1,
    run: RUN,
    tenant: { name: "Test", id: TENANT },
    environment: "dev",
    prod: false,
    procedure: { name: "entra-client-secret", major: 1, digest: PROCEDURE_DIGEST },
    trigger: "manual",
    requester: REQUESTER,
    target: { kind: "entra-application", name: "Zahlungen Bestand", ...APP },
    old: { id: OLD_KEY, expiresAt: "2026-11-15T00:00:00.000Z", binding: "ours" },
    baseline: { credentialIds: [OLD_KEY], owners: [OWNER], recordVersion: "v1", rowDigest: digestOf("row") },
    record: { kind: "keyvault-secret", connection: "vault", name: "batch-secret", identity: {} },
    consumers: [{ name: "batch", kind: "latest", environment: "dev", pickupSeconds: 60, cadenceSeconds: 3600, level: "used", callers: [], target: {}, identity: {} }],
    steps: STEPS,
    timing: {
      overlapSeconds: 3600,
      lifetimeSeconds: 7_776_000,
      proofTimes: 3,
      proofSpacingSeconds: 1,
      proofDeadlineSeconds: 60,
      rollbackMinRemainingSeconds: 86_400,
      notBefore: "2026-11-01T08:00:00.000Z",
      quietSeconds: 3600,
    },
    retire: { minGrade: "weak", consumerLevel: "value-matched" },
    lockKeys: [{ key: "application:x", held: "run" }],
    approvals: {
      expiresAfterSeconds: 86_400,
      minLevel: "session",
      require: [
        { role: "app-owner", count: 1, people: [OWNER, REQUESTER] },
        { role: "platform", count: 1, people: [PLATFORM, REQUESTER] },
      ],
      separation: ["requester-cannot-approve", "one-person-one-role"],
    },
    rules: [{ rule: "overlap-floor", observed: "3600", required: "3600", result: "pass" }],
    risks: [],
    irreversible: ["After retirement the old secret cannot be restored."],
    policyDigest: POLICY_DIGEST,
    inventoryDigest: INVENTORY_DIGEST,
  };
}

/** The step that a person does by hand, where {@link withHand} put one into the plan. */
export const BY_HAND = "update:desk";

/** Puts a step into the plan that the owner does by hand. */
export function withHand(plan: Record<string, Json>): void {
  const [create, prove, store, ...rest] = STEPS;
  const hand = { id: BY_HAND, verb: "manual.ask@1", phase: "execute", params: {}, identity: {}, describe: "Ask", undo, undoable: true };
  plan["steps"] = [create, prove, store, hand, ...rest] as unknown as Json;
}

/** The plan of an emergency: two credentials go without overlap and gate; the consumer is confirmed after the cut. */
export function inEmergency(plan: Record<string, Json>): void {
  const [create, prove, store, confirm, retire] = STEPS;
  plan["procedure"] = { name: "emergency-revoke", major: 1, digest: PROCEDURE_DIGEST };
  plan["trigger"] = "compromise";
  plan["timing"] = { ...(plan["timing"] as object), overlapSeconds: 0 };
  plan["emergency"] = { containWithinSeconds: 600, restoreWithinSeconds: 3_600, leaveBehind: [LEFT], revoke: [OLD_KEY, OTHER_KEY], supersedes: { run: OTHER_RUN, state: "held" } };
  plan["steps"] = [
    create,
    prove,
    store,
    { ...store, id: LEFT, verb: "keyvault.copy@1" },
    { ...retire, id: "revoke" },
    { ...retire, id: "revoke:2", params: { ...APP, keyId: OTHER_KEY } },
    { ...prove, id: "refused", verb: "entra.prove-refused@1", phase: "retire" },
    { ...confirm, phase: "restore" },
  ] as unknown as Json;
}

/** The plan that replaces what somebody has made by hand: an owner moves what lives on it, and it is seen on the new one. */
export function byName(plan: Record<string, Json>): void {
  const [create, prove, store, confirm, retire] = STEPS;
  plan["procedure"] = { name: "entra-replace-foreign", major: 1, digest: PROCEDURE_DIGEST };
  plan["trigger"] = "event";
  plan["old"] = { id: NAMED_KEY, expiresAt: "2028-11-15T00:00:00.000Z", binding: "named" };
  plan["stays"] = { id: OLD_KEY, expiresAt: "2026-11-15T00:00:00.000Z" };
  plan["approvals"] = {
    ...(plan["approvals"] as object),
    require: [{ role: "app-owner", count: 1, people: [OWNER] }, { role: "security", count: 1, people: [PLATFORM] }],
  };
  plan["steps"] = [
    create,
    prove,
    store,
    { ...store, id: "switch", verb: "manual.ask@1" },
    confirm,
    { ...confirm, id: "switched", params: { update: "switch", callers: ["198.51.100.20"], level: "used" } },
    { ...retire, params: { ...APP, keyId: NAMED_KEY } },
  ] as unknown as Json;
}

/** What somebody has made in a portal. */
export const NAMED_KEY = "77777777-aaaa-4bbb-8ccc-888888888888";

/** A run that replaces it, authorised, and on to the overlap with the owner's word. */
export async function replacing(run: Run, freeze: (plan: Record<string, Json>) => void = byName, says = true): Promise<void> {
  run.procedure = "entra-replace-foreign";
  run.trigger = "event";
  run.credential ??= NAMED_KEY;
  run.request();
  run.validate("pass");
  run.freeze(freeze);
  const yes = [await run.decide(OWNER, "app-owner"), await run.decide(PLATFORM, "security")];
  run.move("approved");
  await run.authorise(yes);
  run.move("executing");
  run.step("create", { objectIds: { keyId: NEW_KEY } });
  run.step("prove");
  run.step("store", { objectIds: { version: "v2" } });
  run.step("switch", { verb: "manual.ask@1" });
  run.move("overlapping");
  if (says) run.word("given", "do", OWNER, "switch");
}

/** From the overlap to the end; `holder`: how far what lived on it was seen on the new one. */
export function replaced(run: Run, holder: StepOptions["verified"] = "used", keyId = NAMED_KEY): void {
  run.step("confirm:batch", { verified: "used" });
  run.step("switched", { verb: "consumer.confirm@1", ...(holder === undefined ? {} : { verified: holder }) });
  run.log.pass(3600);
  run.gate();
  run.move("retiring");
  run.step("retire", { target: { ...APP, keyId }, objectIds: { keyId } });
  run.move("completed");
  run.close();
}

/** A consumer that cannot be written before the cut. */
export const LEFT = "update:copy";
/** What a superseded run had made. */
export const OTHER_KEY = "55555555-aaaa-4bbb-8ccc-666666666666";

/** The terms of a plan under which the owner may start alone. */
export function withGlass(plan: Record<string, Json>): void {
  plan["breakGlass"] = {
    confirm: [{ role: "platform", people: [PLATFORM] }, { role: "app-owner", people: [OWNER] }],
    confirmWithinSeconds: 3_600,
    expiresAfterSeconds: 3_600,
    grant: [{ role: "app-owner", people: [OWNER] }],
    minLevel: "session",
    reviewWithinSeconds: 86_400,
    unconfirmed: "hold",
  };
}

/** The owner starts alone. */
export async function broken(run: Run, change?: (s: Statement) => Statement, freeze = withGlass, by: readonly [string, string] = [OWNER, "app-owner"]): Promise<void> {
  run.request();
  run.validate("pass");
  run.freeze(freeze);
  const grant = await run.sign(...by, "break-glass", change);
  run.add("breakglass.granted", grant);
  run.move("approved", "break-glass");
  await run.authorise([grant.statementDigest], "break-glass");
  run.move("executing");
}

export async function confirmed(run: Run, person = PLATFORM, role = "platform"): Promise<void> {
  run.add("breakglass.confirmed", await run.sign(person, role, "confirm"));
}

export async function reviewed(run: Run, result: "accepted" | "objected" = "accepted", person = PLATFORM, role = "platform"): Promise<void> {
  const word = await run.sign(person, role, result === "accepted" ? "accept" : "object");
  run.log.add("breakglass.reviewed", { ...word, of: RUN, result });
}

/** A run that overlaps and is held: the old credential, the new one and the record's version stay. */
export async function stuck(run: Run): Promise<void> {
  await approved(run);
  executed(run);
  run.step("confirm:batch", { verified: "used" });
  run.move("held", "consumer-refuted");
}

/** What remains of the run as its entries say it now. */
export function remainsNow(run: Run): Uint8Array {
  const entries = run.log.entries.flatMap(({ bytes, index }, i) =>
    run.log.drafts[i]?.run === RUN ? [{ entry: parseEntry(bytes), index, leaf: "" }] : [],
  );
  return remainsOf({ id: RUN, entries }, parsePlan(run.papers.plan as Uint8Array));
}

export interface CloseOptions {
  readonly change?: (s: Statement) => Statement;
  readonly remains?: Uint8Array;
}

/** A word about closing the held run as it stands. */
export async function closing(run: Run, type: "close.asked" | "close.confirmed", person: string, role: string, options: CloseOptions = {}): Promise<void> {
  const { change = (s: Statement) => s, remains = remainsNow(run) } = options;
  run.papers.attachments.push(remains);
  const remainsDigest = digestOf(remains);
  const decision = type === "close.asked" ? "close" : "close-confirm";
  const word = await run.sign(person, role, decision, (s) =>
    change({ ...s, subjects: [...s.subjects, { digest: remainsDigest, kind: "remains" }] }),
  );
  run.add(type, { ...word, remainsDigest });
}

export async function leftAsIs(run: Run): Promise<void> {
  run.move("left_as_is", "closed-as-it-stands");
  run.close();
}

/** From overlapping to the end. */
export function retired(run: Run): void {
  run.step("confirm:batch", { verified: "used" });
  run.log.pass(3600);
  run.gate();
  run.move("retiring");
  run.step("retire", { target: { ...APP, keyId: OLD_KEY }, objectIds: { keyId: OLD_KEY } });
  run.move("completed");
  run.close();
}

/** An emergency up to the cut: one consumer could not be written. */
export async function cut(run: Run, freeze: (plan: Record<string, Json>) => void = inEmergency): Promise<void> {
  run.procedure = "emergency-revoke";
  run.trigger = "compromise";
  await approved(run, freeze);
  run.step("create", { objectIds: { keyId: NEW_KEY } });
  run.step("prove");
  run.step("store", { objectIds: { version: "v2" } });
  run.step(LEFT, { outcome: "failed", verb: "keyvault.copy@1" });
  run.move("overlapping");
  run.move("retiring");
}

/** Both credentials go, and the old one is shown to be refused. */
export function revoked(run: Run): void {
  const remove = (keyId: string, id: string) =>
    run.step(id, { verb: "entra.remove-password@1", target: { ...APP, keyId }, objectIds: { keyId } });
  remove(OLD_KEY, "revoke");
  remove(OTHER_KEY, "revoke:2");
  run.step("refused", { verb: "entra.prove-refused@1" });
}

/** A log that has begun, with a policy, and a run about to be asked for. */
export function begin(seed = "home", genesis: Partial<EntryData<"log.genesis">> = {}): Run {
  const log = new Log(keysOf(seed));
  log.add("log.genesis", {
    build: BUILD,
    clock: "system",
    founders: [OWNER, PLATFORM],
    origin: ORIGIN,
    profile: "test",
    separation: "roles",
    trustDigest: digestOf("trust"),
    ...genesis,
  });
  log.add("policy.activated", { policyDigest: POLICY_DIGEST, previous: null });
  log.add("inventory.accepted", { inventoryDigest: INVENTORY_DIGEST });
  log.add("service.started", { build: BUILD, role: "executor", separation: "roles", worker: "w1" });
  // Another run in the same log: its entries must neither be shown nor be able to stand in for ours.
  const foreign = { procedure: "entra-client-secret@1", reasonDigest: null, replaces: null, requester: OWNER, target: APP, trigger: "due" } as const;
  log.add("run.requested", foreign, OTHER_RUN);
  return new Run(log);
}

/** Up to and with the decisions and the authorisation. */
export async function approved(run: Run, freeze?: (plan: Record<string, Json>) => void): Promise<void> {
  run.request();
  run.validate("pass");
  run.freeze(freeze);
  const yes = [await run.decide(OWNER, "app-owner"), await run.decide(PLATFORM, "platform")];
  run.move("approved");
  await run.authorise(yes);
  run.move("executing");
}

/** From executing to overlapping, with one lost reply that was looked up and one credential discarded after a crash. */
export function executed(run: Run, hand = false): void {
  run.step("create", { objectIds: { keyId: "33333333-aaaa-4bbb-8ccc-444444444444" } });
  run.add("recovery.started", { deadAfterMs: 900, holder: "w1", provenDead: true, settleMs: 1000, worker: "w2" });
  run.step("create", { direction: "discard", objectIds: { keyId: "33333333-aaaa-4bbb-8ccc-444444444444" } });
  run.step("create", { attempt: 2, objectIds: { keyId: NEW_KEY } });
  run.step("prove");
  run.step("store", { outcome: "unknown" });
  settle(run, "store", { version: "v2" });
  if (hand) run.step(BY_HAND, { verb: "manual.ask@1" });
  run.move("overlapping");
}

/** A second, final outcome for a call whose first was unknown. */
function settle(run: Run, id: string, objectIds: Record<string, string>): void {
  const last = run.log.drafts.at(-1) as Draft<"step.outcome">;
  run.add("step.outcome", { ...last.data, outcome: "done", error: null, objectIds, step: id });
}

/** The six ways a run can stand that the attack suite starts from. */
export const LIVES = {
  async completed(): Promise<Run> {
    const run = begin();
    await approved(run);
    executed(run);
    run.step("confirm:batch", { verified: "used" });
    run.gate("none", false);
    run.log.pass(3600);
    run.gate();
    run.move("retiring");
    run.step("retire", { target: { ...APP, keyId: OLD_KEY }, objectIds: { keyId: OLD_KEY } });
    run.move("completed");
    run.close();
    return run;
  },
  async rolledBack(): Promise<Run> {
    const run = begin();
    await approved(run);
    run.step("create", { objectIds: { keyId: NEW_KEY } });
    run.step("prove");
    run.step("store", { outcome: "failed" });
    run.move("rolling_back", "OUTSIDE_UNAVAILABLE");
    run.step("create", { direction: "undo", objectIds: { keyId: NEW_KEY } });
    run.move("rolled_back");
    run.close();
    return run;
  },
  async byHand(): Promise<Run> {
    const run = begin();
    await approved(run, withHand);
    executed(run, true);
    run.word();
    run.word("withdrawn");
    run.word();
    run.step("confirm:batch", { verified: "used" });
    run.log.pass(3600);
    run.gate();
    run.move("retiring");
    run.step("retire", { target: { ...APP, keyId: OLD_KEY }, objectIds: { keyId: OLD_KEY } });
    run.move("completed");
    run.close();
    return run;
  },
  async putBackByHand(): Promise<Run> {
    const run = begin();
    await approved(run, withHand);
    executed(run, true);
    run.word();
    run.move("rolling_back", "asked-for");
    run.step("store", { direction: "undo" });
    run.word("given", "undo");
    run.step(BY_HAND, { direction: "undo", verb: "manual.ask@1" });
    run.step("create", { attempt: 2, direction: "discard", objectIds: { keyId: NEW_KEY } });
    run.move("rolled_back");
    run.close();
    return run;
  },
  async named(): Promise<Run> {
    const run = begin();
    await replacing(run);
    replaced(run);
    return run;
  },
  async emergency(): Promise<Run> {
    const run = begin();
    await cut(run);
    revoked(run);
    run.step(LEFT, { attempt: 2, verb: "keyvault.copy@1" });
    run.step("confirm:batch", { verified: "used" });
    run.move("completed");
    run.close();
    return run;
  },
  async brokenGlass(): Promise<Run> {
    const run = begin();
    await broken(run);
    executed(run);
    await confirmed(run);
    retired(run);
    await reviewed(run, "objected");
    await reviewed(run);
    return run;
  },
  async leftAsIs(): Promise<Run> {
    const run = begin();
    await stuck(run);
    await closing(run, "close.asked", OWNER, "app-owner");
    await closing(run, "close.confirmed", PLATFORM, "security");
    await leftAsIs(run);
    return run;
  },
  async rejected(): Promise<Run> {
    const run = begin();
    run.request();
    run.validate("pass");
    run.freeze();
    await run.decide(OWNER, "app-owner");
    await run.decide(PLATFORM, "platform", "reject");
    run.move("rejected");
    run.close();
    return run;
  },
  async expired(): Promise<Run> {
    const run = begin();
    run.request();
    run.validate("pass");
    run.freeze();
    await run.decide(OWNER, "app-owner");
    run.log.pass(100_000);
    run.move("expired");
    run.close();
    return run;
  },
  async blocked(): Promise<Run> {
    const run = begin();
    run.request();
    run.validate("block");
    run.move("blocked", "allowlist");
    run.close();
    return run;
  },
  async open(): Promise<Run> {
    const run = begin();
    await approved(run);
    executed(run);
    return run;
  },
} as const;

/** What a bundle of this run is made from, after the log has grown a little more. */
export async function inputOf(run: Run, change: Partial<BundleInput> & { readonly runSigner?: Signer } = {}): Promise<BundleInput> {
  const { runSigner, ...replaced } = change;
  const { log, papers } = run;
  log.add("service.stopped", { role: "executor", worker: "w1" });
  const final = await log.sign();
  const entries = log.entries.filter((_, i) => log.drafts[i]?.run === RUN);
  const reviews = log.entries.filter((_, i) => log.drafts[i]?.type === "breakglass.reviewed").map((e) => e.bytes);
  const needs = bundleNeeds(entries.map((e) => e.bytes), papers.approvals.map((a) => a.statement), reviews);
  const gone = new Set<string>([...needs.attachments, ...needs.statements]);
  for (const bytes of [...papers.attachments, ...papers.approvals.map((a) => a.statement)]) gone.delete(digestOf(bytes));
  const context = log.entries.filter((_, i) => {
    const draft = log.drafts[i] as Draft;
    if (draft.type === "log.genesis") return true;
    if (draft.type === "policy.activated") return needs.policy === (draft as Draft<"policy.activated">).data.policyDigest;
    if (draft.type === "breakglass.reviewed") return true;
    return draft.type === "attachment.erased" && gone.has((draft as Draft<"attachment.erased">).data.attachment);
  });
  return {
    checkpoint: log.notes.get(final.size) as Uint8Array,
    tree: log.tree,
    entries,
    context,
    ...papers,
    anchors: [...log.notes].filter(([size]) => needs.anchors.has(size)).map(([, note]) => note),
    record: await signRunRecord({ entries, log: checkpointRef(final), build: BUILD }, runSigner ?? log.keys.run),
    ...replaced,
  };
}

/** The bundle of a run. */
export async function bundleOf(run: Run, change: Parameters<typeof inputOf>[1] = {}): Promise<BundleFiles> {
  return makeBundle(await inputOf(run, change));
}

/** The same run rebuilt from its drafts after an insider changed them: new chain, new tree, same papers. */
export function rewritten(run: Run, edit: (drafts: Draft[]) => Draft[]): Run {
  const forged = new Run(new Log(run.log.keys));
  for (const draft of edit([...run.log.drafts])) forged.log.replay(draft);
  Object.assign(forged.papers, run.papers);
  for (const [size, note] of run.log.notes) forged.log.notes.set(size, note);
  return forged;
}
