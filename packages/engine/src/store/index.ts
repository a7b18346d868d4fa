export type {
  AddedOutOfBand,
  AuditChangeRow,
  AuditOpened,
  AuditSource,
  ChangeCount,
  ChangeFilter,
  ChangePlace,
  JudgedChange,
  ListedChangeRow,
} from "./audit-store.ts";
export { type Checkpointer, openCheckpointer } from "./checkpointer.ts";
export type { DetailRow, Pass } from "./detail-store.ts";
export type { FindingSaid, FleetCount, FleetFilter, FleetFindingRow, FleetRow, Judged } from "./fleet-store.ts";
export { type HashedLog, hashLog } from "./hashed-log.ts";
export { type HighWaterMark, lowerHighWaterMark, readHighWaterMark } from "./high-water-mark.ts";
export type { StoredHistory } from "./history-store.ts";
export type { HookEventRow, HookOutcome } from "./hook-store.ts";
export {
  type Compared,
  type ComparedRow,
  type InventoryMatter,
  type MatterCount,
  type Standing,
  type Writers,
} from "./inventory-store.ts";
export { type Heeds, heedsNothing, type Intent, type Outcome, type Stopped } from "./journal-store.ts";
export { type KeptCounts, keepLedgerCounts } from "./kept-counts.ts";
export {
  type Expiry,
  expiries,
  type LedgerCount,
  type LedgerFilter,
  type LedgerTarget,
  type LedgerView,
} from "./ledger-store.ts";
export type { Channel } from "./listen.ts";
export type { ListedDelivery, NoticeInput, Route, StepOutcome, TakenDelivery } from "./notice-store.ts";
export type { Expiring, ExpiryItem, StandingFinding } from "./owner-notice-store.ts";
export type { ReachRow } from "./reach-store.ts";
export type { CredentialInput, CredentialsOf } from "./record-store.ts";
export type * from "./rows.ts";
export type {
  Decision,
  EntryInput,
  FindingInput,
  Heard,
  Hold,
  RunFilter,
  RunNotice,
  RunRequest,
  Transition,
} from "./run-store.ts";
export type { FailedScanRow, OpenScan, PassDue, ScanStand, ScanSummary } from "./scan-store.ts";
export { openStore, type Store, type StoreRole } from "./store.ts";
export { together } from "./together.ts";
export type { UsesFound } from "./use-store.ts";
export type { ClaimInput, Lease, Survey, WorkerIdentity } from "./worker-store.ts";
