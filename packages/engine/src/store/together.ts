/**
 * Asks once for many. Whoever asks while a question is under way shares the next one, and that begins after all of them have
 * asked: an answer is never older than its question. A failure is everybody's who shared it.
 */
export function together<K, V>(ask: (keys: readonly K[]) => Promise<(key: K) => V>): (key: K) => Promise<V> {
  let next: { readonly keys: Set<K>; readonly answer: Promise<(key: K) => V> } | null = null;
  let last: Promise<unknown> = Promise.resolve();
  return async (key) => {
    if (next === null) {
      const keys = new Set<K>();
      const answer = last.then(() => {
        next = null;
        return ask([...keys]);
      });
      last = answer.catch(() => undefined);
      next = { keys, answer };
    }
    next.keys.add(key);
    return (await next.answer)(key);
  };
}
