import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import type { Effect } from "../effects/log.ts";
import type { SignIn, Tenant } from "./model.ts";

const DEBOUNCE_MS = 200;

/** What the state file holds; effects and sign-ins are in `<file>.log`, one a line, since they only grow. */
export interface SavedState {
  v: 1;
  seed: number;
  /** How often this tenant was started: fresh randomness for each. */
  starts: number;
  nowMs: number;
  keyPem: string;
  ports: { tenant: number; management: number };
  tenant: Omit<Tenant, "signIns">;
}

/** A state as read back. */
export interface RestoredState extends SavedState {
  signIns: SignIn[];
  effects: Effect[];
}

/** Reads a state file; null if there is none. Throws on one that is not ours or was cut off by hand. */
export function readState(path: string): RestoredState | null {
  if (!existsSync(path)) return null;
  const saved = JSON.parse(readFileSync(path, "utf8")) as SavedState;
  if (saved.v !== 1) throw new RangeError(`${path}: expected a state of version 1, got ${JSON.stringify(saved.v)}`);
  const signIns: SignIn[] = [];
  const effects: Effect[] = [];
  for (const line of readJournal(`${path}.log`)) {
    if ("signIn" in line) signIns.push(line.signIn);
    else effects.push(line.effect);
  }
  return { ...saved, signIns, effects };
}

type JournalLine = { signIn: SignIn } | { effect: Effect };

/** A last line that a crash cut off is left out. */
function readJournal(path: string): JournalLine[] {
  if (!existsSync(path)) return [];
  const text = readFileSync(path, "utf8");
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  return whole
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as JournalLine);
}

/** Keeps the state file up to date: `flush` at once, `touch` within 200 ms. */
export class StateFile {
  readonly #path: string;
  readonly #snapshot: () => SavedState;
  readonly #lists: { signIns: readonly SignIn[]; effects: readonly Effect[] };
  #written: { signIns: number; effects: number };
  #timer: NodeJS.Timeout | null = null;

  constructor(
    path: string,
    snapshot: () => SavedState,
    lists: { signIns: readonly SignIn[]; effects: readonly Effect[] },
  ) {
    this.#path = path;
    this.#snapshot = snapshot;
    this.#lists = lists;
    this.#written = { signIns: lists.signIns.length, effects: lists.effects.length };
  }

  touch(): void {
    this.#timer ??= setTimeout(() => this.flush(), DEBOUNCE_MS);
  }

  /** Journal first, then the state by rename: a crash in between leaves a journal that knows more, never less. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const lines: JournalLine[] = [
      ...this.#lists.signIns.slice(this.#written.signIns).map((signIn) => ({ signIn })),
      ...this.#lists.effects.slice(this.#written.effects).map((effect) => ({ effect })),
    ];
    this.#written = { signIns: this.#lists.signIns.length, effects: this.#lists.effects.length };
    if (lines.length > 0) {
      appendFileSync(`${this.#path}.log`, `${lines.map((line) => JSON.stringify(line)).join("\n")}\n`, { mode: 0o600 });
    }
    const next = `${this.#path}.next`;
    writeFileSync(next, JSON.stringify(this.#snapshot()), { mode: 0o600 });
    renameSync(next, this.#path);
  }
}
