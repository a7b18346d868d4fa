import { createServer, type ServerResponse } from "node:http";

/** Where the product announces each position of each journaled attempt (`serve --pause-url`). */
export interface PauseServer {
  readonly url: string;
  /** Every position announced since the last {@link listen}, in order. */
  readonly seen: readonly string[];
  /** Stops the `nth` announcement of `position` and `call` from now on; `null` lets everything pass. */
  listen(
    stopAt: { readonly position: string; readonly call: string; readonly nth: number } | null,
    reached: () => void,
  ): void;
  /** Answers whoever is stopped: for a process that is dead, nobody. */
  release(): void;
  close(): Promise<void>;
}

export async function startPauses(): Promise<PauseServer> {
  const seen: string[] = [];
  const stopped: ServerResponse[] = [];
  let stopAt: Parameters<PauseServer["listen"]>[0] = null;
  let reached: () => void = () => {};
  const server = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    request.on("end", () => {
      const { position, call } = JSON.parse(text) as { position: string; call: string };
      seen.push(`${call}@${position}`);
      const count = seen.filter((name) => name === `${call}@${position}`).length;
      if (stopAt?.position === position && stopAt.call === call && stopAt.nth === count) {
        stopped.push(response);
        reached();
      } else response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("expected an address of the pause server");
  const release = () => {
    for (const response of stopped.splice(0)) response.end();
  };
  return {
    url: `http://127.0.0.1:${address.port}/`,
    seen,
    listen(at, told) {
      seen.length = 0;
      stopAt = at;
      reached = told;
    },
    release,
    close() {
      release();
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
