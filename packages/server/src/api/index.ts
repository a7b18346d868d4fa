export { createApi } from "./app.ts";
export { databaseSessions } from "./database-sessions.ts";
export { databaseStore } from "./database-store.ts";
export type { ApiDependencies } from "./dependencies.ts";
export { idempotencyInMemory } from "./idempotency.ts";
export * from "./ports.ts";
