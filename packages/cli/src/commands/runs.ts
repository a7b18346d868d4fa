import { writeFileSync } from "node:fs";
import { type Answer, pathOf, problemIn, type Status } from "@countersign/contract";
import { CountersignError, type ErrorCode, errorCodes } from "@countersign/core";
import type { Command } from "commander";
import { plain, print, printJson, table } from "../output.ts";
import { sessionOf } from "../session.ts";
import { type ChangesOptions, runChanges, runExplain } from "./changes.ts";
import { type CloseOptions, runClose } from "./close.ts";
import { type FindingsOptions, runFindings } from "./findings.ts";
import { runSurvey, type SurveyOptions } from "./survey.ts";

interface Common {
  readonly url: string;
  readonly login?: string;
  readonly json?: boolean;
}

/** The compromise clock and the break-glass use of a run, where it has them. */
function urgentLines({ compromise, breakGlass }: Answer<"getRun">): string[] {
  const lines: string[] = [];
  if (compromise !== null) {
    const { leftBehind, tokenBound } = compromise;
    lines.push(
      table(
        ["compromise clock", "at"],
        [
          ["reported", compromise.reportedAt],
          ["authorised", compromise.authorisedAt ?? "not yet"],
          ["new one live", compromise.newLiveAt ?? "not yet"],
          ["old one dead", compromise.oldDeadAt ?? "not yet"],
          ["shown refused", compromise.shownDeadAt ?? "not yet"],
          [`last token dead (at most ${tokenBound.seconds / 60} min later)`, compromise.lastTokenDeadAt ?? "not yet"],
          ["all consumers well", compromise.restoredAt ?? "not yet"],
        ],
      ),
    );
    if (leftBehind.length > 0) lines.push(`left behind, and failing until written: ${leftBehind.join(", ")}`);
  }
  const use = breakGlass?.use ?? null;
  if (use !== null) {
    const { granted, confirmed, confirmUntil, reviews, reviewUntil } = use;
    lines.push(`BREAK-GLASS: ${granted.person} as ${granted.role} started this run alone at ${granted.at}`);
    lines.push(
      confirmed === null
        ? `  not confirmed; until ${confirmUntil}`
        : `  confirmed by ${confirmed.person} at ${confirmed.at}`,
    );
    for (const { person, at, result } of reviews) lines.push(`  ${result} in review by ${person} at ${at}`);
    if (!reviews.some(({ result }) => result === "accepted"))
      lines.push(`  no review has accepted it (due ${reviewUntil}): nothing begins by itself for this application`);
  }
  return lines;
}

/** Why a run stands where it stands: what stopped it, the findings that block it, whose word is missing. */
function becauseLines({ run, findings, approvals }: Answer<"getRun">): string[] {
  const lines: string[] = [];
  if (run.because !== null) {
    const { code, ...rest } = run.because;
    const facts = Object.entries(rest).map(([name, value]) => ` ${name} ${String(value)}`);
    lines.push(plain(`because ${code}${facts.join("")}`));
    if (code in errorCodes) lines.push(`  ${errorCodes[code as ErrorCode]}`);
  }
  for (const { code, sentence, observed, required } of findings.filter(({ result }) => result === "block"))
    lines.push(plain(`${code}: ${sentence} Required: ${String(required)}; observed: ${String(observed)}`));
  for (const { role, count } of approvals.missing) lines.push(`missing: ${count} of ${role}`);
  return lines;
}

/** A plan does not stand yet: first the world is read, and what it shows may block the run. */
const filedLine = (run: string, url: string) =>
  `filed ${run}; the executor reads the world and makes a plan, which people approve at ${url}/runs/${run}`;

/** What keeps the ledger from being up to date, a line each. */
function scanTrouble({ lateScans, failedScans }: Pick<Status, "lateScans" | "failedScans">): string[] {
  return [
    ...lateScans.map((tenant) => `${tenant} has not been listed as a whole for more than 26 hours`),
    ...failedScans.map(({ at, code, sentence }) =>
      plain(`${at} ${sentence} ${code in errorCodes ? errorCodes[code as ErrorCode] : ""}`),
    ),
  ];
}

