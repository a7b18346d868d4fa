import { imports } from "./imports.mjs";
import { wallClock } from "./wall-clock.mjs";

/** Our own rules, for what the built-in ones cannot say. Loaded by .oxlintrc.json; each is proven in planted.test.ts. */
export default {
  meta: { name: "countersign" },
  rules: { imports, "wall-clock": wallClock },
};
