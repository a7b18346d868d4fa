import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Addresses } from "@countersign/simulator";
import { type StageTenant, tenantStart } from "../scenarios/stage.ts";

/** Starts the simulated tenant as a process of its own, so that its work is not counted as ours. */
export function startTenantProcess(): Promise<StageTenant> {
  const main = fileURLToPath(new URL("../../packages/simulator/src/main.ts", import.meta.url));
  const child = spawn(process.execPath, [main, "--seed", "7", "--knobs", "off", "--start", tenantStart], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const close = () =>
    new Promise<void>((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) return resolve();
      child.once("exit", () => resolve());
      child.kill("SIGTERM");
    });
  return new Promise((resolve, reject) => {
    let text = "";
    child.once("exit", (code) => reject(new Error(`expected the tenant to run, it ended with ${code}`)));
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      const end = text.indexOf("\n");
      if (end !== -1) resolve({ urls: (JSON.parse(text.slice(0, end)) as { urls: Addresses }).urls, close });
    });
  });
}
