import type { Command } from "commander";
import { print, printJson, table } from "../output.ts";
import { sessionOf } from "../session.ts";

/** `countersign outside`: how directories, connections and webhooks fare. */
export function addOutside(program: Command): void {
  program
    .command("outside")
    .description("how directories, connections and webhooks answered the last time; calls nothing")
    .option("--url <url>", "address of the API", process.env.COUNTERSIGN_URL ?? "http://127.0.0.1:8080")
    .option("--login <name>", "account; the password comes from COUNTERSIGN_PASSWORD")
    .option("--json", "print one JSON object")
    .action(async (options: { readonly url: string; readonly login?: string; readonly json?: boolean }) => {
      const { client } = await sessionOf(options);
      const seen = await client.getOutside({});
      if (options.json === true) return printJson(seen);
      const places = [
        ...seen.directories.flatMap(({ name, reaches }) =>
          reaches.map((reach) => ({ name, kind: "directory", reach })),
        ),
        ...seen.connections,
      ];
      print(
        table(
          ["name", "kind", "state", "address", "answered", "last failure"],
          places.map(({ name, kind, reach }) => [
            name,
            kind,
            reach?.state ?? "local",
            reach?.address ?? "",
            reach?.answeredAt ?? "",
            reach === null || reach.failedAt === null ? "" : `${reach.failedAt} ${reach.code ?? ""}`,
          ]),
        ),
      );
      if (seen.webhooks.length === 0) return;
      print(
        table(
          ["webhook", "kind", "last event", "seven days"],
          seen.webhooks.map(({ name, kind, lastAt, outcomes }) => [
            name,
            kind,
            lastAt ?? "none yet",
            Object.entries(outcomes)
              .map(([outcome, count]) => `${count} ${outcome}`)
              .join(", "),
          ]),
        ),
      );
    });
}
