/**
 * What the domain asks of the outside, as interfaces only. Connectors offer verbs; the order of a rotation lives in the
 * procedure (procedure/), never here.
 */
export * from "./audit-log.ts";
export * from "./connectors.ts";
export * from "./mail.ts";
export * from "./scanner.ts";
export * from "./verb.ts";
export * from "./world.ts";
