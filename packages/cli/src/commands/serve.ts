import { existsSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { fileURLToPath } from "node:url";
import { type Role, roles, startProduct } from "@countersign/server";
import { type Command, Option } from "commander";
import { exit, say } from "../output.ts";
import { askedToEnd } from "../signals.ts";

/** How long a process whose start failed may take to end. */
const endMsMax = 5_000;

/** Where `npm start` and the shipped package put the built console. */
export function consoleFolder(): string | null {
  const folder = fileURLToPath(new URL("../../../console/dist/", import.meta.url));
  return existsSync(folder) ? folder : null;
}

/** `countersign serve`: one role, or all in one process. */
export function addServe(program: Command): void {
  program
    .command("serve")
    .description("run one role of the product, or all of them in one process")
    .option("--config <file>", "configuration", "countersign.yaml")
    .addOption(new Option("--role <role>", "what this process does").choices(roles).default("all"))
    .addOption(new Option("--pause-url <url>", "crash tests only").hideHelp())
    .action(async (options: { config: string; role: Role; pauseUrl?: string }) => {
      // No memory image of a process that may hold secret values (I7).
      process.setUncaughtExceptionCaptureCallback((error) => {
        say(`stopped: ${error.name}`);
        process.exit(exit.startAgain);
      });
      // Listened for before anything says that we are ready: whoever hears that may end us at once.
      const ended = askedToEnd();
      const running = await startProduct({
        configPath: options.config,
        role: options.role,
        consoleDir: consoleFolder(),
        pauseUrl: options.pauseUrl ?? null,
        fenced(because) {
          say(`stopped: ${because}`);
          process.exit(exit.startAgain);
        },
      }).catch((error: unknown) => {
        // Whatever may still hold on: who starts us again must learn that we did not come up.
        setTimeout(() => process.exit(), endMsMax).unref();
        throw error;
      });
      if (running.url !== null) say(`ready at ${running.url}`);
      // Node keeps compiled code (NODE_COMPILE_CACHE) when a process ends by itself; the next start needs it also after a kill.
      flushCompileCache();
      await ended;
      await running.stop();
      process.exit(0);
    });
}
