export { createApi } from "./app.ts";
export type { ApiDependencies } from "./dependencies.ts";
export type { IdempotencyStore, KeptAnswer } from "./idempotency.ts";
export * from "./ports.ts";
