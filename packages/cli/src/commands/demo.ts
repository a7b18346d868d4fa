import { join, resolve } from "node:path";
import type { Command } from "commander";
import { startDemo } from "../demo/demo.ts";
import { runHeadless } from "../demo/headless.ts";
import { followRoom } from "../demo/room.ts";
import { demoPassword, demoPeople, demoRoom } from "../demo/world.ts";
import { exit, print, printJson, say } from "../output.ts";
import { askedToEnd } from "../signals.ts";

interface Options {
  readonly headless?: boolean;
  readonly json?: boolean;
  readonly seed: string;
  readonly dir?: string;
  readonly rate: string;
  readonly verbose?: boolean;
}

/** `countersign demo`: a whole installation on this machine, with a simulated tenant. */
export function addDemo(program: Command): void {
  program
    .command("demo")
    .description("run everything on this machine against a simulated tenant")
    .option("--headless", "no page: run three rotations by themselves and prove what happened")
    .option("--json", "with --headless: print one JSON object on stdout")
    .option("--seed <n>", "names, order and faults of the simulated tenant", "1")
    .option("--dir <folder>", "where the demo is kept (default: .state/demo, headless: a fresh folder)")
    .option("--rate <n>", "virtual seconds per real second (interactive demo)", "60")
    .option("--verbose", "show the product's log")
    .option("--dev", "the same as --verbose")
    .action(async (options: Options & { dev?: boolean }) => {
      const verbose = options.verbose === true || options.dev === true;
      process.exitCode =
        options.headless === true ? await headless(options, verbose) : await interactive(options, verbose);
    });
}

async function headless(options: Options, verbose: boolean): Promise<number> {
  const result = await runHeadless({
    seed: Number(options.seed),
    verbose,
    say,
    ...(options.dir === undefined ? {} : { folder: resolve(options.dir) }),
  });
  if (options.json === true) printJson(result.report);
  else print(result.text);
  return result.ok ? exit.ok : exit.failed;
}

async function interactive(options: Options, verbose: boolean): Promise<number> {
  const folder = resolve(options.dir ?? join(".state", "demo"));
  // Listened for before anything starts: an early Ctrl-C must not leave half of it running.
  const asked = askedToEnd();
  const demo = await startDemo({
    folder,
    seed: Number(options.seed),
    rate: Number(options.rate),
    knobs: "default",
    say,
    verbose,
  });
  say(`
  Countersign demo: ${demo.url}
  Everything here is simulated on this machine: tenant, clock (${options.rate} virtual seconds per second) and people.
  Sign in as one of (password ${demoPassword}):
${demoPeople.map(({ login, name, roles }) => `    ${login.padEnd(6)} ${name}, ${roles.join(", ")}`).join("\n")}
  What is told to people appears below as it arrives in the chat room #${demoRoom}; a run's page shows it under Told.
  Try: sign in as cleo, ask for the rotation of billing-api; approve as ada and as ben; advance the clock; watch it finish.
  Trust file for \`countersign verify\`: ${join(folder, "state", "trust.json")}
  Ctrl-C stops everything; what is under way goes on at the next start.
`);
  const ended = new AbortController();
  const following = followRoom(demo.tenant, demoRoom, say, ended.signal).catch(() => {});
  const code = await Promise.race([asked.then(() => exit.ok), demo.ended.then(() => exit.failed)]);
  if (code === exit.failed) say(`the product ended by itself; its log is ${join(folder, "product.log")}`);
  ended.abort();
  await following;
  await demo.stop();
  return code;
}
