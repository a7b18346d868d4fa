/**
 * What must be true of one application whatever is done to it: a small state, written from docs/life-of-a-run.md and the
 * invariants of ARCHITECTURE.md, and from none of the product's code. It knows what was done, so it says of each move of a
 * run whether anything explains it; and it knows which secrets there may be.
 */
import type { RunState } from "@countersign/core";
import type { Login } from "../crash/stage/names.ts";
import type { Command } from "./commands.ts";
import type { Look, SeenRun } from "./look.ts";

/** How long approvals stand, the overlap, and until a run that nothing disturbs is through; seconds of domain time. */
const expirySeconds = 6 * 3_600;
const overlapSeconds = 3_600;
const promptSeconds = 300;
const throughSeconds = 4 * 3_600;
/** Changes that somebody makes in the tenant; more add nothing. */
const foreignMax = 2;
const faultsMax = 2;

const requester: Login = "cleo";
const signers: readonly Login[] = ["ada", "ben"];

/** What disturbed a run since it was asked for. */
type Harm = "fault" | "foreign" | "killed" | "frozen";

/** One run, as somebody knows it who was told of everything that was done. */
interface Account {
  readonly id: string;
  /** The secret that it is to replace. */
  readonly old: string;
  readonly requestedAt: number;
  readonly signed: Set<Login>;
  readonly harm: Set<Harm>;
  rejected: boolean;
  withdrawn: boolean;
  askedBack: boolean;
  closeAsked: boolean;
  closeConfirmed: boolean;
  askedOn: boolean;
  /** It was going back when it was last on its way: asked to try again it goes on with that. */
  turned: boolean;
  state: RunState;
  /** Both had signed. */
  quorumAt: number | null;
  overlappedAt: number | null;
  /** How many of its entries were judged. */
  judged: number;
}

type Reason = (run: Account, at: number) => boolean;

const always: Reason = () => true;
const harmed: Reason = ({ harm }) => harm.has("fault") || harm.has("foreign");
const wanted: Reason = ({ withdrawn }) => withdrawn;
const quorum: Reason = ({ signed, rejected }) => signers.every((login) => signed.has(login)) && !rejected;
const late: Reason = ({ requestedAt }, at) => at - requestedAt >= expirySeconds * 1_000;
const back: Reason = ({ askedBack }) => askedBack;
const on: Reason = ({ askedOn }) => askedOn;
const onward: Reason = ({ askedOn, turned }) => askedOn && !turned;
const onBack: Reason = ({ askedOn, turned }) => askedOn && turned;
const closed: Reason = ({ closeAsked, closeConfirmed }) => closeAsked && closeConfirmed;
const overlapped: Reason = ({ overlappedAt }, at) =>
  overlappedAt !== null && at - overlappedAt >= overlapSeconds * 1_000;
const any =
  (...reasons: readonly Reason[]): Reason =>
  (run, at) =>
    reasons.some((reason) => reason(run, at));
const foreign: Reason = ({ harm }) => harm.has("foreign");

/** Every move that a run may make, and what alone explains it. A kill explains none. */
const ways: Readonly<Partial<Record<RunState, Readonly<Partial<Record<RunState, Reason>>>>>> = {
  requested: { planned: always, blocked: harmed, withdrawn: wanted },
  planned: { awaiting_approval: always, withdrawn: wanted },
  awaiting_approval: {
    approved: quorum,
    rejected: ({ rejected }) => rejected,
    expired: late,
    withdrawn: wanted,
    superseded: foreign,
  },
  approved: {
    scheduled: any(harmed, ({ harm }) => harm.has("frozen")),
    executing: quorum,
    expired: late,
    withdrawn: wanted,
    blocked: harmed,
    superseded: foreign,
  },
  scheduled: { executing: quorum, expired: late, withdrawn: wanted, blocked: harmed, superseded: foreign },
  executing: { overlapping: quorum, rolling_back: any(back, harmed), held: harmed },
  overlapping: { retiring: overlapped, rolling_back: back, held: harmed },
  retiring: { completed: overlapped, overlapping: harmed, held: harmed },
  // A roll back of which nothing was done yet may be given up, so also who had turned may execute again.
  held: { executing: on, overlapping: onward, retiring: onward, rolling_back: any(back, onBack), left_as_is: closed },
  rolling_back: { rolled_back: always, held: harmed },
};

