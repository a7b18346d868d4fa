export * from "./connect.ts";
export { type EmbeddedDatabase, startEmbedded } from "./embedded.ts";
export { checkMigrated, migrate } from "./migrate.ts";
export { databaseKey } from "./passwords.ts";
export * from "./users.ts";