/** Commands that talk to the API as a signed-in person. Approving is not among them: it happens in the browser. */
export function addRuns(program: Command): void {
  const command = (name: string, description: string) =>
    program
      .command(name)
      .description(description)
      .option("--url <url>", "address of the API", process.env.COUNTERSIGN_URL ?? "http://127.0.0.1:8080")
      .option("--login <name>", "account; the password comes from COUNTERSIGN_PASSWORD")
      .option("--json", "print one JSON object");

  command("status", "state of the installation").action(async (options: Common) => {
    const { client } = await sessionOf(options);
    const status = await client.getStatus({});
    if (options.json === true) return printJson(status);
    print(
      `${status.installation.profile}, clock ${status.installation.clock}, separation ${status.installation.separation}; now ${status.now}`,
    );
    print(
      table(
        ["applications", "expiring", "waiting for you", "running", "held"],
        [
          [
            status.counts.applications,
            status.counts.expiring,
            status.counts.waitingForYou,
            status.counts.running,
            status.counts.held,
          ].map(String),
        ],
      ),
    );
    for (const line of scanTrouble(status)) print(line);
  });

  command(
    "scan",
    "ask the product to scan now; with --tenant-id: look at a tenant with a reader alone, before anything is set up",
  )
    .option("--tenant-id <id>", "tenant to look at; the options below belong to it")
    .option("--client-id <id>", "reader application: Application.Read.All, and AuditLog.Read.All for last use")
    .option("--client-secret <reference>", "its secret: file:PATH or env:NAME", "env:COUNTERSIGN_READER_SECRET")
    .option("--authority <url>", "where tokens come from", "https://login.microsoftonline.com")
    .option("--graph <url>", "where the directory is", "https://graph.microsoft.com")
    .option("--graph-audience <url>", "what its tokens are asked for; left out: the origin of --graph")
    .option("--ca <file>", "private certificate authority, PEM")
    .option("--days <n>", "what expires within so many days", "30")
    .option("--quiet-days <n>", "what nobody has used for so many days", "90")
    .option("--lifetime-days <n>", "what lives longer than so many days", "180")
    .option("--csv", "print every row of the survey")
    .action(async (options: Common & Partial<SurveyOptions>) => {
      if (options.tenantId !== undefined) {
        if (options.clientId === undefined)
          throw new CountersignError("INPUT_INVALID", "expected --client-id beside --tenant-id, got none");
        process.exitCode = await runSurvey(options as SurveyOptions);
        return;
      }
      const { client } = await sessionOf(options);
      const answer = await client.scan({ body: {} });
      if (options.json === true) return printJson(answer);
      for (const line of scanTrouble(await client.getStatus({}))) print(line);
      print("the scanner was asked; what is due becomes runs: see `countersign runs`");
    });

  command("request", "ask for the rotation of one application")
    .argument("<application>", "name in the inventory")
    .requiredOption("--reason <text>", "why now")
    .option(
      "--replace <credential>",
      "a client secret that somebody made by hand, by its id: it is replaced and removed, and no other",
    )
    .action(async (row: string, options: Common & { reason: string; replace?: string }) => {
      const { client } = await sessionOf(options);
      const { reason, replace } = options;
      const named = replace === undefined ? {} : { replace: replace.toLowerCase() };
      const filed = await client.requestRun({ body: { row, reason, ...named } });
      if (options.json === true) printJson(filed);
      else print(filedLine(filed.run, options.url));
    });

  command("findings", "what the ledger shows that somebody should know of, in the inventory or not")
    .option("--code <code>", "only this one (docs/findings.md)")
    .option("--tenant <name>", "only of this tenant")
    .option("--search <text>", "part of a name, or a whole id")
    .option("--cleared", "what was so once and is not any more")
    .option("--csv", "print every row as CSV")
    .action((options: FindingsOptions) => runFindings(options));

  command("changes", "changes of credentials in the directories' own audit logs, and whose doing each was")
    .option("--application <name>", "only of this row of the inventory")
    .option("--tenant <name>", "only of this tenant")
    .option("--verdict <verdict>", "ours, break-glass, out-of-band or unknown")
    .option("--since <time>", "only from this day or time on (UTC)")
    .option("--standing", "only what waits for an explanation")
    .option("--csv", "all of them as CSV on stdout")
    .action((options: ChangesOptions) => runChanges(options));

  command("explain", "say what a change of a credential was that no run had done")
    .argument("<credential>", "id of the credential")
    .requiredOption("--reason <text>", "what it was; kept with the evidence")
    .option("--act <act>", "added or removed, where both wait")
    .option("--entry <id>", "the directory's entry, where it changed more than once")
    .action((credential: string, options: Parameters<typeof runExplain>[1]) => runExplain(credential, options));

  command("credentials", "live credentials of one application, by id; no value is ever shown")
    .argument("<application>", "name in the inventory")
    .action(async (application: string, options: Common) => {
      const { client } = await sessionOf(options);
      const page = await client.listCredentials({ query: { application } });
      if (options.json === true) return printJson(page);
      return print(
        table(
          ["credential", "kind", "ledger", "expires"],
          page.items.map(({ id, kind, state, expiresAt }) => [id, kind, state, expiresAt ?? "never"]),
        ),
      );
    });

  command("compromise", "report that somebody else may hold a credential: after approval it goes without overlap")
    .argument("<application>", "name in the inventory")
    .argument("<credential>", "its id, as `countersign credentials` lists it")
    .requiredOption("--reason <text>", "why that is believed")
    .option("--reported-at <time>", "since when it is known (RFC 3339, UTC); now if left out")
    .action(async (row: string, credential: string, options: Common & { reason: string; reportedAt?: string }) => {
      const { client } = await sessionOf(options);
      const { reason, reportedAt } = options;
      const when = reportedAt === undefined ? {} : { reportedAt };
      const filed = await client.requestRun({ body: { row, reason, trigger: "compromise", credential, ...when } });
      if (options.json === true) printJson(filed);
      else print(filedLine(filed.run, options.url));
    });

  command("runs", "list runs").action(async (options: Common) => {
    const { client } = await sessionOf(options);
    const page = await client.listRuns({});
    if (options.json === true) return printJson(page);
    if (page.items.length === 0) return print("no runs yet; `countersign scan` looks for what is due");
    print(
      table(
        ["run", "application", "state", "requested"],
        page.items.map((run) => [run.id, run.application, run.state, run.requestedAt]),
      ),
    );
  });

  command("run", "show one run")
    .argument("<run>", "id")
    .action(async (id: string, options: Common) => {
      const { client } = await sessionOf(options);
      const detail = await client.getRun({ params: { id } });
      if (options.json === true) return printJson(detail);
      print(`${detail.run.id}  ${detail.run.application}  ${detail.run.state}`);
      for (const line of becauseLines(detail)) print(line);
      for (const line of urgentLines(detail)) print(line);
      print(
        table(
          ["step", "state", "does"],
          detail.steps.map((step) => [step.id, step.state, step.describe]),
        ),
      );
      for (const { step, direction, checklist } of detail.hand.filter(({ confirmed }) => confirmed === null)) {
        print(`${step} waits for an owner${direction === "undo" ? " to put back" : ""}:`);
        for (const line of checklist) print(`  - ${line}`);
        print(`  then: countersign confirm ${detail.run.id} ${step}`);
      }
    });

  command("approve", "print the address of a run's page; approving happens there")
    .argument("<run>", "id")
    .action((id: string, options: Common) => {
      const page = `${options.url}/runs/${id}`;
      if (options.json === true) printJson({ run: id, page });
      else print(page);
    });

  command("confirm", "say as an owner that a step by hand was done, or put back; can be taken back until retirement")
    .argument("<run>", "id")
    .argument("<step>", "id of the step, as `countersign run` lists it")
    .option("--withdraw", "it was not done after all")
    .action(async (id: string, step: string, options: Common & { withdraw?: boolean }) => {
      const { client } = await sessionOf(options);
      const { hand } = await client.getRun({ params: { id } });
      const waits = hand.find((candidate) => candidate.step === step);
      if (waits === undefined)
        throw new CountersignError("STATE_CONFLICT", `expected a step that is done by hand, got ${step}`);
      const confirmation = options.withdraw === true ? "withdrawn" : "given";
      const { direction } = waits;
      const answer = await client.confirmStep({ params: { id }, body: { step, direction, confirmation } });
      if (options.json === true) return printJson({ ...answer, step, direction, confirmation });
      const what = direction === "undo" ? "put back" : "done";
      return print(`${step}: ${confirmation === "given" ? `confirmed as ${what}` : `no longer confirmed as ${what}`}`);
    });

  command("close", "what a run on hold would leave outside; two people may close it as it stands")
    .argument("<run>", "id")
    .option("--reason <text>", "ask for it, with why; whoever is of security confirms")
    .option("--confirm <digest>", "confirm as a second person of security: the digest of the list that was shown")
    .action((id: string, options: CloseOptions) => runClose(id, options));

  command("bundle", "download the evidence bundle of a run")
    .argument("<run>", "id")
    .option("--out <file>", "where the zip goes (<run>.zip)")
    .action(async (id: string, { out = `${id}.zip`, ...options }: Common & { out?: string }) => {
      const session = await sessionOf(options);
      const answer = await fetch(new URL(pathOf("getBundle", { id }), options.url), {
        headers: { "x-countersign": "1", ...session.headers() },
      });
      if (!answer.ok) throw await problemIn(answer);
      const bytes = Buffer.from(await answer.arrayBuffer());
      writeFileSync(out, bytes);
      if (options.json === true) printJson({ run: id, file: out, bytes: bytes.length });
      else print(`wrote ${out}; prove it with: countersign verify ${out} --trust trust.json`);
    });

  command("freeze", "kill switch: no new effects anywhere; rollback stays possible")
    .requiredOption("--all", "everything")
    .action(async (options: Common) => {
      const { client } = await sessionOf(options);
      const frozen = await client.freeze({ body: {} });
      if (options.json === true) printJson(frozen);
      else print(`frozen since ${frozen.since}; security lifts it: countersign unfreeze`);
    });

  command("unfreeze", "lift the kill switch (security only); what waits is judged anew").action(
    async (options: Common) => {
      const { client } = await sessionOf(options);
      await client.liftFreeze({});
      if (options.json === true) printJson({ since: null });
      else print("lifted; runs that waited go on within a minute");
    },
  );
}
