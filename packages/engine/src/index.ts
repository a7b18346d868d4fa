export { auditEvents } from "./audit/events.ts";
export { createAuditPoll } from "./audit/poll.ts";
export type { EngineClock } from "./clock/clock.ts";
export { systemClock } from "./clock/system.ts";
export { virtualClock } from "./clock/virtual.ts";
export {
  type Connection,
  type Connections,
  checkMigrated,
  databaseKey,
  type EmbeddedDatabase,
  embeddedAdmin,
  formatDatabaseUrl,
  migrate,
  ownLogin,
  parseDatabaseUrl,
  prepareUsers,
  startEmbedded,
} from "./database/index.ts";
export { type Dispatch, openDispatch } from "./dispatch/index.ts";
export { bundleOf } from "./evidence/bundle.ts";
export { type PopulationAsk, populationBundle } from "./evidence/population.ts";
export { createRecorder } from "./evidence/recorder.ts";
export { createExecutor, type Executor } from "./execution/executor.ts";
export type { Ground } from "./execution/ground.ts";
export { createJudge } from "./execution/judge.ts";
export { createGuard } from "./execution/judging-guard.ts";
export { type Liveness, thisProcess } from "./execution/lease.ts";
export { noPauses, type Pauses, pausesOver } from "./execution/pauses.ts";
export { createPlanner } from "./execution/phases/plan.ts";
export { newRunId } from "./execution/run-id.ts";
export type { Twins } from "./execution/sweep.ts";
export { type Checked, checkInvariants } from "./history/check.ts";
export { createInvariantsJob } from "./history/daily.ts";
export { readHistory } from "./history/read.ts";
export { createNotifier, type Notifier, type NotifierOptions } from "./notify/notifier.ts";
export type { Answer, Outgoing, Outside } from "./notify/outside.ts";
export type { Watched } from "./notify/watched.ts";
export { createAcceptanceEnd } from "./scan/acceptances.ts";
export { judgeFleet, type TermsOf } from "./scan/findings.ts";
export { requestRun } from "./scan/request.ts";
export { createScanner, type Scanner } from "./scan/scanner.ts";
export { createVaultLook } from "./scan/vaults.ts";
export { createScanWatch } from "./scan/watch.ts";
export * from "./store/index.ts";
export { reasonBytes, takeEvent } from "./triggers/take.ts";
