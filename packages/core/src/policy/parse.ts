import { digestOf } from "@countersign/evidence";
import type { Problem } from "../documents/problem.ts";
import { readYaml } from "../documents/yaml.ts";
import type { DurationOptions } from "../time/duration.ts";
import { type PolicyForm, policyForm } from "./schema.ts";

/** A policy, read. Durations are seconds. */
export interface Policy extends Readonly<PolicyForm> {
  /** Digest of the file's bytes, comments included: what the auditor reads is what was hashed. */
  readonly digest: string;
}

/** Reads policy.yaml. Throws POLICY_INVALID with every problem and its place. */
export function parsePolicy(input: Uint8Array | string, durations: DurationOptions): Policy {
  const document = readYaml(input, "POLICY_INVALID", policyForm(durations));
  const problems: Problem[] = [];
  for (const [name, environment] of Object.entries(document.value.environments)) {
    const say = (path: readonly PropertyKey[], message: string) =>
      void problems.push(document.problem(["environments", name, ...path], message));
    const { overlap, proof, approvals, prod } = environment;
    if (overlap.min > overlap.max) say(["overlap", "min"], "expected at most overlap.max, got more");
    if ((proof.times - 1) * proof.spacing > proof.deadline)
      say(["proof", "deadline"], "expected room for all proofs (times x spacing), got less");
    if (prod && approvals.minLevel === "session")
      say(["approvals", "minLevel"], "expected idp | passkey for prod, got session");
    const { emergency } = environment;
    if (emergency !== undefined) {
      const asked = emergency.approvals.require.filter((item) => item.when === undefined);
      const people = asked.reduce((sum, item) => sum + item.count, 0);
      const at = ["emergency", "approvals", "require"];
      if (!asked.some((item) => item.role === "security")) say(at, "expected role security at least, got none");
      if (prod && people < 2) say(at, "expected two people for prod, got one");
    }
    const roles = approvals.require.filter((item) => item.when === undefined).map((item) => item.role);
    if (new Set(roles).size !== roles.length) say(["approvals", "require"], "expected each role once, got one twice");
    if (roles.length === 0) say(["approvals", "require"], "expected at least one requirement without `when`, got none");
    if (!approvals.separation.includes("requester-cannot-approve") && prod)
      say(["approvals", "separation"], "expected requester-cannot-approve for prod, got none");
  }
  document.refuse(problems);
  return { ...document.value, digest: digestOf(typeof input === "string" ? new TextEncoder().encode(input) : input) };
}
