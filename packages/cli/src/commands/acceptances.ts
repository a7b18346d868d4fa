import type { ListedFinding } from "@countersign/contract";
import { CountersignError } from "@countersign/core";
import type { Command } from "commander";
import { pageSize, pages } from "../listing.ts";
import { plain, print, printJson, table, timeOf } from "../output.ts";
import { sessionOf } from "../session.ts";

interface Common {
  readonly url: string;
  readonly login?: string;
  readonly json?: boolean;
}

const states = ["asked", "accepted", "expired"] as const;

/** `acceptances`: the register of findings that people accept until a date. */
export function addAcceptances(program: Command): void {
  const remote = (command: Command) =>
    command
      .option("--url <url>", "address of the API", process.env.COUNTERSIGN_URL ?? "http://127.0.0.1:8080")
      .option("--login <name>", "account; the password comes from COUNTERSIGN_PASSWORD")
      .option("--json", "print one JSON object");
  const group = program
    .command("acceptances")
    .description("findings of the fleet that people accept until a date: who asked, who confirmed, until when, why");

  remote(group.command("list", { isDefault: true }).description("what waits for a second person, is accepted, or was"))
    .option("--state <state>", `only ${states.join(", ")}`)
    .action((options: Common & { state?: string }) => list(options));

  remote(group.command("ask").description("ask that findings be accepted; they count until a second person confirms"))
    .argument("<finding...>", "numbers, as `countersign findings` lists them")
    .requiredOption("--until <date>", "accepted until then: a day (its beginning, UTC) or a time (RFC 3339, UTC)")
    .requiredOption("--reason <text>", "why that is acceptable so long")
    .action(async (numbers: string[], options: Common & { until: string; reason: string }) => {
      const { client } = await sessionOf(options);
      const body = { findings: ids(numbers), until: timeOf(options.until), reason: options.reason };
      const asked = await client.askAcceptances({ body });
      if (options.json === true) return printJson(asked);
      return print(
        `asked until ${body.until}; a second person of security confirms: countersign acceptances confirm ${asked.acceptances.join(" ")}`,
      );
    });

  remote(group.command("confirm").description("accept as a second person what was asked for (security only)"))
    .argument("<acceptance...>", "numbers, as `countersign acceptances` lists them")
    .action(async (numbers: string[], options: Common) => {
      const { client } = await sessionOf(options);
      const confirmed = await client.confirmAcceptances({ body: { acceptances: ids(numbers) } });
      if (options.json === true) return printJson(confirmed);
      return print(`accepted: ${confirmed.acceptances.join(" ")}`);
    });

  remote(group.command("withdraw").description("take acceptances back: the findings count again at once"))
    .argument("<acceptance...>", "numbers, as `countersign acceptances` lists them")
    .action(async (numbers: string[], options: Common) => {
      const { client } = await sessionOf(options);
      const withdrawn = await client.withdrawAcceptances({ body: { acceptances: ids(numbers) } });
      if (options.json === true) return printJson(withdrawn);
      return print(`taken back: ${withdrawn.acceptances.join(" ")}`);
    });
}

async function list(options: Common & { readonly state?: string }): Promise<void> {
  const wanted = states.filter((state) => options.state === undefined || options.state === state);
  if (wanted.length === 0)
    throw new CountersignError("INPUT_INVALID", `expected --state ${states.join(" | ")}, got ${options.state}`);
  const { client } = await sessionOf(options);
  const items: ListedFinding[] = [];
  for (const state of wanted) {
    const ask = (cursor: string | null) =>
      client.listFindings({ query: { state, limit: pageSize, ...(cursor === null ? {} : { cursor }) } });
    for await (const page of pages(ask)) items.push(...page.items);
  }
  if (options.json === true) return printJson({ items });
  if (items.length === 0) return print("nothing is accepted, and nothing waits for a second person");
  return print(
    table(["number", "state", "until", "finding", "of", "asked by", "confirmed by", "reason"], items.flatMap(line)),
  );
}

function line({ acceptance, code, credential, application, name, objectId, tenant }: ListedFinding): string[][] {
  if (acceptance === null) return [];
  const { id, state, until, askedBy, confirmedBy, reason } = acceptance;
  const of = [application ?? name ?? objectId ?? tenant, credential].filter((part) => part !== null).join(" ");
  return [[String(id), state, until, code, of, askedBy, confirmedBy ?? "", reason ?? "erased"].map(plain)];
}

function ids(numbers: readonly string[]): number[] {
  return numbers.map((text) => {
    if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
    throw new CountersignError("INPUT_INVALID", `expected a number, got ${text}`);
  });
}
