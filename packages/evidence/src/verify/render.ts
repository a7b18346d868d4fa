import type { Report } from "./report.ts";

const MARKS = { pass: "ok  ", fail: "FAIL", note: "note" } as const;
const HEADLINES = {
  proven: "PROVEN",
  refused: "REFUSED",
  "no-trust": "NOT CHECKED: no trust file",
} as const;

/** The report in plain words for a terminal. Printable ASCII only, whatever the bundle held. */
export function renderReport(report: Report): string {
  const lines = [`${HEADLINES[report.verdict]}${report.run === null ? "" : `: ${report.run}`}`];
  if (report.state !== null)
    lines.push(`State: ${report.state}${report.open === true ? " (open: the run had not ended)" : ""}`);
  if (report.profile !== null) {
    lines.push(`Profile: ${report.profile}, clock: ${report.clock}, separation: ${report.separation}`);
  }
  if (report.checks.length > 0) lines.push("");
  for (const check of report.checks) lines.push(`${MARKS[check.result]}  ${check.code}: ${check.sentence}`);
  if (report.verdict === "refused")
    lines.push("", "Verification ended at the first check that failed. Rely on nothing in this bundle.");
  if (report.facts.length > 0) lines.push("", "Read with it:");
  for (const fact of report.facts) lines.push(`  - ${fact.sentence}`);
  // Sentences quote the bundle: no control character may reach the terminal.
  return `${lines.map((line) => line.replace(/[^\x20-\x7e]/g, "?")).join("\n")}\n`;
}
