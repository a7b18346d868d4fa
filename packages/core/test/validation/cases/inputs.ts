import { type FindingResult, resolvePolicy, type ValidationInput } from "../../../src/index.ts";
import { environmentWith, policyOf } from "../../policy/samples.ts";
import {
  credential,
  day,
  eve,
  good,
  inWorld,
  now,
  request,
  row,
  underPolicy,
  withConnection,
  worldOf,
} from "../samples.ts";

/** One reason not to rotate: what it is, an input in which it stands in the way and nothing else does, the rule that must say so, and how. */
export type Case = readonly [what: string, input: ValidationInput, code: string, result: FindingResult];

export const ownedBy = (...owners: string[]): ValidationInput => ({ ...good, row: { ...row, owners } });
export const lastPlan: NonNullable<ValidationInput["lastPlan"]> = {
  environment: "dev",
  prod: false,
  consumers: [
    {
      name: "web",
      kind: "latest",
      environment: "dev",
      pickupSeconds: 3_600,
      cadenceSeconds: 600,
      level: "accepted",
      callers: [],
      target: { connection: "main-vault", name: "billing-secret" },
      identity: {},
    },
    {
      name: "batch",
      kind: "pinned",
      environment: "dev",
      pickupSeconds: 60,
      cadenceSeconds: 600,
      level: "accepted",
      callers: [],
      target: { connection: "app-files", path: "billing/batch.ref" },
      identity: {},
    },
  ],
};
export const prodPolicy = () => underPolicy(["prod: false", "prod: true"], ["minLevel: session", "minLevel: passkey"]);
export const early = credential("old", { expiresAt: now + 40 * day, startsAt: now - 10 * day });
export const manual = (force: boolean, reasonGiven: boolean) => ({
  ...inWorld({ credentials: [early] }),
  request: { ...request, trigger: "manual" as const, requester: eve, force, reasonGiven },
});
export const contradiction = (): ValidationInput => {
  const overlap = "{ min: PT1H, max: P7D }";
  const one = environmentWith([overlap, "{ min: P5D, max: P7D }"]);
  const two = environmentWith([overlap, "{ min: PT1H, max: P2D }"]);
  return { ...good, policy: resolvePolicy(policyOf({ one, two }), row) };
};

export const compromised = {
  ...request,
  trigger: "compromise" as const,
  requester: eve,
  reasonGiven: true,
  target: { name: "billing-api", credential: "old" },
};
export const urgent = (change: Partial<ValidationInput> = {}): ValidationInput => ({
  ...good,
  request: compromised,
  ...change,
});
/** Somebody named a secret that another one made, and that the record does not hold. */
export const naming = (
  credentialNamed: string,
  change: Partial<ValidationInput> = {},
  trigger: "event" | "manual" = "event",
): ValidationInput => ({
  ...good,
  world: worldOf(row, { credentials: [credential("old"), theirs()] }),
  request: { ...request, trigger, requester: eve, target: { name: "billing-api", credential: credentialNamed } },
  ...change,
});
/** Made by hand, for two years. */
export const theirs = (): ReturnType<typeof credential> =>
  credential("theirs", { marker: null, startsAt: now - day, expiresAt: now + 700 * day });
export const securityAlone =
  "emergency: { approvals: { expiresAfter: PT1H, require: [{ role: security, from: role:security, count: 1 }] }, containWithin: PT1H, restoreWithin: PT4H }";
export const urgentInProd = (): ValidationInput => ({
  ...underPolicy(["mode: supervised", `${securityAlone}\nmode: supervised`]),
  config: withConnection("main-vault", { prod: true }),
  request: compromised,
});
