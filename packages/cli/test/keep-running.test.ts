import { spawn } from "node:child_process";
import { expect, it } from "vitest";
import { keepRunning } from "../src/demo/keep-running.ts";

/** A program that ends with these codes in turn, and after the last one stays. */
async function keep(...codes: number[]) {
  let starts = 0;
  let again = 0;
  const kept = await keepRunning(
    () => {
      const code = codes[starts++];
      const program = code === undefined ? "setInterval(() => {}, 1000)" : `process.exit(${code})`;
      return spawn(process.execPath, ["-e", program], { stdio: "ignore" });
    },
    () => Promise.resolve(),
    () => void (again += 1),
  );
  return { kept, count: () => ({ starts, again }) };
}

it("what ends with 70 is started again, and what ends with anything else is not", async () => {
  const { kept, count } = await keep(70, 70, 1);
  await kept.ended;
  expect(count()).toEqual({ starts: 3, again: 2 });
});

it("what is stopped on purpose is not started again", async () => {
  const { kept, count } = await keep();
  await kept.stop();
  await kept.ended;
  expect(count()).toEqual({ starts: 1, again: 0 });
});
