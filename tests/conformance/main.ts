/**
 * Runs the conformance suite of every verb that changes something, each against its double or a real server:
 *
 *     npm run conformance -- [--json]
 *
 * The suites are tests of `packages/connectors`, each in a `describe` whose title begins with the verb's id. A verb that is
 * registered and has no suite is a failure. Exit 0: none failed.
 */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createConnectors } from "@countersign/connectors";
import { CountersignError } from "@countersign/core";
import { z } from "zod";

const root = fileURLToPath(new URL("../../", import.meta.url));
const verbOfTitle = /^[a-z][a-z-]*\.[a-z][a-z-]*@\d+(?=$|,)/;

const Report = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      message: z.string().optional(),
      assertionResults: z.array(
        z.object({
          ancestorTitles: z.array(z.string()),
          title: z.string(),
          status: z.string(),
          failureMessages: z.array(z.string()).nullish(),
        }),
      ),
    }),
  ),
});

interface Failure {
  readonly check: string;
  readonly message: string;
}

/** Verbs of this build that change something outside, by the connector that offers them. */
function registered(): Map<string, string> {
  const { verbs } = createConnectors(
    {
      profile: "test",
      network: { ca: [], proxy: null, loopback: true },
      callDeadlineMs: 1_000,
      tenants: [],
      connections: [],
    },
    {
      clock: { now: () => 0, sleep: () => Promise.resolve() },
      version: "conformance",
      readSecret: () =>
        Promise.reject(new CountersignError("SECRET_REFERENCE_INVALID", "expected no secret to be read here")),
    },
  );
  return new Map(
    [...verbs.values()].filter(({ effect }) => effect === "change").map(({ id, connector }) => [id, connector.id]),
  );
}

async function runSuites(): Promise<z.infer<typeof Report>> {
  const folder = await mkdtemp(join(tmpdir(), "countersign-conformance-"));
  const file = join(folder, "report.json");
  try {
    const vitest = join(root, "node_modules/vitest/vitest.mjs");
    const args = [vitest, "run", "packages/connectors/test", "--reporter=json", `--outputFile=${file}`];
    const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "ignore", "ignore"] });
    await new Promise<void>((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", () => resolve());
    });
    return Report.parse(JSON.parse(await readFile(file, "utf8")));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const { values } = parseArgs({ options: { json: { type: "boolean", default: false } } });
const connectorOf = registered();
const report = await runSuites();

const failures: Failure[] = [];
const checksOf = new Map<string, number>();
for (const { name, message, assertionResults } of report.testResults) {
  if (assertionResults.length === 0)
    failures.push({ check: name.slice(root.length), message: message ?? "did not run" });
  for (const { ancestorTitles, title, status, failureMessages } of assertionResults) {
    const verb = verbOfTitle.exec(ancestorTitles[0] ?? "")?.[0];
    if (verb === undefined) continue;
    checksOf.set(verb, (checksOf.get(verb) ?? 0) + 1);
    if (status !== "passed")
      failures.push({ check: `${ancestorTitles.join(", ")}: ${title}`, message: failureMessages?.[0] ?? status });
  }
}
for (const verb of connectorOf.keys())
  if (!checksOf.has(verb))
    failures.push({ check: verb, message: "expected a conformance suite for this verb, got none" });

const connectors = [...new Set(connectorOf.values())].sort();
const checks = [...checksOf.values()].reduce((sum, count) => sum + count, 0);
if (values.json) process.stdout.write(`${JSON.stringify({ connectors, checks, failures })}\n`);
else {
  for (const [verb, count] of [...checksOf].toSorted(([a], [b]) => (a < b ? -1 : 1)))
    process.stderr.write(`${String(count).padStart(4)} checks  ${verb}\n`);
  for (const { check, message } of failures) process.stderr.write(`FAILED ${check}\n  ${message.split("\n")[0]}\n`);
  process.stderr.write(`${connectors.length} connectors, ${checks} checks, ${failures.length} failures\n`);
}
process.exitCode = failures.length === 0 ? 0 : 1;
