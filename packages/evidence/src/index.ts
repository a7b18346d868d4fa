export * from "./base64.ts";
export * from "./bundle/layout.ts";
export { type BundleNeeds, bundleNeeds } from "./bundle/needs.ts";
export * from "./bundle/proof-file.ts";
export * from "./bundle/read.ts";
export { IN_TOTO_PAYLOAD_TYPE, RUN_PREDICATE_TYPE } from "./bundle/run-record.ts";
export { formatSums } from "./bundle/sums.ts";
export { type BundleInput, type LoggedEntry, makeBundle, signRunRecord, writeBundle } from "./bundle/write.ts";
export * from "./bundle/zip.ts";
export * from "./canonical.ts";
export * from "./checkpoint.ts";
export * from "./digest.ts";
export * from "./dsse.ts";
export * from "./ed25519.ts";
export * from "./entry.ts";
export { ENTRY_DATA, ENTRY_SCOPE, type EntryData, type EntryType } from "./entry-types.ts";
export * from "./errors.ts";
export type { Fact, FactMap, FactTree } from "./fields.ts";
export * from "./keys.ts";
export * from "./limits.ts";
export * from "./merkle.ts";
export * from "./note.ts";
export {
  EMERGENCY_PROCEDURES,
  NAMING_PROCEDURES,
  type PlanFacts,
  type PlanStepFacts,
  parsePlan,
  REMOVED_ID_KEY,
} from "./plan.ts";
export { makePopulationBundle, populationBytes, rangeMarginMs } from "./population/bundle.ts";
export type { Population, PopulationChange, SampleWish } from "./population/document.ts";
export { type IndexedEntry, type PopulationInput, populationOf, type ReadChange } from "./population/make.ts";
export { openClose, REMAINS_TYPE, remainsOf } from "./remains.ts";
export * from "./statement.ts";
export * from "./states.ts";
export * from "./trust.ts";
export { CLOSE_ASKERS, CLOSE_CONFIRMER } from "./verify/close.ts";
export { renderReport } from "./verify/render.ts";
export {
  CHECK_CODES,
  type Check,
  type CheckCode,
  POPULATION_CHECK_CODES,
  type Report,
  type ReportFact,
} from "./verify/report.ts";
export { verifyBundle } from "./verify/verify-bundle.ts";
export { frameEntry, readEntryFrames, type VerifiedLog, verifyLog } from "./verify/verify-log.ts";
