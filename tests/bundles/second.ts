import { execFile, spawnSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CHECK_CODES, EvidenceError, parseTrust, readBundle, readZip, verifyBundle } from "@countersign/evidence";

/*
 * A second verifier, written in another language from docs/evidence-format.md alone, must say the same as ours on every
 * bundle, good or bad, and stop at the same check. Where the two disagree, one of them or the document is wrong.
 */

const program = fileURLToPath(new URL("../../tools/verify.py", import.meta.url));
export const hasPython = spawnSync("python3", ["--version"]).status === 0;

interface Report {
  readonly verdict: string;
  readonly run: string | null;
  readonly state: string | null;
  readonly checks: readonly { readonly code: string; readonly result: string; readonly sentence: string }[];
}

/** What the second verifier says, by its exit code and by its JSON. */
export function second(...args: string[]): Promise<{ exit: number; report: Report; errors: string }> {
  return new Promise((resolve, reject) => {
    execFile("python3", [program, ...args, "--json"], (error, stdout, errors) => {
      if (error && typeof error.code !== "number") reject(error);
      else resolve({ exit: Number(error?.code ?? 0), report: JSON.parse(stdout) as Report, errors });
    });
  });
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
  const { exit, report, errors } = await second(path, "--trust", trustFile);
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
    same("checks", report.checks.map((c) => c.code), CHECK_CODES);
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
