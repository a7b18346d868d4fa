import { type Policy, parsePolicy } from "../../src/index.ts";

/** One complete environment, as lines to be indented under a name. */
const environment = `match: {}
prod: false
rotateWhenExpiresIn: P14D
secretLifetime: { max: P90D }
overlap: { min: PT1H, max: P7D }
windows: always
approvals:
  expiresAfter: PT24H
  minLevel: session
  require:
    - { role: app-owner, from: owner-of-app, count: 1 }
    - { role: platform, from: "role:platform", count: 1 }
    - { role: security, from: "role:security", count: 1, when: { risk: high } }
  separation: [requester-cannot-approve, one-person-one-role]
proof: { times: 3, spacing: PT0M, deadline: PT5M }
rollback: { minRemaining: P2D }
retire: { minGrade: weak, consumerLevel: value-matched, quiet: P1D }
mode: supervised
`;

/** An environment with some lines replaced; throws when nothing was there to replace. */
export function environmentWith(...changes: readonly (readonly [string, string])[]): string {
  return changes.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`nothing to replace: ${from}`);
    return text.replace(from, to);
  }, environment);
}

/** The text of a policy with these environments. */
export function policyText(environments: Readonly<Record<string, string>>): string {
  const body = Object.entries(environments).map(
    ([name, lines]) => `  ${name}:\n${lines.replaceAll(/^(?=.)/gm, "    ")}`,
  );
  return `apiVersion: countersign/policy/v1\nname: test\nrevision: 1\nenvironments:${body.length === 0 ? " {}" : ""}\n${body.join("")}`;
}

export const policyOf = (environments: Readonly<Record<string, string>>, seconds = false): Policy =>
  parsePolicy(policyText(environments), { seconds });
