/** How many requests of the suite itself are under way at once. */
const width = 12;

/** Does `act` with each item, a limited number at the same time. */
export async function inParts<T, R>(items: readonly T[], act: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const one = async () => {
    for (let at = next++; at < items.length; at = next++) results[at] = await act(items[at] as T);
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, one));
  return results;
}
