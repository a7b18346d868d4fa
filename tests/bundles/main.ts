/** `npm run evidence -- --json`: runs the demo, or takes what `--dir` holds of one, and doubts every bundle of it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { problemsOf, showBundles } from "./show.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    dir: { type: "string" },
    seed: { type: "string", default: "1" },
    edits: { type: "string", default: "200" },
  },
});
const say = (line: string) => void process.stderr.write(`${line}\n`);
const [seed, edits] = [Number(values.seed), Number(values.edits)];

/** The demo as its user starts it; what it prints on stdout is its own affair here. */
async function runDemo(folder: string): Promise<void> {
  const main = join(import.meta.dirname, "../../packages/cli/src/main.ts");
  const args = [main, "demo", "--headless", "--seed", String(seed), "--dir", folder];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => child.kill(signal));
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0) throw new Error(`expected the demo to hold, it ended with ${code}`);
}

const fresh = values.dir === undefined ? mkdtempSync(join(tmpdir(), "countersign-evidence-")) : null;
try {
  const folder = fresh ?? resolve(values.dir ?? "");
  if (fresh !== null) await runDemo(fresh);
  const started = performance.now();
  const bundles = await showBundles({ folder, edits, seed, say });
  const problems = problemsOf(bundles, edits);
  const seconds = Math.round((performance.now() - started) / 100) / 10;
  if (values.json) process.stdout.write(`${JSON.stringify({ seed, bundles, problems, seconds })}\n`);
  for (const { run, state, verdict, edits: tried, editsRefused, stranger, second } of bundles)
    say(
      `${run} (${state}): ${verdict}; ${editsRefused} of ${tried} edits refused; under other keys ${stranger.verdict} (${stranger.check}); second verifier asked ${second.asked} times, ${second.differences.length} differences`,
    );
  for (const problem of problems) say(problem);
  process.exitCode = problems.length === 0 ? 0 : 1;
} finally {
  if (fresh !== null) rmSync(fresh, { recursive: true, force: true });
}
