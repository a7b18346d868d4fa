import type { Credential, RunState } from "@countersign/contract";

export type Tone = "neutral" | "brand" | "good" | "warn" | "bad";

/** Each state as people say it, with the tone it is shown in. */
export const states: Readonly<
  Record<RunState, { readonly word: string; readonly tone: Tone; readonly sentence: string }>
> = {
  requested: { word: "Requested", tone: "brand", sentence: "The executor reads the world and validates the request." },
  blocked: { word: "Blocked", tone: "bad", sentence: "Validation found a reason not to rotate. Nothing was changed." },
  planned: { word: "Planned", tone: "brand", sentence: "The plan is frozen; approval is asked for next." },
  awaiting_approval: {
    word: "Awaiting approval",
    tone: "warn",
    sentence: "Nothing happens until the people named in the plan have signed its digest.",
  },
  approved: {
    word: "Approved",
    tone: "brand",
    sentence: "The quorum is complete. The executor verifies every signature itself before the first effect.",
  },
  scheduled: { word: "Scheduled", tone: "brand", sentence: "Approved; waits for its time." },
  executing: {
    word: "Executing",
    tone: "brand",
    sentence: "Steps run in the plan's order. Any failure stops everything and rolls back.",
  },
  overlapping: {
    word: "Overlapping",
    tone: "brand",
    sentence:
      "Old and new credential both sign in. Consumers are being confirmed; a roll back is possible at any moment.",
  },
  retiring: { word: "Retiring", tone: "brand", sentence: "The gate is checked, then the old credential is removed." },
  completed: { word: "Completed", tone: "good", sentence: "The new credential is in use and the old one is retired." },
  held: { word: "Held", tone: "bad", sentence: "Both credentials stay valid. A person decides how it goes on." },
  rolling_back: {
    word: "Rolling back",
    tone: "warn",
    sentence: "Consumers return to the old credential; the new one stays valid until all are back.",
  },
  rolled_back: {
    word: "Rolled back",
    tone: "warn",
    sentence: "Everything is as it was before; the new credential has been removed.",
  },
  rejected: { word: "Rejected", tone: "bad", sentence: "An approver said no. Nothing was changed." },
  expired: { word: "Expired", tone: "neutral", sentence: "Nobody decided in time. Nothing was changed." },
  withdrawn: { word: "Withdrawn", tone: "neutral", sentence: "The request was taken back. Nothing was changed." },
  superseded: {
    word: "Superseded",
    tone: "neutral",
    sentence:
      "Another run took its place: the plan no longer fitted the world, or an emergency of the application took it over.",
  },
  left_as_is: {
    word: "Left as it is",
    tone: "warn",
    sentence:
      "Two people signed what remains outside and closed the run so. Nothing was undone; see to what is listed.",
  },
};

/** To whom a credential belongs, as the ledger knows it by evidence. */
export const ledgerWords: Readonly<Record<Credential["state"], { readonly word: string; readonly tone: Tone }>> = {
  "ours-active": { word: "Ours, in use", tone: "good" },
  "ours-retiring": { word: "Ours, retiring", tone: "brand" },
  "ours-unpublished": { word: "Ours, not published", tone: "warn" },
  foreign: { word: "Made by others", tone: "neutral" },
  orphan: { word: "Orphan", tone: "bad" },
  unknown: { word: "Unknown", tone: "warn" },
  retired: { word: "Retired", tone: "neutral" },
};

export const credentialWords: Readonly<Record<Credential["kind"], string>> = {
  "client-secret": "Secret",
  certificate: "Certificate",
  role: "Database role",
};

export const expiryWords: Readonly<Record<string, string>> = {
  expired: "Expired",
  "7-days": "Within 7 days",
  "30-days": "In 8 to 30 days",
  "90-days": "In 31 to 90 days",
  later: "Later",
  never: "Never",
};

export const triggerWords: Readonly<Record<string, string>> = {
  due: "it expires soon",
  event: "an event reported it",
  compromise: "a compromise was reported",
  leaver: "somebody who knew it has left",
  policy: "policy asks for it",
  manual: "a person asked for it",
};

export const roleWords: Readonly<Record<string, string>> = {
  "app-owner": "App owner",
  "business-owner": "Business owner",
  platform: "Platform",
  security: "Security",
  auditor: "Auditor",
};

export const procedureWords: Readonly<Record<string, string>> = {
  "entra-client-secret": "client secret",
  "postgres-role-password": "PostgreSQL login",
  "emergency-revoke": "compromised client secret",
  "entra-replace-foreign": "client secret made by hand",
};

export const levelWords: Readonly<Record<string, string>> = {
  accepted: "write accepted",
  "metadata-changed": "change seen",
  "value-matched": "value read back",
  used: "seen signing in",
};

export const kindWords: Readonly<Record<string, string>> = {
  latest: "reads the newest version",
  pinned: "reference to one version",
  copied: "copy in another store",
  "connection-file": "connection file",
  "devops-variable": "Azure DevOps variable",
  "app-setting": "App Service setting",
  "app-reference": "App Service reference, follows by itself",
  "github-secret": "GitHub Actions secret",
  "kubernetes-secret": "key of a Kubernetes Secret",
  rest: "entry behind an HTTP interface",
  manual: "updated by hand",
};

/** What the binding of the old credential to the stored value rests on. */
export const bindingWords: Readonly<Record<string, { readonly text: string; readonly tone: Tone }>> = {
  ours: { text: "proven by our own record", tone: "good" },
  hint: { text: "shown by its first characters", tone: "warn" },
  unproven: { text: "not shown: nothing is retired by itself", tone: "bad" },
  named: { text: "in no store: an owner moves whoever uses it", tone: "warn" },
};

/** A code as words, for codes that have no sentence here. */
export function humanise(code: string): string {
  const words = code
    .replaceAll(/[-_.:]+/g, " ")
    .trim()
    .toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
