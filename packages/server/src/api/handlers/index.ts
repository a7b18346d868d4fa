import type { Handlers } from "../handler.ts";
import * as actions from "./actions.ts";
import * as applications from "./applications.ts";
import * as breakGlass from "./break-glass.ts";
import * as changes from "./changes.ts";
import * as close from "./close.ts";
import * as credentials from "./credentials.ts";
import * as decisions from "./decisions.ts";
import { events } from "./events.ts";
import * as findings from "./findings.ts";
import { getInventory } from "./inventory.ts";
import * as log from "./log.ts";
import * as notices from "./notices.ts";
import { getOutside } from "./outside.ts";
import * as populations from "./populations.ts";
import * as runs from "./runs.ts";
import * as session from "./session.ts";
import * as status from "./status.ts";

/** Every route's handler: parse is done, access is checked; they call the store and render. */
export const handlers: Handlers = {
  signIn: session.signIn,
  getSession: session.getSession,
  signOut: session.signOut,
  listPeople: session.listPeople,
  getStatus: status.getStatus,
  freeze: status.freeze,
  liftFreeze: status.liftFreeze,
  scan: status.scan,
  advanceClock: status.advanceClock,
  listApplications: applications.listApplications,
  getApplication: applications.getApplication,
  getInventory,
  listCredentials: credentials.listCredentials,
  getExpiryWeeks: credentials.getExpiryWeeks,
  listFindings: findings.listFindings,
  listChanges: changes.listChanges,
  exportPopulation: populations.exportPopulation,
  explainChange: changes.explainChange,
  askAcceptances: findings.askAcceptances,
  confirmAcceptances: findings.confirmAcceptances,
  withdrawAcceptances: findings.withdrawAcceptances,
  requestRun: runs.requestRun,
  listRuns: runs.listRuns,
  getRun: runs.getRun,
  getRunEntries: runs.getRunEntries,
  getBundle: runs.getBundle,
  makeStatement: decisions.makeStatement,
  decide: decisions.decide,
  makeUseStatement: breakGlass.makeUseStatement,
  sayOnUse: breakGlass.sayOnUse,
  makeCloseStatement: close.makeCloseStatement,
  sayOnClose: close.sayOnClose,
  withdraw: actions.withdraw,
  rollBack: actions.rollBack,
  decideHold: actions.decideHold,
  confirmStep: actions.confirmStep,
  listNotices: notices.listNotices,
  listChannels: notices.listChannels,
  getOutside,
  testChannel: notices.testChannel,
  events,
  getCheckpoint: log.getCheckpoint,
  getLogEntries: log.getLogEntries,
};