const untouched: ReadonlySet<RunState> = new Set<RunState>([
  "requested",
  "planned",
  "awaiting_approval",
  "approved",
  "scheduled",
  "blocked",
  "rejected",
  "expired",
  "withdrawn",
  "superseded",
]);
const beforeEffects: ReadonlySet<RunState> = new Set<RunState>([
  "requested",
  "planned",
  "awaiting_approval",
  "approved",
  "scheduled",
]);
/** Where an approval counts, or just no longer does. */
const mayBeSigned: ReadonlySet<RunState> = new Set<RunState>(["awaiting_approval", "approved", "scheduled"]);
const withEffects: ReadonlySet<RunState> = new Set<RunState>(["executing", "overlapping", "retiring"]);
const over: ReadonlySet<RunState> = new Set<RunState>([
  "blocked",
  "rejected",
  "expired",
  "withdrawn",
  "superseded",
  "completed",
  "rolled_back",
  "left_as_is",
]);

/** A broken promise. */
export interface Broken {
  readonly rule: string;
  readonly sentence: string;
}

export class Model {
  readonly accounts: Account[] = [];
  frozen = false;
  /** Faults that may still hit a call. */
  faults = 0;
  /** The product is to die at a point that it has not come to yet: one at a time. */
  aimed = false;
  #keys: ReadonlyMap<string, string | null>;
  #now: number;
  readonly #foreign: ReadonlySet<string>;

  /** Begins with what is there before anything was asked for. `foreign`: keys that somebody else makes, as they come. */
  constructor(first: Look, foreign: ReadonlySet<string>) {
    this.#foreign = foreign;
    this.#now = first.now;
    this.#keys = first.keys;
  }

  get newest(): Account | null {
    return this.accounts.at(-1) ?? null;
  }

  get state(): RunState | null {
    return this.newest?.state ?? null;
  }

  /** The newest run has ended. */
  get isOver(): boolean {
    return this.state !== null && over.has(this.state);
  }

  /** Whether the command says anything at this moment. */
  makesSense(command: Command): boolean {
    const { state } = this;
    const open = state !== null && !over.has(state);
    switch (command.do) {
      case "request":
        return command.anyway || !open;
      case "approve":
        return state !== null && mayBeSigned.has(state);
      case "reject":
        return state === "awaiting_approval";
      case "withdraw":
        return open && state !== null && beforeEffects.has(state);
      case "roll back":
        return open && state !== null && !beforeEffects.has(state);
      case "decide on the hold":
      case "ask to close it as it stands":
      case "confirm the close":
        return state === "held";
      case "freeze":
        return !this.frozen;
      case "lift the freeze":
        return this.frozen;
      case "fault":
        return this.faults < faultsMax;
      case "mend":
        return this.faults > 0;
      case "add a foreign key":
      case "overwrite the record":
        return this.#foreign.size < foreignMax;
      case "kill":
        return command.at === null || !this.aimed;
      case "wait":
        return true;
    }
  }

  /** Whether the product must do what it is asked. Null: that hangs on what it is doing just now. */
  mayBeAsked(command: Command): boolean | null {
    const run = this.newest;
    switch (command.do) {
      case "request":
        return run === null || over.has(run.state);
      case "approve":
      case "reject":
        return (
          run?.state === "awaiting_approval" &&
          command.who !== requester &&
          !run.signed.has(command.who) &&
          this.#now - run.requestedAt < expirySeconds * 1_000
        );
      case "withdraw":
        return run !== null && beforeEffects.has(run.state);
      case "roll back":
        return run !== null && ["executing", "overlapping", "held"].includes(run.state)
          ? run.askedBack
            ? null
            : true
          : false;
      case "decide on the hold":
        return run?.state === "held" && command.choice === "roll-back" && run.askedBack ? null : run?.state === "held";
      case "ask to close it as it stands":
        return run?.state !== "held" ? false : run.closeAsked ? null : true;
      case "confirm the close":
        return run?.state === "held" && run.closeAsked ? null : false;
      default:
        return true;
    }
  }

