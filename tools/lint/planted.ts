/** A file with one breach in it, and the rule that must report it. */
export interface Plant {
  readonly file: string;
  readonly code: string;
  /** Rule as the tool prints it; `null` = a twin that must pass, so that a rule which shouts always is noticed too. */
  readonly rule: string | null;
}

const imports = "countersign(imports)";
const wallClock = "countersign(wall-clock)";
const globals = "eslint(no-restricted-globals)";
const properties = "eslint(no-restricted-properties)";

/** Breaches for oxlint, each in a tree shaped like ours. */
export const plants: readonly Plant[] = [
  // The tree: imports go down only.
  at("packages/evidence/src/npm.ts", 'import "zod";', imports),
  at("packages/evidence/src/up.ts", 'import type { A } from "@countersign/core";\nexport type B = A;', imports),
  at("packages/evidence/src/fine.ts", 'import { createHash } from "node:crypto";\nexport const h = createHash;', null),
  at("packages/core/src/node.ts", 'import { readFileSync } from "node:fs";\nexport const r = readFileSync;', imports),
  at("packages/core/src/up.ts", 'export * from "@countersign/engine";', imports),
  at("packages/core/src/self.ts", 'export * from "@countersign/core";', imports),
  at("packages/core/src/path.ts", 'export * from "../../evidence/src/index.ts";', imports),
  at("packages/core/src/dynamic.ts", 'export const load = () => import("@countersign/engine");', imports),
  at("packages/core/src/type.ts", 'export type A = import("@countersign/engine").A;', imports),
  at("packages/core/src/tested.ts", 'export * from "../test/helper.ts";', imports),
  at("packages/core/src/outside.ts", 'export * from "../../../tools/docs.ts";', imports),
  at("packages/core/src/deep.ts", 'export * from "@countersign/evidence/src/jcs.ts";', imports),
  at(
    "packages/core/src/fine.ts",
    'import { z } from "zod";\nexport * from "@countersign/evidence";\nexport { z };',
    null,
  ),
  at("packages/contract/src/up.ts", 'export * from "@countersign/server";', imports),
  at("packages/contract/src/node.ts", 'export * from "node:path";', imports),
  at("packages/contract/src/core.ts", 'export { isPattern } from "@countersign/core";', imports),
  at(
    "packages/contract/src/inline.ts",
    'import { type Plan } from "@countersign/core";\nexport type P = Plan;',
    imports,
  ),
  at("packages/contract/src/all.ts", 'export * from "@countersign/core";', imports),
  at("packages/contract/src/lazy.ts", 'export const load = () => import("@countersign/core");', imports),
  at("packages/contract/src/types.ts", 'import type { Plan } from "@countersign/core";\nexport type P = Plan;', null),
  at("packages/connectors/src/entra/engine.ts", 'export * from "@countersign/engine";', imports),
  at("packages/connectors/src/entra/sideways.ts", 'export * from "../keyvault/index.ts";', imports),
  at("packages/connectors/src/entra/fine.ts", 'export * from "../kit/http.ts";\nexport * from "./graph.ts";', null),
  at("packages/engine/src/connectors.ts", 'export * from "@countersign/connectors";', imports),
  at("packages/engine/src/memory.ts", 'export * from "node:inspector";', imports),
  at("packages/server/src/simulator.ts", 'export * from "@countersign/simulator";', imports),
  at("packages/cli/src/simulator.ts", 'export * from "@countersign/simulator";', imports),
  at("packages/console/src/core.ts", 'export * from "@countersign/core";', imports),
  at("packages/console/src/fine.tsx", 'export * from "@countersign/contract";', null),
  at("packages/simulator/src/ours.ts", 'export * from "@countersign/evidence";', imports),
  at("packages/simulator/test/ours.test.ts", 'export * from "@countersign/evidence";', imports),
  at("packages/engine/test/deep.test.ts", 'export * from "@countersign/core/src/x.ts";', imports),
  at(
    "packages/engine/test/fine.test.ts",
    'export * from "@countersign/simulator";\nexport * from "../src/x.ts";',
    null,
  ),
  at("packages/engine/test/kit.test.ts", 'export * from "@countersign/connectors/conformance";', null),
  at("tests/crash/path.ts", 'export * from "../../packages/engine/src/x.ts";', imports),
  at(
    "packages/core/src/cycle-a.ts",
    'import { b } from "./cycle-b.ts";\nexport const a = () => b;',
    "import(no-cycle)",
  ),
  at(
    "packages/core/src/cycle-b.ts",
    'import { a } from "./cycle-a.ts";\nexport const b = () => a;',
    "import(no-cycle)",
  ),

  // Purity: no I/O, clock or chance in core and evidence; what runs in the browser too knows nothing of Node.
  at("packages/core/src/fetch.ts", 'export const f = () => fetch("https://localhost");', globals),
  at("packages/core/src/process.ts", "export const e = () => process.env;", globals),
  at("packages/core/src/performance.ts", "export const p = () => performance.now();", globals),
  at("packages/core/src/timer.ts", "export const t = (f: () => void) => setTimeout(f, 1);", globals),
  at("packages/core/src/random.ts", "export const r = () => Math.random();", properties),
  at("packages/core/src/uuid.ts", "export const u = () => crypto.randomUUID();", globals),
  at("packages/contract/src/fetch.ts", 'export const f = () => fetch("https://localhost");', null),
  at("packages/contract/src/process.ts", "export const e = () => process.env;", globals),
  at("packages/console/src/process.ts", "export const e = () => process.env;", globals),
  at("packages/evidence/src/fetch.ts", 'export const f = () => fetch("https://localhost");', globals),
  at("packages/evidence/src/random.ts", "export const r = () => Math.random();", properties),

  // Domain time comes through the Clock port.
  at("packages/core/src/now.ts", "export const n = () => Date.now();", wallClock),
  at(
    "packages/core/src/temporal.ts",
    'import { Temporal } from "temporal-polyfill";\nTemporal.Now.instant();',
    wallClock,
  ),
  at("packages/evidence/src/now.ts", "export const n = () => new Date();", wallClock),
  at("packages/connectors/src/entra/now.ts", "export const n = () => new Date();", wallClock),
  at("packages/connectors/src/entra/taken.ts", "export const { now } = Date;", wallClock),
  at("packages/engine/src/now.ts", "export const n = () => globalThis.Date.now();", wallClock),
  at("packages/engine/src/called.ts", "export const n = () => Date();", wallClock),
  at("packages/engine/src/passed.ts", "export const n = (at: string) => new Date(Date.parse(at));", null),
  at("packages/engine/src/clock/system.ts", "export const n = () => Date.now();", null),
  at("packages/server/src/now.ts", "export const n = () => Date.now();", wallClock),
  at("packages/cli/src/now.ts", "export const n = () => Date.now();", wallClock),
  at("packages/console/src/now.tsx", "export const n = () => Date.now();", wallClock),

  // Promises and outcomes: rules that need types.
  at(
    "packages/engine/src/floating.ts",
    "const f = async () => {};\nexport const g = () => {\n  f();\n};",
    ts("no-floating-promises"),
  ),
  at(
    "packages/engine/src/misused.ts",
    "const f = async () => true;\nexport const g = () => (f() ? 1 : 2);",
    ts("no-misused-promises"),
  ),
  at(
    "packages/engine/src/await.ts",
    "export const f = async (x: number) => {\n  const y = await x;\n  return y;\n};",
    ts("await-thenable"),
  ),
  at("packages/engine/src/throw.ts", 'export const f = () => {\n  throw "no";\n};', ts("only-throw-error")),
  at(
    "packages/engine/src/reject.ts",
    'export const f = () => Promise.reject("no");',
    ts("prefer-promise-reject-errors"),
  ),
  at(
    "packages/engine/src/return.ts",
    "const f = async () => 1;\nexport const g = async () => {\n  try {\n    return f();\n  } catch {\n    return 2;\n  }\n};",
    ts("return-await"),
  ),
  at(
    "packages/engine/src/switch.ts",
    'export const f = (o: "done" | "failed" | "unknown") => {\n  switch (o) {\n    case "done":\n      return 1;\n    case "failed":\n      return 2;\n  }\n  return 3;\n};',
    ts("switch-exhaustiveness-check"),
  ),
  at("packages/engine/src/any.ts", "export const f = (x: any) => x;", "typescript(no-explicit-any)"),

  // Habits.
  at("packages/engine/src/equal.ts", "export const f = (x: unknown) => x == 1;", "eslint(eqeqeq)"),
  at("packages/engine/src/unused.ts", "const x = 1;\nexport const y = 2;", "eslint(no-unused-vars)"),
  at(
    "packages/engine/src/protocol.ts",
    'import { join } from "path";\nexport const j = join;',
    "unicorn(prefer-node-protocol)",
  ),
  at(
    "packages/engine/test/only.test.ts",
    'import { test } from "vitest";\ntest.only("a", () => {});',
    "vitest(no-focused-tests)",
  ),
  at(
    "packages/engine/test/skip.test.ts",
    'import { test } from "vitest";\ntest.skip("a", () => {});',
    "vitest(no-disabled-tests)",
  ),
];

const undeclared = "lint/correctness/noUndeclaredDependencies";

/** Breaches for Biome. */
export const biomePlants: readonly Plant[] = [
  at("packages/engine/src/undeclared.ts", 'import { z } from "undici";\nexport const x = z;\n', undeclared),
  at("packages/engine/src/dev.ts", 'import fc from "fast-check";\nexport const x = fc;\n', undeclared),
  at("packages/engine/src/declared.ts", 'import { z } from "zod";\nexport const x = z;\n', null),
  at("packages/engine/test/dev.test.ts", 'import fc from "fast-check";\nexport const x = fc;\n', null),
  at("packages/engine/src/format.ts", "export const x = 'single quotes';\n", "format"),
];

function at(file: string, code: string, rule: string | null): Plant {
  return { file, code, rule };
}

function ts(rule: string): string {
  return `typescript(${rule})`;
}
