import { createServer, type ServerResponse } from "node:http";

/** One position of one journaled attempt, as the product announces it (`serve --pause-url`). */
export interface Announced {
  readonly run: string;
  readonly call: string;
  readonly position: string;
}

/** Where an attempt is to stop. */
export interface Stop {
  /** Asked at each announcement: a run has its id only once it was requested. */
  readonly run: () => string | null;
  readonly call: string;
  readonly position: string;
  /** Of such announcements of this run, from 1. */
  readonly nth: number;
  readonly reached: () => void;
}

/** Hears every position of every journaled attempt, and lets those stand that are to stop. */
export interface PauseServer {
  readonly url: string;
  /** Everything announced since the last {@link listen}, in order. */
  readonly seen: readonly Announced[];
  /** Stops these from now on and lets everything else pass. */
  listen(stops: readonly Stop[]): void;
  /** Answers whoever is stopped: for a process that is dead, nobody. */
  release(): void;
  close(): Promise<void>;
}

export async function startPauses(): Promise<PauseServer> {
  const seen: Announced[] = [];
  const stopped: ServerResponse[] = [];
  let stops: readonly Stop[] = [];
  const server = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    request.on("end", () => {
      const told = JSON.parse(text) as Announced;
      seen.push(told);
      const alike = ({ run, call, position }: Announced) =>
        run === told.run && call === told.call && position === told.position;
      const count = seen.filter(alike).length;
      const stop = stops.find(
        ({ run, call, position, nth }) =>
          nth === count && call === told.call && position === told.position && run() === told.run,
      );
      if (stop === undefined) return response.end();
      stopped.push(response);
      stop.reached();
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
    listen(next) {
      seen.length = 0;
      stops = next;
    },
    release,
    close() {
      release();
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
