import { invariants } from "@countersign/core";

/** docs/invariants.md: each invariant, where it is kept, how it is looked for, what cannot be seen, what to do. */
export function invariantsPage(): string {
  const parts = invariants.map(({ id, says, kept, checked, unseen, remedy }) =>
    [
      `## ${id}`,
      says,
      list("Where it is kept", kept),
      list("What is checked", checked),
      list("What cannot be seen", unseen),
      `**When it is reported:** ${remedy}`,
    ].join("\n\n"),
  );
  return `# Invariants

What must hold whatever happens. Each stands in the source as a pure function of a history (\`packages/core/src/invariants\`): what journal,
log, locks and ledger say of runs, and, where somebody looked, what happened outside. The same functions judge

- an installation: \`countersign doctor --invariants\`, and once a day the executor by itself
  ([operating/invariants.md](operating/invariants.md));
- every scenario test: when its stage closes, all its runs are judged against the effect log of the simulated tenant, and a violation
  fails the test (\`tests/history/check.ts\`).

That a check can fail is itself tested. A clean history is falsified in some forty ways (\`tests/history/falsifications.ts\`), and the product
is broken once for each invariant (\`tests/history/planted.ts\`): each must be reported under its id, and nothing of an application that is not
broken. The breaches are planted while the sources are loaded; nothing of them is in what ships.

Sources: *log* is the evidence log, *journal* the table of attempts, *row* the run's row, *ledger* the table of credentials, *outside* what the
tenant says. On an installation *outside* is what can be read of it now: credentials, and what the record holds.

${parts.join("\n\n")}
`;
}

function list(title: string, lines: readonly string[]): string {
  return `**${title}**\n\n${lines.map((line) => `- ${line}`).join("\n")}`;
}
