import { onTestFailed } from "vitest";
import type { Stage } from "./stage.ts";

/** Shows what the product logged when the test at hand fails. */
export function tellOnFailure(stage: Stage): void {
  onTestFailed(() => console.error(stage.said.slice(-60).join("\n")));
}
