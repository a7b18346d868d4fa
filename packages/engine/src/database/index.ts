export * from "./connect.ts";
export { type EmbeddedDatabase, startEmbedded } from "./embedded.ts";
export { migrate } from "./migrate.ts";
export { databaseKey } from "./passwords.ts";
export * from "./users.ts";
