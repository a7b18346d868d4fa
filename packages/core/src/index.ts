export * from "./approval/authorise.ts";
export * from "./approval/quorum.ts";
export * from "./audit/judge.ts";
export { isLoopback } from "./config/checks.ts";
export type { Config, Connection } from "./config/config.ts";
export { type InventoryConfig, type InventoryFrom, inventoryFormat } from "./config/inventory.ts";
export type { NoticesConfig, NotifyConfig, TicketsConfig } from "./config/notify.ts";
export { type ConnectionKinds, parseConfig } from "./config/parse.ts";
export type { LocalPerson, TenantConfig } from "./config/schema.ts";
export type { HookConfig } from "./config/webhooks.ts";
export { type ConsumerKind, consumerKindNames, consumerKinds, consumerTarget, kindOf } from "./consumer-kinds/index.ts";
export { type Mistake, mistakesIn } from "./documents/checked.ts";
export { type CsvDelimiter, csvText, type TableLine } from "./documents/csv.ts";
export * from "./errors.ts";
export * from "./fleet/acceptances.ts";
export { type CompareInput, compareCodes, compareInventory, type InventoryFinding } from "./fleet/compare.ts";
export { type Draft, type DraftInput, draftInventory, type EnvironmentRule } from "./fleet/draft.ts";
export * from "./fleet/findings.ts";
export {
  declarationOf,
  declaredBy,
  type EntryFound,
  pointersOf,
  type UsesSeen,
  undeclared,
  undeclaredPlaces,
  type VaultEntry,
} from "./fleet/found.ts";
export { type OnboardingReport, onboardingReport, onboardingStates, ownershipGrant } from "./fleet/onboarding.ts";
export { type ClientPermissions, clientPermissions } from "./fleet/permissions.ts";
export * from "./fleet/survey.ts";
export * from "./invariants/history.ts";
export { invariants, violationsOf } from "./invariants/index.ts";
export { type ConfigScopes, checkInventory, checkRow, isProdValue, type RowProblem } from "./inventory/check.ts";
export { type InventoryChange, inventoryDiff } from "./inventory/diff.ts";
export { type ListColumn, type ListItem, listLines } from "./inventory/list.ts";
export { accountable, named, ownerCount, ownersOfCredential, type RowOwners } from "./inventory/owners.ts";
export {
  type Inventory,
  type InventoryFormat,
  type ProposedRow,
  parseInventory,
  parseInventoryTable,
} from "./inventory/parse.ts";
export * from "./inventory/row.ts";
export { inScope, isPattern, matchesPattern } from "./inventory/scope.ts";
export { inventoryText, type WrittenRow } from "./inventory/write.ts";
export * from "./plan/drift.ts";
export * from "./plan/make.ts";
export * from "./plan/plan.ts";
export { defaultPolicyYaml } from "./policy/default.ts";
export { lintPolicy, type PolicyLint } from "./policy/lint.ts";
export { type Policy, parsePolicy } from "./policy/parse.ts";
export { type Governed, type ResolvedPolicy, type ResolvedRequirement, resolvePolicy } from "./policy/resolve.ts";
export { type PolicyChange, whatIf } from "./policy/what-if.ts";
export * from "./ports/index.ts";
export { procedureNamed, procedureNameFor, procedures } from "./procedure/index.ts";
export { type Procedure, procedureDigest, type Settings, type Urgent } from "./procedure/procedure.ts";
export * from "./run/states.ts";
export * from "./secret-value.ts";
export { lastCron, nextCron } from "./time/cron.ts";
export { type DurationOptions, formatDuration, parseDuration } from "./time/duration.ts";
export { formatInstant, isZone, parseInstant } from "./time/instant.ts";
export { type Freeze, freezeAt, isOpen, nextOpening, type Schedule, type Window } from "./time/windows.ts";
export * from "./triggers/event.ts";
export * from "./triggers/rules.ts";
export { eligiblePeople, unmetRoles } from "./validation/approvers.ts";
export type { Check, Finding, FindingResult } from "./validation/check.ts";
export { accessTokenLife, emergencyRisksOf } from "./validation/emergency-risks.ts";
export {
  type EnrolledPerson,
  isEmergency,
  isKnown,
  type Known,
  namedCredential,
  oldCredential,
  type Request,
  type Trigger,
  triggers,
  type ValidationInput,
} from "./validation/input.ts";
export { namedRisksOf } from "./validation/named-risks.ts";
export { risksOf } from "./validation/risks.ts";
export { lifetimeSeconds, overlapFloorSeconds, overlapSeconds, settingsOf } from "./validation/settings.ts";
export { checks, isBlocked, rulesOf, validate } from "./validation/validate.ts";
