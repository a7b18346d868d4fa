import { existsSync } from "node:fs";
import { type BrowserContext, type Browser as Chromium, chromium, type Page } from "playwright-core";

const places = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

const flags = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A browser with a fresh profile, and what its pages complained about. */
export interface Browser {
  readonly context: BrowserContext;
  /** Reports of broken page rules, script errors, failed requests: a good page has none. */
  readonly complaints: string[];
  page(): Promise<Page>;
  close(): Promise<void>;
}

/** One process for all who are open at the same time; each has cookies, storage and cache of his own. */
let shared: Promise<Chromium> | null = null;
let open = 0;

/** Opens Chromium for one person; says in one sentence what is missing when there is none. */
export async function startBrowser(options: { readonly dark?: boolean } = {}): Promise<Browser> {
  const executablePath = places.find((place) => place !== undefined && existsSync(place));
  if (executablePath === undefined) {
    throw new Error(
      "expected Chromium for the browser tests, got none: run `apt-get install -y chromium`, or set CHROMIUM to its path",
    );
  }
  open += 1;
  shared ??= chromium.launch({ executablePath, args: flags });
  const process = await shared;
  const context = await process.newContext({
    viewport: { width: 1440, height: 900 },
    colorScheme: options.dark === true ? "dark" : "light",
    timezoneId: "Europe/Berlin",
    locale: "en-GB",
  });
  const complaints: string[] = [];
  context.on("request", (request) => {
    if (request.url().endsWith("/v1/csp-reports")) complaints.push(`page rule broken: ${request.postData()}`);
  });
  context.on("weberror", (error) => complaints.push(`script error: ${error.error().message}`));
  context.on("console", (message) => {
    if (message.type() === "error") complaints.push(`console: ${message.text()}`);
  });
  return {
    context,
    complaints,
    page: () => context.newPage(),
    close: async () => {
      await context.close();
      open -= 1;
      if (open > 0) return;
      shared = null;
      await process.close();
    },
  };
}