  /** Something was done, and taken: before anything that comes of it is seen. */
  done(command: Command): void {
    const run = this.newest;
    switch (command.do) {
      case "approve":
        run?.signed.add(command.who);
        break;
      case "reject":
        if (run !== null) run.rejected = true;
        break;
      case "withdraw":
        if (run !== null) run.withdrawn = true;
        break;
      case "roll back":
        if (run !== null) run.askedBack = true;
        break;
      case "decide on the hold":
        if (run !== null && command.choice === "roll-back") run.askedBack = true;
        else if (run !== null) run.askedOn = true;
        break;
      case "ask to close it as it stands":
        if (run !== null) run.closeAsked = true;
        break;
      case "confirm the close":
        if (run !== null) run.closeConfirmed = true;
        break;
      case "freeze":
        this.frozen = true;
        this.#harm("frozen");
        break;
      case "lift the freeze":
        this.frozen = false;
        break;
      case "fault":
        this.faults += 1;
        this.#harm("fault");
        break;
      case "mend":
        this.faults = 0;
        break;
      case "kill":
        this.#harm("killed");
        break;
      case "add a foreign key":
      case "overwrite the record":
        this.#harm("foreign");
        break;
      case "request":
      case "wait":
        break;
    }
  }

  #harm(harm: Harm): void {
    const run = this.newest;
    if (run !== null && !over.has(run.state)) run.harm.add(harm);
  }

  /** Compares what is seen now with what may be. `frozen`: the freeze lasted all the time since the last look. */
  compare(seen: Look, frozen: boolean): Broken[] {
    const broken: Broken[] = [];
    const must = (holds: boolean, rule: string, sentence: string) => {
      if (!holds) broken.push({ rule, sentence });
    };
    for (const [index, run] of seen.runs.entries()) {
      const account = this.accounts[index] ?? this.#open(run, seen);
      must(account.id === run.id, "runs", `expected run ${account.id}, got ${run.id}`);
      this.#follow(account, run, frozen, must);
      must(
        account.state === run.state,
        "I9",
        `expected the row to be ${account.state} as its log says, got ${run.state}`,
      );
      this.#judgeTime(account, seen.now, must);
    }
    this.#judgeKeys(seen, must);
    this.#now = seen.now;
    this.#keys = seen.keys;
    return broken;
  }

  #open(run: SeenRun, seen: Look): Account {
    const account: Account = {
      id: run.id,
      old: seen.record,
      requestedAt: Date.parse(run.entries[0]?.at ?? "") || seen.now,
      signed: new Set(),
      harm: new Set(),
      rejected: false,
      withdrawn: false,
      askedBack: false,
      closeAsked: false,
      closeConfirmed: false,
      askedOn: false,
      turned: false,
      state: "requested",
      quorumAt: null,
      overlappedAt: null,
      judged: 0,
    };
    this.accounts.push(account);
    if (this.faults > 0) account.harm.add("fault");
    if (this.frozen) account.harm.add("frozen");
    if (this.#foreign.size > 0) account.harm.add("foreign");
    return account;
  }

  #follow(account: Account, { entries }: SeenRun, frozen: boolean, must: Must): void {
    for (const { type, at, data } of entries.slice(account.judged)) {
      const time = Date.parse(at);
      if (type === "run.moved") this.#move(account, String(data.to) as RunState, time, must);
      if (type === "step.intent" && data.direction === "do") {
        const step = String(data.step);
        const say = `an intent of ${step}`;
        must(withEffects.has(account.state), "I4", `expected ${say} while the run works, got it in ${account.state}`);
        must(
          quorum(account, time),
          "I4",
          `expected ${say} after two people had signed, got ${[...account.signed].join(", ")}`,
        );
        must(!(frozen && isChange(step)), "freeze", `expected no effect while everything is frozen, got ${say}`);
        if (step === "retire")
          must(overlapped(account, time), "I5", `expected ${say} after the overlap, got it before`);
      }
    }
    account.judged = entries.length;
  }

  #move(account: Account, to: RunState, at: number, must: Must): void {
    const from = account.state;
    const reason = ways[from]?.[to];
    must(
      reason?.(account, at) === true,
      "move",
      `expected a reason to move from ${from} to ${to}, got ${toldOf(account)}`,
    );
    account.state = to;
    if (to === "rolling_back" || to === "executing") account.turned = to === "rolling_back";
    if (to === "approved") account.quorumAt = at;
    if (to === "overlapping") account.overlappedAt ??= at;
  }

  /** A run that nothing disturbs is through in time. */
  #judgeTime(account: Account, now: number, must: Must): void {
    if (account.quorumAt === null || account.harm.size > 0 || account.askedBack || account.withdrawn) return;
    const seconds = (now - account.quorumAt) / 1_000;
    if (seconds > promptSeconds)
      must(
        !beforeEffects.has(account.state) && account.state !== "executing",
        "prompt",
        `expected an undisturbed run to overlap ${promptSeconds} s after its approval, got ${account.state}`,
      );
    if (seconds > throughSeconds)
      must(
        account.state === "completed",
        "prompt",
        `expected an undisturbed run to be completed ${throughSeconds} s after its approval, got ${account.state}`,
      );
  }

  #judgeKeys(seen: Look, must: Must): void {
    const ours = new Map(seen.runs.map((run) => [run.id, run]));
    for (const [key, run] of this.#keys)
      if (!seen.keys.has(key)) {
        const retires = seen.runs.some(
          ({ entries }, index) => this.accounts[index]?.old === key && entries.some(isRetirement),
        );
        must(
          run !== null ? ours.has(run) : retires,
          "I5",
          `expected nobody to remove ${run ?? "a key that is not ours"}`,
        );
      }
    for (const [key, run] of seen.keys)
      if (!this.#keys.has(key)) {
        const made = run === null ? this.#foreign.has(key) : ours.get(run)?.entries.some(isCreation) === true;
        must(made, "I6", `expected an intent before a secret, got one of ${run ?? "nobody"} without`);
      }
    for (const account of this.accounts) {
      const entries = ours.get(account.id)?.entries ?? [];
      const made = [...seen.keys.values()].filter((run) => run === account.id).length;
      const hasOld = seen.keys.has(account.old);
      const { state } = account;
      const is = `of a run that is ${state}`;
      if (untouched.has(state)) {
        must(made === 0, "I4", `expected no secret ${is}, got ${made}`);
        must(!entries.some(({ type }) => type === "step.intent"), "I4", `expected no effect ${is}`);
      }
      if (state === "overlapping") must(made >= 1, "I1", `expected the new secret ${is} to live, got none`);
      if (["executing", "overlapping", "rolling_back", "rolled_back"].includes(state) && account === this.newest)
        must(hasOld, "I1", `expected the old secret ${is} to live, it is gone`);
      if (state === "rolled_back") must(made === 0, "I8", `expected no secret ${is}, got ${made}`);
      if (state === "completed") {
        must(!hasOld, "I5", `expected the old secret ${is} to be gone, it lives`);
        if (account === this.newest) must(made === 1, "I3", `expected one secret ${is}, got ${made}`);
      }
    }
  }

  /** Every run came to an end; one that only died on the way ended as if it had not. */
  judgeEnd(): Broken[] {
    return this.accounts.flatMap((account): Broken[] => {
      const { state, harm } = account;
      if (!over.has(state) && state !== "held")
        return [{ rule: "end", sentence: `expected every run to come to rest once all is mended, got ${state}` }];
      const isCalm = !harm.has("fault") && !harm.has("foreign") && !account.askedBack && !account.withdrawn;
      if (isCalm && account.quorumAt !== null && state !== "completed" && !(harm.has("frozen") && state === "expired"))
        return [{ rule: "end", sentence: `expected a run that nothing stopped to be completed, got ${state}` }];
      return [];
    });
  }
}

type Must = (holds: boolean, rule: string, sentence: string) => void;

function isRetirement({ type, data }: SeenRun["entries"][number]): boolean {
  return type === "step.intent" && data.step === "retire";
}

function isCreation({ type, data }: SeenRun["entries"][number]): boolean {
  return type === "step.intent" && data.step === "create";
}

/** Steps that change something outside, and do not only look. */
function isChange(step: string): boolean {
  return step !== "prove" && !step.startsWith("confirm:");
}

function toldOf({ signed, harm, rejected, withdrawn, askedBack, askedOn }: Account): string {
  const facts = [
    ...[...signed].map((login) => `${login} signed`),
    ...harm,
    ...(rejected ? ["rejected"] : []),
    ...(withdrawn ? ["withdrawn"] : []),
    ...(askedBack ? ["asked back"] : []),
    ...(askedOn ? ["asked on"] : []),
  ];
  return facts.join(", ") || "nothing";
}
