/** What one process does; `all` is every role in one process, for one laptop. */
export const roles = ["all", "api", "scanner", "executor", "notifier"] as const;
export type Role = (typeof roles)[number];

/** The database login of each role. */
export const logins = {
  all: "cs_executor",
  api: "cs_api",
  scanner: "cs_scanner",
  executor: "cs_executor",
  notifier: "cs_notifier",
} as const;
