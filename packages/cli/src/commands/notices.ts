import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "@countersign/contract";
import { CountersignError } from "@countersign/core";
import type { Command } from "commander";
import { print, printJson, table } from "../output.ts";
import { sessionOf } from "../session.ts";

interface Common {
  readonly url: string;
  readonly login?: string;
  readonly json?: boolean;
}

const testDeadlineMs = 60_000;

/** `notices`, `notices channels`, `notices test`: who was told, and whether it arrived. */
export function addNotices(program: Command): void {
  const remote = (command: Command) =>
    command
      .option("--url <url>", "address of the API", process.env.COUNTERSIGN_URL ?? "http://127.0.0.1:8080")
      .option("--login <name>", "account; the password comes from COUNTERSIGN_PASSWORD")
      .option("--json", "print one JSON object");
  const notices = program.command("notices").description("who was told what over which channel");

  remote(notices.command("list", { isDefault: true }).description("notices and whether they arrived, the newest first"))
    .option("--run <id>", "only about one run")
    .option("--channel <name>", "only over one channel")
    .option("--undelivered", "only what waits or was given up")
    .action(async (options: Common & { run?: string; channel?: string; undelivered?: boolean }) => {
      const { client } = await sessionOf(options);
      const { run, channel } = options;
      const page = await client.listNotices({
        query: {
          ...(run === undefined ? {} : { run }),
          ...(channel === undefined ? {} : { channel }),
          ...(options.undelivered === true ? { undelivered: "true" as const } : {}),
        },
      });
      if (options.json === true) return printJson(page);
      if (page.items.length === 0) return print("nobody was told of anything yet");
      return print(
        table(
          ["at", "what", "channel", "state", "attempts", "ticket"],
          page.items.map(({ at, kind, channel: over, state, code, attempts, ticket }) => [
            at,
            kind,
            over,
            code === null ? state : `${state}: ${code}`,
            String(attempts),
            ticket?.key ?? "",
          ]),
        ),
      );
    });

  remote(notices.command("channels").description("the channels of this installation and how they fare")).action(
    async (options: Common) => {
      const { client } = await sessionOf(options);
      const page = await client.listChannels({});
      if (options.json === true) return printJson(page);
      if (page.items.length === 0) return print("no channel is configured: what happens stands in the log only");
      return print(
        table(
          ["channel", "kind", "state", "last sent", "last failure"],
          page.items.map(({ name, kind, state, lastSentAt, lastFailedAt, lastCode }) => [
            name,
            kind,
            state,
            lastSentAt ?? "never",
            lastFailedAt === null ? "" : `${lastFailedAt} ${lastCode ?? ""}`,
          ]),
        ),
      );
    },
  );

  remote(notices.command("test").description("send a test message over one channel and say whether it arrived"))
    .argument("<channel>", "name in the configuration")
    .action(async (channel: string, options: Common) => {
      const { client } = await sessionOf(options);
      const { at } = await client.testChannel({ params: { name: channel }, body: {} });
      const tried = await untilTried(client, channel, at);
      if (options.json === true)
        printJson({ channel, sent: tried.state === "sent", code: tried.code, status: tried.status });
      else
        print(
          tried.state === "sent" ? `${channel}: arrived` : `${channel}: did not arrive (${tried.code ?? "unknown"})`,
        );
      if (tried.state !== "sent")
        throw new CountersignError("OUTSIDE_UNAVAILABLE", `expected the test to arrive over ${channel}, it did not`);
    });
}

/** The delivery of the test that was asked for at this time, once an attempt was made. */
async function untilTried(client: Client, channel: string, at: string) {
  const until = performance.now() + testDeadlineMs;
  for (;;) {
    const { items } = await client.listNotices({ query: { channel } });
    const test = items.find((item) => item.kind === "channel.test" && item.at >= at);
    if (test !== undefined && (test.state === "sent" || test.code !== null)) return test;
    if (performance.now() > until)
      throw new CountersignError(
        "OUTSIDE_UNAVAILABLE",
        "expected the notifier to send the test, got no attempt; does it run?",
      );
    await delay(200);
  }
}
