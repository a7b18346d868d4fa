import { type ChildProcessWithoutNullStreams, execFile, spawn, spawnSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { TestContext } from "vitest";
import { CHECK_CODES, POPULATION_CHECK_CODES, EvidenceError, parseTrust, readBundle, readZip, verifyBundle } from "@countersign/evidence";

/*
 * A second verifier, written in another language from docs/evidence-format.md alone, must say the same as ours on every
 * bundle, good or bad, and stop at the same check. Where the two disagree, one of them or the document is wrong.
 */

const program = fileURLToPath(new URL("../../tools/verify.py", import.meta.url));
export const hasPython = spawnSync("python3", ["--version"]).status === 0;
const noPython = "the second verifier needs python3, and there is none on the path";

/** For `beforeEach` of tests that ask both verifiers: without Python they are not run, and say so. */
export function needsPython({ skip }: TestContext): void {
  skip(!hasPython, noPython);
}

interface Report {
  readonly verdict: string;
  readonly run: string | null;
  readonly state: string | null;
  readonly checks: readonly { readonly code: string; readonly result: string; readonly sentence: string }[];
}

/** What the second verifier says, by its exit code and by its JSON. */
interface Said {
  readonly exit: number;
  readonly report: Report;
  readonly errors: string;
}

/** The second verifier as an auditor starts it: a process for one bundle. */
export function second(...args: string[]): Promise<Said> {
  return new Promise((resolve, reject) => {
    execFile("python3", [program, ...args, "--json"], (error, stdout, errors) => {
      if (error && typeof error.code !== "number") reject(error);
      else resolve({ exit: Number(error?.code ?? 0), report: reportOf(stdout), errors });
    });
  });
}

/** What it printed; where there was no bundle it has no verdict. */
function reportOf(out: string): Report {
  return out === "" ? { verdict: "none", run: null, state: null, checks: [] } : (JSON.parse(out) as Report);
}

interface Answer {
  readonly exit: number;
  readonly out: string;
  readonly errors: string;
}

/** A process that answers for many bundles, one after the other; it ends with this one, when its stdin does. */
class Interpreter {
  /** Calls under way: the first of them is answered next. */
  readonly #waiting: { resolve: (answer: Answer) => void; reject: (error: Error) => void }[] = [];
  readonly #child: ChildProcessWithoutNullStreams;

  constructor() {
    const child = spawn("python3", [fileURLToPath(new URL("many.py", import.meta.url))]);
    this.#child = child;
    let errors = "";
    child.stderr.on("data", (bytes) => {
      errors += String(bytes);
    });
    child.once("close", (code) => {
      for (const { reject } of this.#waiting.splice(0))
        reject(new Error(`expected the second verifier to go on, it ended with ${code}: ${errors}`));
    });
    createInterface({ input: child.stdout }).on("line", (line) => {
      this.#waiting.shift()?.resolve(JSON.parse(line) as Answer);
      this.#hold();
    });
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  ask(args: readonly string[]): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#hold();
      this.#child.stdin.write(`${JSON.stringify(args)}\n`);
    });
  }

  /** Keeps this process alive while an answer is waited for, and no longer. */
  #hold(): void {
    const { stdin, stdout, stderr } = this.#child;
    for (const held of [this.#child, ...([stdin, stdout, stderr] as unknown as { ref(): void; unref(): void }[])])
      if (this.#waiting.length > 0) held.ref();
      else held.unref();
  }
}

/** As many as the machines have cores that this must end in time on. */
const interpretersMax = 2;
const interpreters: Interpreter[] = [];

/** The same call as {@link second}, of an interpreter that has read the program already. */
export async function secondOfMany(...args: string[]): Promise<Said> {
  let free = interpreters.find(({ waiting }) => waiting === 0);
  if (free === undefined && interpreters.length < interpretersMax) {
    free = new Interpreter();
    interpreters.push(free);
  }
  free ??= interpreters.reduce((least, other) => (other.waiting < least.waiting ? other : least));
  const { exit, out, errors } = await free.ask([...args, "--json"]);
  return { exit, report: reportOf(out), errors };
}

const exits: Record<string, number> = { proven: 0, refused: 1, "no-trust": 3 };

/** What both verifiers say about one path, and every way in which they do not agree. */
export interface Compared {
  readonly verdict: string;
  /** The check that refused. */
  readonly code: string | null;
  readonly differences: readonly string[];
}

/** Both verifiers on one path. */
export async function compare(path: string, trustFile: string): Promise<Compared> {
  const ours = first(path, trustFile);
  const { exit, report, errors } = await secondOfMany(path, "--trust", trustFile);
  const last = report.checks.at(-1);
  const code = report.verdict === "refused" ? (last?.code ?? null) : null;
  const differences: string[] = [];
  const same = (what: string, theirs: unknown, wanted: unknown) => {
    if (JSON.stringify(theirs) !== JSON.stringify(wanted))
      differences.push(`${what}: expected ${JSON.stringify(wanted)}, got ${JSON.stringify(theirs)} (${last?.sentence})`);
  };
  same("verdict", report.verdict, ours.verdict);
  same("exit code", exit, exits[ours.verdict]);
  same("errors", errors, "");
  if (last?.sentence.includes("cannot be checked") === true) differences.push(last.sentence);
  if (report.verdict === "proven") {
    same("run", { run: report.run, state: report.state }, { run: ours.run, state: ours.state });
    same("checks", report.checks.map((c) => c.code), ours.run === null ? POPULATION_CHECK_CODES : CHECK_CODES);
  }
  // Ours refuses a folder or zip that it cannot read before there are any checks.
  if (ours.code !== "unread") same("check", code, ours.code);
  return { verdict: report.verdict, code, differences };
}

function first(path: string, trustFile: string) {
  try {
    const files = statSync(path).isDirectory() ? readBundle(path) : readZip(readFileSync(path));
    const { verdict, run, state, checks } = verifyBundle(files, parseTrust(readFileSync(trustFile)));
    return { verdict, run, state, code: verdict === "refused" ? (checks.at(-1)?.code ?? null) : null };
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return { verdict: "refused", run: null, state: null, code: "unread" };
  }
}
