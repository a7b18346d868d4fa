export { build } from "./installation/build.ts";
export { openClock } from "./installation/clock.ts";
export { openConnectors } from "./installation/connectors.ts";
export { referencesOf, separationOf } from "./installation/custody.ts";
export { type Database, openDatabase, prepareDatabase } from "./installation/database.ts";
export { accept, type Initialised, init } from "./installation/init.ts";
export { type InstallationChecked, judgeInstallation } from "./installation/invariants.ts";
export {
  durationsOf,
  groundOf,
  type Installation,
  inventoryPath,
  loadInstallation,
  readInventory,
  readPolicy,
} from "./installation/load.ts";
export { createLog, type Log } from "./installation/log.ts";
export {
  judgeRestored,
  type RestoredAccepted,
  type RestoredReport,
} from "./installation/restored.ts";
export { type Role, roles } from "./installation/roles.ts";
export { readSecret } from "./installation/secrets.ts";
export { loadKey, readTrust, stateFiles } from "./installation/state.ts";
export { type Running, type StartOptions, startProduct } from "./main.ts";
export { type Hook, openHook } from "./triggers/receive.ts";
