import { problemStatus } from "@countersign/contract";
import { errorCodes } from "@countersign/core";
import { cell, table } from "./markdown.ts";

/** docs/errors.md: every code of the closed list, what it means and what to do. */
export function errorsPage(): string {
  const status: Readonly<Record<string, number>> = problemStatus;
  const rows = Object.entries(errorCodes).map(([code, text]) => {
    const { meaning, action } = halves(text);
    return [`\`${code}\``, cell(meaning), cell(action), status[code] === undefined ? "" : String(status[code])];
  });
  return `# Errors

Every error of the product has one of these codes: in problem documents of the API, in the CLI's output, in findings and in
entries of the log. The message that comes with it says what was expected and what was found. No message holds a secret.
A code with an HTTP status can be the answer to a request; the others stand on a run's page and in the services' logs.

${table(["Code", "What it means", "What to do", "HTTP"], rows)}
`;
}

/** Splits a code's text: the first sentence says what it means, the rest what to do or what happens by itself. */
export function halves(text: string): { readonly meaning: string; readonly action: string } {
  const [meaning = "", ...rest] = text.split(/(?<=[.!]) (?=[A-Z])/);
  return { meaning, action: rest.join(" ") };
}
