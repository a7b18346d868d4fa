import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathOf } from "@countersign/contract";
import { closedStates, type RunState } from "@countersign/core";
import { parseEntry, parseTrust, readBundle, verifyBundle } from "@countersign/evidence";
import { z } from "zod";
import { table } from "../output.ts";
import type { Session } from "../session.ts";
import { askedToEnd } from "../signals.ts";
import { type Demo, startDemo } from "./demo.ts";
import { effectsOf, figuresOf, type RunFigures } from "./figures.ts";
import { approve, asPerson } from "./people.ts";
import { demoApplications } from "./world.ts";

/** One run as the show reports it. */
export interface ShownRun extends RunFigures {
  readonly id: string;
  readonly application: string;
  readonly kind: string;
  readonly state: string;
  readonly bundle: string;
  readonly verdict: string;
  readonly policy: {
    readonly overlapSeconds: number;
    readonly proofTimes: number;
    readonly proofSpacingSeconds: number;
  };
}

export interface HeadlessReport {
  readonly seed: number;
  readonly trust: string;
  readonly runs: readonly ShownRun[];
  readonly control: { readonly failedSignIns: number; readonly orphans: number; readonly orphansWithoutFaults: number };
  readonly problems: readonly string[];
  readonly virtualDays: number;
}

const Control = z.object({ failedSignIns: z.int(), orphans: z.int() });
const Clock = z.object({ now: z.string() });
/** At most so long until everything must have ended, and after it until every consumer has signed in often enough. */
const daysMax = 24;
const signInsMin = 1_000;
const stepHours = 6;

/**
 * Three rotations by themselves: an Entra secret that expires in 13 days, a PostgreSQL role, and one whose consumer
 * fails and that rolls back. Figures come from the simulator's effect log; the same tenant then suffers a naive rotator.
 */
export async function runHeadless(options: {
  readonly seed: number;
  readonly verbose: boolean;
  readonly folder?: string;
  readonly say: (line: string) => void;
}): Promise<{ ok: boolean; report: HeadlessReport; text: string }> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), "countersign-demo-"));
  const demo = await startDemo({
    folder,
    seed: options.seed,
    rate: 0,
    knobs: "default",
    say: options.say,
    verbose: options.verbose,
  });
  void askedToEnd().then(() => demo.stop().finally(() => process.exit(1)));
  try {
    const started = await nowOf(demo);
    const runs = await rotate(demo, options.say);
    const control = await naiveControl(demo);
    const problems = [...runs.flatMap(problemsOf), ...controlProblems(control)];
    const virtualDays = Math.round(((await nowOf(demo)) - started) / 86_400_000);
    const report: HeadlessReport = {
      seed: options.seed,
      trust: join(folder, "state/trust.json"),
      runs,
      control,
      problems,
      virtualDays,
    };
    return { ok: problems.length === 0, report, text: textOf(report) };
  } finally {
    await demo.stop();
  }
}

async function rotate(demo: Demo, say: (line: string) => void): Promise<ShownRun[]> {
  const { failing, postgres } = demoApplications;
  // The partner's vault refuses every write for this consumer, for ever: its run has to roll back.
  await demo.tenant.post("/faults", {
    op: "secret.set",
    kind: "403",
    times: "always",
    match: { vault: "partner", secret: failing },
  });
  const [ada, ben, cleo] = await Promise.all([
    asPerson(demo.url, "ada"),
    asPerson(demo.url, "ben"),
    asPerson(demo.url, "cleo"),
  ]);

  say("waiting for the daily scan to find what expires");
  await cleo.client.requestRun({ body: { row: postgres, reason: "quarterly rotation" } });
  // Ten minutes more: approvals do not come at the very second at which a consumer looks for a new version.
  await advance(demo, 24 * 3_600 + 600);
  const wanted = Object.values(demoApplications);
  const found = (await cleo.client.listRuns({})).items;
  const ids = wanted.map((name) => found.find((run) => run.application === name)?.id);
  for (const id of ids) {
    if (id === undefined) continue;
    say(`approving ${id} as the application's owner and as the platform team`);
    await approve(ada, id, "app-owner");
    await approve(ben, id, "platform");
  }
  const open = new Set(ids.filter((id) => id !== undefined));
  for (let hours = 0; hours < daysMax * 24 && (open.size > 0 || hours < 6 * 24); hours += stepHours) {
    await advance(demo, stepHours * 3_600);
    for (const id of open) {
      const { run } = await cleo.client.getRun({ params: { id } });
      if (closedStates.has(run.state as RunState)) {
        open.delete(id);
        say(`${run.application}: ${run.state}`);
      }
    }
  }
  const effects = await effectsOf(demo.tenant);
  const shown: ShownRun[] = [];
  for (const [index, id] of ids.entries())
    if (id !== undefined) shown.push(await show(demo, cleo, id, wanted[index] ?? "", effects));
  return shown;
}

