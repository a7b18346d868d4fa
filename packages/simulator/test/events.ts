import type { TestTenant } from "./tenant.ts";

/** A hold as announced on `/events`. */
export interface HoldEvent {
  id: string;
  op: string;
  position: string;
  held: boolean;
  requestId: string;
}

/** Listens on the management port's event stream; `next` resolves with the next hold. */
export async function listenForHolds(tenant: TestTenant): Promise<{ next(): Promise<HoldEvent>; close(): void }> {
  const abort = new AbortController();
  const response = await fetch(`${tenant.simulator.urls.management}/events`, { signal: abort.signal });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  const next = async (): Promise<HoldEvent> => {
    for (;;) {
      const match = /event: hold\ndata: (.+)\n\n/.exec(buffer);
      if (match?.[1] !== undefined) {
        buffer = buffer.slice(match.index + match[0].length);
        return JSON.parse(match[1]) as HoldEvent;
      }
      const chunk = await reader?.read();
      if (chunk === undefined || chunk.done) throw new Error("the event stream ended");
      buffer += chunk.value;
    }
  };
  return { next, close: () => abort.abort() };
}
