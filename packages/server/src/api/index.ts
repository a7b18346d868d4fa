export { createApi } from "./app.ts";
export { databaseSessions } from "./database-sessions.ts";
export { databaseStore } from "./database-store.ts";
export type { ApiDependencies } from "./dependencies.ts";
export { type IdempotencyStore, idempotencyInMemory, type KeptAnswer } from "./idempotency.ts";
export * from "./ports.ts";
