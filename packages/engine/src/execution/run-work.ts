import {
  type Confirmation,
  CountersignError,
  type Done,
  type Facts,
  type FrozenPlan,
  type PastAttempt,
  type PlanStep,
  type RunState,
  type Verb,
  type VerbContext,
  type VerifyLevel,
} from "@countersign/core";
import type { NoticeKind } from "../notify/kinds.ts";
import {
  type BreakGlassRow,
  type EntryInput,
  type Heard,
  type Heeds,
  type Hold,
  heedsNothing,
  type RunRow,
  type StepRow,
  type Stopped,
  type Store,
} from "../store/index.ts";
import { newNonce, type StepServices, verbContext } from "./context.ts";
import { type RunData, readRunData, runDataFacts } from "./run-data.ts";

/** One journaled attempt, as the phases read it. */
export interface Attempt {
  readonly step: string;
  readonly direction: StepRow["direction"];
  readonly attempt: number;
  /** Order of intents over the whole run. */
  readonly seq: number;
  readonly nonce: string;
  readonly intent: Facts;
  readonly intentAt: number;
  readonly outcome: StepRow["outcome"];
  readonly objectIds: Facts;
  readonly facts: Facts;
  readonly requestIds: readonly string[];
  readonly verified: VerifyLevel | null;
  readonly error: { readonly code: string; readonly status?: number | undefined } | null;
}

/** What came of an attempt, before it is committed. */
export interface Conclusion {
  readonly outcome: "done" | "failed" | "unknown";
  readonly objectIds?: Facts;
  readonly facts?: Facts;
  readonly requestIds?: readonly string[];
  readonly verified?: VerifyLevel | null;
  readonly error?: { readonly code: string; readonly status?: number } | null;
}

/**
 * One claimed run with its plan and its journal. All writes go through the run's fence: once another executor has
 * claimed the run, every one of them fails with STALE_FENCE.
 */
export class RunWork {
  readonly store: Store;
  readonly services: StepServices;
  readonly frozen: FrozenPlan;
  /** The row as claimed. */
  readonly row: RunRow;
  readonly #verbs: (verb: string) => Verb<unknown>;
  readonly #worker: string;
  #journal: Attempt[];
  #heard: Heard;
  #use: BreakGlassRow | null;
  #state: RunState;
  #fence: number;
  #data: RunData;

  private constructor(input: WorkInput, journal: readonly StepRow[], heard: Heard, use: BreakGlassRow | null) {
    this.store = input.store;
    this.services = input.services;
    this.frozen = input.frozen;
    this.row = input.run;
    this.#verbs = input.verbOf;
    this.#worker = input.worker;
    this.#journal = journal.map(attemptOf);
    this.#heard = heard;
    this.#use = use;
    this.#state = input.run.state;
    this.#fence = input.run.fence;
    // Whatever this claim writes says that it came through; when it writes nothing, the row still says what was before.
    this.#data = { ...readRunData(input.run.data), interrupted: null };
  }

  /** Reads the journal of a run that was just claimed, and what others have said of it. */
  static async open(input: WorkInput): Promise<RunWork> {
    const { store, run } = input;
    const { steps, used, ...heard } = await store.journalOf(run.id);
    return new RunWork(input, steps, heard, used ? await store.breakGlass(run.id) : null);
  }

  get id(): string {
    return this.row.id;
  }

  get plan(): FrozenPlan["plan"] {
    return this.frozen.plan;
  }

  get state(): RunState {
    return this.#state;
  }

  get data(): RunData {
    return this.#data;
  }

