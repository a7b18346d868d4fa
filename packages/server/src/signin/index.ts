export { LocalSignIn } from "./local.ts";
export { type SessionRow, type SessionStore, Sessions, sessionLimits } from "./sessions.ts";
