import { type Procedure, procedureDigest } from "@countersign/core";
import { cell, table } from "./markdown.ts";

type Line = Procedure["shape"][number];

const phases: Readonly<Record<Line["phase"], string>> = {
  execute: "execution",
  overlap: "overlap",
  retire: "retirement",
  restore: "after the cut",
};

/** The name that plans, evidence and file names give a procedure. */
export const procedureId = ({ name, major }: Procedure): string => `${name}@${major}`;

/** docs/procedures/<name>@<major>.md: the order, how each step is undone or why it cannot be. */
export function procedurePage(procedure: Procedure): string {
  const rows = procedure.shape.map((line, at) => [
    String(at + 1),
    `\`${line.id}\``,
    `\`${line.verb}\``,
    phases[line.phase],
    line.each === undefined ? "" : `each ${line.each.join(", ")} consumer`,
    line.undoable ? cell(line.undo) : "",
  ]);
  const fixed = procedure.shape.filter((line) => !line.undoable);
  const why = fixed.map((line) => `- \`${line.id}\` (\`${line.verb}\`): ${line.undo}.`);
  const urgent = procedure.shape.some((line) => line.phase === "restore");
  return `# ${procedureId(procedure)}

Digest \`${procedureDigest(procedure)}\`: it stands in every plan that this procedure made, and in the evidence of the run.
A released procedure never changes; a change is a new major with a page of its own.

## The order

A plan lists these lines with their targets and parameters, in this order. Lines that repeat per consumer follow the order
of the inventory: all updates first, then all confirmations. A step starts only when the one before it is done and verified.

${table(["#", "Step", "Verb", "When", "Repeated for", "Undo"], rows)}

- A consumer of kind \`latest\` reads the newest version by itself: the \`store\` step is its update.
${urgent ? cutLines : overlapLines}

## What is not undone

${why.join("\n")}
`;
}

const overlapLines = `- From \`create\` to \`retire\` both credentials are valid. Until retirement a run can be rolled back at any moment: the steps
  that are done are undone in reverse order, and the new credential stays valid until no consumer can hold it any more.`;

const cutLines = `- There is no overlap and no gate: the approval is the forced retirement as well. Lines with the same id repeat for every
  credential that the plan names, those of a run that is taken over among them.
- A consumer that cannot be written does not hold up the cut: its \`update\` may fail, and is tried again after it.
- It never rolls back by itself. Until the cut a person may; after it there is nothing to go back to.`;

/** docs/procedures/README.md: all of them. */
export function proceduresPage(procedures: readonly Procedure[]): string {
  const rows = procedures.map((procedure) => {
    const verbs = procedure.shape.map((line) => `\`${line.verb}\``);
    return [`[${procedureId(procedure)}](${procedureId(procedure)}.md)`, [...new Set(verbs)].join(", ")];
  });
  return `# Procedures

A procedure is a versioned, fixed list of steps for a kind of credential. Each is a pure function from inventory row, world
and policy to the steps of a plan; it is called once, when the plan is made. What it may do is proven for all of them by one
harness (\`packages/core/test/procedure/prove.ts\`), and pinned by golden files beside it.

${table(["Procedure", "Verbs it needs"], rows)}
`;
}
