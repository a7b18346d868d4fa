import { randomUUID } from "node:crypto";
import type { EventHub } from "../management/events.ts";

export type HoldPosition = "after-send" | "after-effect" | "after-answer";

/** A request that stands still. */
export interface HoldView {
  id: string;
  /** Id of the armed hold that stopped it. */
  rule: string;
  op: string;
  position: HoldPosition;
  requestId: string;
  target: Record<string, unknown>;
}

interface Held extends HoldView {
  decide: (verdict: "release" | "drop") => void;
}

/** Requests that a harness stopped on purpose. A hold outlives its caller: a dead process's request can still land. */
export class Holds {
  readonly #held = new Map<string, Held>();
  readonly #events: EventHub;

  constructor(events: EventHub) {
    this.#events = events;
  }

  /** Announces the request and waits for the verdict. `drop` means: no further effect, no answer. */
  wait(view: Omit<HoldView, "id">): Promise<"release" | "drop"> {
    const id = randomUUID();
    return new Promise((resolve) => {
      const decide = (verdict: "release" | "drop"): void => {
        this.#held.delete(id);
        resolve(verdict);
      };
      this.#held.set(id, { ...view, id, decide });
      this.#events.emit({ type: "hold", data: { id, held: true, ...view } });
    });
  }

  /** Tells a harness that an answer has left; nothing is stopped. */
  announce(view: Omit<HoldView, "id">): void {
    this.#events.emit({ type: "hold", data: { id: randomUUID(), held: false, ...view } });
  }

  /** False if there is no such hold. */
  decide(id: string, verdict: "release" | "drop"): boolean {
    const held = this.#held.get(id);
    held?.decide(verdict);
    return held !== undefined;
  }

  /** Ends every hold. */
  decideAll(verdict: "release" | "drop"): number {
    const all = [...this.#held.values()];
    for (const held of all) held.decide(verdict);
    return all.length;
  }

  list(): HoldView[] {
    return [...this.#held.values()].map(({ decide: _, ...view }) => view);
  }
}
