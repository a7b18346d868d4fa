/** Positions inside one journaled attempt at which a crash test may stop this process. */
export type PausePosition = "before-intent" | "after-intent" | "after-answer" | "after-commit";

/** Where the crash tests hook in; production has the empty one. */
export interface Pauses {
  /** Returns when the run may go on; a crash test lets it never return and kills the process. */
  at(position: PausePosition, call: string, run: string): Promise<void>;
}

export const noPauses: Pauses = { async at() {} };

/** Reports each position to a test server on loopback, which answers when the run may go on (profile test only). */
export function pausesOver(url: string): Pauses {
  return {
    async at(position, call, run) {
      const answer = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ position, call, run }),
      });
      await answer.body?.cancel();
    },
  };
}
