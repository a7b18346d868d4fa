import { createServer } from "node:net";
// oxlint-disable-next-line countersign/imports -- a test's own set-up, which no package exports
import { buildConsole } from "../../packages/console/build.mjs";
// oxlint-disable-next-line countersign/imports -- a test's own set-up, which no package exports
import { type Fixture, fixture } from "../../packages/server/test/api/fixture.ts";

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const address = server.address();
  await new Promise((closed) => server.close(closed));
  if (address === null || typeof address === "string") throw new Error("expected a port, got none");
  return address.port;
}

/**
 * The real API and console over the in-memory store, so that every state of a run can be looked at without waiting for it; or over
 * what the change says.
 */
export async function startPages(
  change: Parameters<typeof fixture>[0] = {},
): Promise<{ fixture: Fixture; url: string; close(): Promise<void> }> {
  const consoleDir = await buildConsole();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const pages = await fixture({
    consoleDir,
    installation: {
      profile: "demo",
      clock: "virtual",
      separation: "none",
      build: "0.1.0+demo",
      origin: "demo.countersign.invalid/log",
      url,
      rpId: "127.0.0.1",
    },
    ...change,
  });
  await pages.app.listen({ port, host: "127.0.0.1" });
  return { fixture: pages, url, close: () => pages.app.close() };
}