async function show(
  demo: Demo,
  session: Session,
  id: string,
  name: string,
  effects: Awaited<ReturnType<typeof effectsOf>>,
): Promise<ShownRun> {
  const detail = await session.client.getRun({ params: { id } });
  const plan = z
    .object({
      old: z.object({ id: z.string() }),
      timing: z.object({ overlapSeconds: z.int(), proofTimes: z.int(), proofSpacingSeconds: z.int() }),
    })
    .parse(JSON.parse(detail.plan?.text ?? "{}"));
  const bundle = await downloadBundle(demo, session, id);
  const files = readBundle(bundle);
  const trust = parseTrust(readFileSync(join(demo.folder, "state/trust.json")));
  const report = verifyBundle(files, trust);
  const entries = [...files]
    .filter(([path]) => /^entries\/\d+\.json$/.test(path))
    .map(([, bytes]) => parseEntry(bytes));
  const authorised = entries.find((entry) => entry.type === "run.authorised");
  const figures = await figuresOf(demo.tenant, effects, name, {
    requestedAt: Date.parse(detail.run.requestedAt),
    authorisedAt: authorised === undefined ? null : Date.parse(authorised.at),
    old: plan.old.id,
  });
  return {
    id,
    application: name,
    kind: detail.run.procedure,
    state: detail.run.state,
    ...figures,
    bundle,
    verdict: report.verdict,
    policy: plan.timing,
  };
}

async function downloadBundle(demo: Demo, session: Session, id: string): Promise<string> {
  const folder = join(demo.folder, "bundles");
  mkdirSync(folder, { recursive: true });
  const answer = await fetch(new URL(pathOf("getBundle", { id }), demo.url), {
    headers: { "x-countersign": "1", ...session.headers() },
  });
  if (!answer.ok) throw new Error(`expected a bundle of ${id}, got ${answer.status}`);
  const file = join(folder, `${id}.zip`);
  writeFileSync(file, Buffer.from(await answer.arrayBuffer()));
  return file;
}

/** Moves time event by event (docs/clock-protocol.md), never in one jump over an overlap. */
async function advance(demo: Demo, seconds: number): Promise<void> {
  await demo.tenant.post("/clock/advance", { by: seconds, limitMs: 120_000 });
}

async function nowOf(demo: Demo): Promise<number> {
  return Date.parse(Clock.parse(await demo.tenant.get("/clock")).now);
}

/** The same tenant under a naive rotator, with its faults and without. */
async function naiveControl(demo: Demo): Promise<HeadlessReport["control"]> {
  const faulty = Control.parse(await demo.tenant.post("/control/naive", { knobs: "default" }));
  const calm = Control.parse(await demo.tenant.post("/control/naive", { knobs: "off" }));
  return { ...faulty, orphansWithoutFaults: calm.orphans };
}

function problemsOf(run: ShownRun): string[] {
  const expected = run.application === demoApplications.failing ? "rolled_back" : "completed";
  const rules: readonly (readonly [boolean, string])[] = [
    [run.state === expected, `expected ${expected}, got ${run.state}`],
    [run.signIns >= signInsMin, `expected at least ${signInsMin} sign-ins, got ${run.signIns}`],
    [run.failedSignIns === 0, `expected no failed sign-in, got ${run.failedSignIns}`],
    [run.orphans === 0, `expected no orphan, got ${run.orphans}`],
    [run.effectsWithoutApproval === 0, `expected no effect without approval, got ${run.effectsWithoutApproval}`],
    [
      run.oldKeySignInsDuringOverlap > 0,
      "expected consumers that lag to sign in with the old credential during the overlap, got none",
    ],
    [
      expected !== "completed" || run.consumersOnNewKeyBeforeRetirement === run.consumers,
      `expected ${run.consumers} consumers on the new credential before retirement, got ${run.consumersOnNewKeyBeforeRetirement}`,
    ],
    [run.verdict === "proven", `expected a bundle that proves itself, got ${run.verdict}`],
  ];
  return rules.flatMap(([holds, sentence]) => (holds ? [] : [`${run.application}: ${sentence}`]));
}

function controlProblems(control: HeadlessReport["control"]): string[] {
  return [
    ...(control.failedSignIns > 0 && control.orphans > 0
      ? []
      : ["control: expected the naive rotator to break sign-ins and to leave orphans"]),
    ...(control.orphansWithoutFaults === 0 ? [] : ["control: expected no orphans without faults"]),
  ];
}

function textOf(report: HeadlessReport): string {
  const rows = report.runs.map((run) => [
    run.application,
    run.state,
    String(run.signIns),
    String(run.failedSignIns),
    String(run.orphans),
    String(run.oldKeySignInsDuringOverlap),
    run.verdict,
  ]);
  const control = `naive rotator on the same tenant: ${report.control.failedSignIns} failed sign-ins, ${report.control.orphans} orphans`;
  const problems =
    report.problems.length === 0 ? "everything held" : `NOT everything held:\n${report.problems.join("\n")}`;
  return [
    table(["application", "state", "sign-ins", "failed", "orphans", "old key in overlap", "bundle"], rows),
    control,
    `trust file: ${report.trust}`,
    problems,
  ].join("\n");
}
