export { type LocalAccount, LocalSignIn } from "./local.ts";
export { type SessionLimits, type SessionRow, type SessionStore, Sessions, sessionLimits } from "./sessions.ts";
