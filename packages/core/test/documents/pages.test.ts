import { expect, it } from "vitest";
import { checks } from "../../src/index.ts";

// Made from the table in the code; `npx vitest run packages/core/test/documents -u` writes it anew.
const cell = (text: string) => text.replaceAll("|", "\\|");

it("docs/findings.md lists every rule of validation", async () => {
  const rows = checks.map((rule) => `| \`${rule.code}\` | ${cell(rule.sentence)} |`);
  const page = [
    "# Findings",
    "",
    "Of the fleet (what a scan shows of everything in a directory): [findings-of-the-fleet.md](findings-of-the-fleet.md). This page: of a run.",
    "",
    "What validation looks at before a plan is made, before its first effect and before retirement. Each rule gives `pass`,",
    "`warn` (shown to approvers) or `block` (the run stops), with what it observed and what it required.",
    "",
    "| code | meaning |",
    "|---|---|",
    ...rows,
    "",
  ].join("\n");
  await expect(page).toMatchFileSnapshot("../../../../docs/findings.md");
});
