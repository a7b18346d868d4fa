import { describe, expect, it } from "vitest";
import { together } from "../../src/store/together.ts";

/** A question that is answered when told to; `asked` holds the keys of each. */
function slow() {
  const asked: string[][] = [];
  const answers: (() => void)[] = [];
  const ask = together<string, string>((keys) => {
    asked.push([...keys]);
    const round = asked.length;
    return new Promise((resolve, reject) =>
      answers.push(() => (keys.includes("bad") ? reject(new Error("no")) : resolve((key) => `${key}${round}`))),
    );
  });
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
  return { ask, asked, answers, turn };
}

describe("a question that many ask", () => {
  it("is asked once for all who asked before it began, and anew for who came later", async () => {
    const { ask, asked, answers, turn } = slow();
    const first = ask("a");
    await turn();
    // These come while the first is under way: its answer may be older than they are, so it is not theirs.
    const later = [ask("a"), ask("b"), ask("a")];
    await turn();
    expect(asked).toEqual([["a"]]);
    answers[0]?.();
    expect(await first).toBe("a1");
    await turn();
    expect(asked).toEqual([["a"], ["a", "b"]]);
    answers[1]?.();
    expect(await Promise.all(later)).toEqual(["a2", "b2", "a2"]);
  });

  it("fails for those who shared it, and for nobody after them", async () => {
    const { ask, answers, turn } = slow();
    const shared = Promise.allSettled([ask("bad"), ask("a")]);
    await turn();
    answers[0]?.();
    expect((await shared).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    const next = ask("a");
    await turn();
    answers[1]?.();
    expect(await next).toBe("a2");
  });
});
