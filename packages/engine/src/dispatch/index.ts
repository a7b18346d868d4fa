export type { Dispatch } from "./dispatch.ts";
export { openDispatch } from "./pg-boss.ts";
