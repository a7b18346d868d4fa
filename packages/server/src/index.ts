export { build } from "./installation/build.ts";
export { openClock } from "./installation/clock.ts";
export { openDatabase } from "./installation/database.ts";
export { accept, type Initialised, init } from "./installation/init.ts";
export {
  documentNames,
  groundOf,
  type Installation,
  loadInstallation,
  readInventory,
  readPolicy,
} from "./installation/load.ts";
export { createLog, type Log } from "./installation/log.ts";
export { loadKey, readTrust, stateFiles } from "./installation/state.ts";
export { type Role, type Running, roles, type StartOptions, startProduct } from "./main.ts";
