export * from "./errors.ts";
export * from "./inventory/row.ts";
export * from "./ports.ts";
export * from "./secret-value.ts";
