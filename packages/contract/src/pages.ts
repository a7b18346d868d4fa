/** Addresses of the console's pages, as its router has them: the server answers the one document at each, and nowhere else. */
export const consolePages = [
  "/",
  "/applications",
  "/applications/$name",
  "/changes",
  "/credentials",
  "/findings",
  "/inventory",
  "/log",
  "/outside",
  "/period",
  "/runs",
  "/runs/$id",
  "/sign-in",
] as const;

export type ConsolePage = (typeof consolePages)[number];