  /** Who holds the run: goes with every write. */
  get hold(): Hold {
    return { run: this.row.id, fence: this.#fence, worker: this.#worker };
  }

  get now(): number {
    return this.services.clock.now();
  }

  /** Waits for domain time; ends at once, by throwing, when this worker stops. */
  pause(ms: number): Promise<void> {
    return this.services.clock.sleep(ms, this.services.lease.signal);
  }

  /** What a person last asked of this run and nobody has answered yet. */
  get asked(): RunRow["asked"] {
    return this.#heard.asked;
  }

  /** The open emergency of the same application, whatever its state; null: none. */
  get emergency(): RunRow | null {
    return this.#heard.emergency;
  }

  /** The break-glass use with which this run began, as its row says; null: a quorum stands behind it. */
  get use(): BreakGlassRow | null {
    return this.#use;
  }

  /** Until when a second person must have confirmed that one started this run alone; null: nobody is waited for. */
  get confirmUntil(): number | null {
    return this.#use === null || this.#use.confirmedAt !== null ? null : this.#use.confirmUntil;
  }

  /** Reads again what a person asked, whether there is an emergency, and whether somebody has confirmed. */
  async hear(): Promise<void> {
    this.#heard = await this.store.heard(this.row.id);
    if (this.confirmUntil !== null) this.#use = await this.store.breakGlass(this.row.id);
  }

  /** Called after a transition was committed. */
  moved(state: RunState, fence: number, data: RunData): void {
    this.#state = state;
    this.#fence = fence;
    this.#data = data;
  }

  /** Keeps working data without a move. */
  async keep(change: Partial<RunData>): Promise<void> {
    const data = { ...this.#data, ...change };
    await this.store.dataPut(this.hold, runDataFacts(data));
    this.#data = data;
  }

  /** Writes entries about the run, with its working data and notices, without a move. */
  async note(
    change: Partial<RunData>,
    entries: readonly EntryInput[],
    notices: readonly NoticeKind[],
    payload: Facts = {},
  ): Promise<void> {
    const data = { ...this.#data, ...change };
    const told = notices.map((kind) => ({
      kind,
      channel: "owners",
      key: `${this.id}:${this.now}:${kind}`,
      payload: { application: this.plan.target.name, ...payload },
    }));
    await this.store.note(this.hold, { at: this.now, data: runDataFacts(data), entries, notices: told });
    this.#data = data;
  }

  /** Whether the end of the old credential was intended: from then on there is nothing to go back to. */
  get cutBegun(): boolean {
    const steps = this.plan.steps.filter((step) => step.phase === "retire");
    return steps.some((step) => this.attempts(step.id, "do").length > 0);
  }

  /** Attempts of one step in one direction, oldest first. */
  attempts(step: string, direction: Attempt["direction"]): Attempt[] {
    return this.#journal
      .filter((row) => row.step === step && row.direction === direction)
      .sort((a, b) => a.attempt - b.attempt);
  }

  /**
   * Whether a `do` attempt does not count any more: what it made was taken back or left behind because the value was
   * lost, or it used a value that has been replaced since (a proof is of one credential, not of the next).
   */
  isVoid(row: Attempt): boolean {
    const takenBack = this.#journal.some(
      (other) =>
        other.step === row.step &&
        other.direction === "discard" &&
        other.attempt === row.attempt &&
        other.outcome === "done",
    );
    if (takenBack || this.#data.abandoned.some((gone) => gone.step === row.step && gone.attempt === row.attempt))
      return true;
    if (this.#valueOf(row.step) !== "uses") return false;
    return this.#journal.some(
      (other) => other.direction === "do" && other.seq > row.seq && this.#valueOf(other.step) === "yields",
    );
  }

  #valueOf(id: string): Verb["value"] {
    const step = this.plan.steps.find((candidate) => candidate.id === id);
    return step === undefined ? "none" : this.#verbs(step.verb).value;
  }

  /** What a step has made, once it is done and not taken back. */
  outcomeOf(step: string): Done | undefined {
    const row = this.attempts(step, "do").findLast(
      (candidate) => candidate.outcome === "done" && !this.isVoid(candidate),
    );
    return row === undefined ? undefined : doneOf(row);
  }

  /** An owner's word that stands, read anew: it may be taken back at any time. */
  async confirmed(step: string, direction: "do" | "undo"): Promise<Confirmation | null> {
    const words = await this.store.confirmations(this.row.id);
    return words.find((word) => word.step === step && word.direction === direction) ?? null;
  }

  /** Whether the outside may hold an effect of this step: any attempt that was sent and is not proven absent. */
  mayHaveEffect(step: string): boolean {
    return this.attempts(step, "do").some((row) => !leftNothing(row));
  }

  /** The verb of a step; refuses parameters it does not understand. */
  verbOf(step: PlanStep): Verb<unknown> {
    const verb = this.#verbs(step.verb);
    if (!verb.params.safeParse(step.params).success) {
      throw new CountersignError(
        "VERB_UNKNOWN",
        `expected parameters that ${step.verb} understands, got others in step ${step.id}`,
      );
    }
    return verb;
  }

  /** What a verb may see of one attempt. */
  context(step: PlanStep, direction: VerbContext["direction"], attempt: number, nonce: string): VerbContext {
    return verbContext(this.services, {
      run: this.row.id,
      tenantId: this.plan.tenant.id,
      step: step.id,
      attempt,
      direction,
      nonce,
      past: this.#journal.filter((row) => row.step === step.id).map(pastOf),
      outcomeOf: (id) => this.outcomeOf(id),
      confirmed: (id, way) => this.confirmed(id, way),
    });
  }

  /** Commits the intent of an attempt that stops for nothing. */
  async intend(
    step: PlanStep,
    direction: Attempt["direction"],
    attempt: number,
    facts: Facts,
    nonce = newNonce(),
  ): Promise<Attempt> {
    const row = await this.intendUnlessStopped(step, direction, attempt, facts, nonce, heedsNothing);
    if ("stopped" in row)
      throw new CountersignError("STATE_CONFLICT", `expected an intent that stops for nothing, got ${row.stopped}`);
    return row;
  }

  /**
   * Commits the intent of an attempt: nothing leaves before this, and nothing at all when it was stopped. `nonce`: the one
   * that its facts already name.
   */
  async intendUnlessStopped(
    step: PlanStep,
    direction: Attempt["direction"],
    attempt: number,
    facts: Facts,
    nonce: string,
    heeds: Heeds,
  ): Promise<Attempt | Stopped> {
    const { call } = this.#verbs(step.verb);
    const intentAt = this.now;
    await this.services.pauses.at("before-intent", `${direction}:${step.id}`, this.row.id);
    const committed = await this.store.intent({
      ...this.hold,
      step: step.id,
      direction,
      attempt,
      verb: step.verb,
      call,
      nonce,
      facts,
      target: identityStrings(step.identity as Facts),
      at: intentAt,
      heeds,
    });
    if ("stopped" in committed) return committed;
    const seq = 1 + Math.max(0, ...this.#journal.map((row) => row.seq));
    const nothing = { outcome: null, objectIds: {}, facts: {}, requestIds: [], verified: null, error: null };
    const row: Attempt = { step: step.id, direction, attempt, seq, nonce, intent: facts, intentAt, ...nothing };
    this.#journal = [...this.#journal, row];
    await this.services.pauses.at("after-intent", `${direction}:${step.id}`, this.row.id);
    return row;
  }

  /** Commits what came of an attempt. */
  async conclude(row: Attempt, step: PlanStep, conclusion: Conclusion): Promise<void> {
    const { connector } = this.#verbs(step.verb);
    const result = { objectIds: {}, facts: {}, requestIds: [], verified: null, error: null, ...conclusion };
    await this.services.pauses.at("after-answer", `${row.direction}:${step.id}`, this.row.id);
    await this.store.outcome({
      ...this.hold,
      ...result,
      step: step.id,
      direction: row.direction,
      attempt: row.attempt,
      build: this.services.build,
      connector,
      at: this.now,
    });
    this.#journal = this.#journal.map((other) => (other.seq === row.seq ? { ...row, ...result } : other));
    await this.services.pauses.at("after-commit", `${row.direction}:${step.id}`, this.row.id);
  }
}

interface WorkInput {
  readonly store: Store;
  readonly services: StepServices;
  readonly frozen: FrozenPlan;
  readonly verbOf: (verb: string) => Verb<unknown>;
  readonly run: RunRow;
  readonly worker: string;
}

/**
 * Whether an attempt is known to have left nothing outside. Not so when it was performed and then not verified, when a later
 * look found that it had landed, or when it was only closed so that it may be repeated.
 */
export function leftNothing({ outcome, objectIds, facts }: Attempt): boolean {
  const traces = facts.performed === true || facts.landed === true || facts.reconciled === "repeat";
  return outcome === "failed" && !traces && Object.keys(objectIds).length === 0;
}

/** What an attempt has made. */
export function doneOf(row: Attempt): Done {
  return { objectIds: row.objectIds, facts: row.facts, requestIds: row.requestIds };
}

function attemptOf(row: StepRow): Attempt {
  const data = row.outcomeData ?? { objectIds: {}, facts: {}, requestIds: [], verified: null, error: null };
  const { step, direction, attempt, seq, nonce, intent, intentAt, outcome } = row;
  return { step, direction, attempt, seq, nonce, intent, intentAt, outcome, ...data };
}

function pastOf(row: Attempt): PastAttempt {
  const { attempt, nonce, direction, intent, outcome, objectIds, facts, intentAt } = row;
  return { attempt, nonce, direction, intent, outcome, objectIds, facts, intentAt };
}

/** An entry's `target` holds strings only. */
function identityStrings(identity: Facts): Record<string, string> {
  return Object.fromEntries(
    Object.entries(identity).map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)]),
  );
}
