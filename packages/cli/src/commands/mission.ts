import type { Command } from "commander";
import { allItems, countOf, mission, stateOf } from "../mission/list.ts";
import { print, printJson } from "../output.ts";

/** `countersign mission`: what must work, how others fail, what we do instead, and which tests show it. */
export function addMission(program: Command): void {
  program
    .command("mission")
    .description("what must work, how others fail, what is done instead, and the tests that show it")
    .option("--json", "print one JSON object")
    .action((options: { readonly json?: boolean }) => {
      const counts = countOf(allItems());
      if (options.json === true) {
        const items = mission.flatMap(({ title, items: of }) =>
          of.map((item) => ({ section: title, ...item, missing: item.missing ?? null, state: stateOf(item) })),
        );
        printJson({ counts, items });
        return;
      }
      for (const { title, items } of mission) {
        print(`\n${title}`);
        for (const item of items) {
          print(`${item.id.padEnd(4)} ${stateOf(item).padEnd(8)} ${item.what}`);
          print(`${" ".repeat(14)}${item.does}`);
          if (item.missing !== undefined) print(`${" ".repeat(14)}missing: ${item.missing}`);
        }
      }
      print(`\n${counts.shown} shown, ${counts.partly} partly, ${counts["not yet"]} not yet`);
    });
}
