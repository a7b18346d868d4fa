import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { readScenarioFile, type SimulatorOptions, startSimulator } from "./simulator.ts";

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "0" },
    "management-port": { type: "string", default: "0" },
    seed: { type: "string", default: "1" },
    rate: { type: "string", default: "0" },
    start: { type: "string" },
    scenario: { type: "string" },
    "state-file": { type: "string" },
    knobs: { type: "string" },
    tls: { type: "boolean", default: false },
    "ca-file": { type: "string" },
  },
});

function whole(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new RangeError(`--${name}: expected a whole number, got ${text}`);
  return value;
}

const caFile = values.tls ? (values["ca-file"] ?? join(mkdtempSync(join(tmpdir(), "simulator-")), "ca.pem")) : null;
const stopped = Promise.withResolvers<void>();
const options: SimulatorOptions = {
  port: whole("port", values.port),
  managementPort: whole("management-port", values["management-port"]),
  seed: whole("seed", values.seed),
  rate: Number(values.rate),
  tls: values.tls,
  onStop: () => stopped.resolve(),
  ...(caFile === null ? {} : { caFile }),
  ...(values.start === undefined ? {} : { start: values.start }),
  ...(values.scenario === undefined ? {} : { scenario: readScenarioFile(values.scenario) }),
  ...(values["state-file"] === undefined ? {} : { stateFile: values["state-file"] }),
  ...(values.knobs === undefined
    ? {}
    : { knobs: values.knobs === "off" || values.knobs === "default" ? values.knobs : JSON.parse(values.knobs) }),
};

const simulator = await startSimulator(options);
process.stdout.write(
  `${JSON.stringify({ ready: true, seed: options.seed, tenantId: simulator.tenantId, caFile, urls: simulator.urls, pid: process.pid })}\n`,
);
// More than once: one Ctrl-C may arrive twice, from the terminal and from whoever started us.
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stopped.resolve());
await stopped.promise;
await simulator.close();
process.exit(0);
