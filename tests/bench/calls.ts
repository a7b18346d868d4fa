import { z } from "zod";

/** One outside call of a rotation as the effect log tells it. */
export interface OutsideCall {
  readonly op: string;
  readonly vault: string | null;
}

/** Calls that were under way together, in the order in which they were made. */
export type Waves = readonly (readonly OutsideCall[])[];

const Entry = z.object({
  op: z.string(),
  wall: z.string(),
  target: z.looseObject({ appId: z.string().optional(), secret: z.string().optional(), vault: z.string().optional() }),
});
const Page = z.object({ entries: z.array(Entry), next: z.int().nullable(), more: z.boolean() });

/** Where the effect log ends now. */
export async function logEnd(management: string): Promise<number> {
  let after = 0;
  for (;;) {
    const page = await pageAfter(management, after);
    after = page.next ?? after;
    if (!page.more) return after;
  }
}

/**
 * The calls of one rotation since `after`, with its parallelism: an entry is written when its call is done, `latencyMs`
 * after it came in, so calls that ended less than that apart were under way together.
 */
export async function wavesSince(
  management: string,
  after: number,
  of: { name: string; appId: string },
  latencyMs: number,
): Promise<Waves> {
  const { entries } = await pageAfter(management, after);
  const own = entries.filter(
    ({ target }) => target.appId === of.appId || target.secret === of.name || target.appId === undefined,
  );
  const waves: OutsideCall[][] = [];
  let endedAt = Number.NEGATIVE_INFINITY;
  for (const { op, wall, target } of own) {
    const at = Date.parse(wall);
    if (at - endedAt >= latencyMs) {
      waves.push([]);
      endedAt = at;
    }
    waves.at(-1)?.push({ op, vault: target.vault ?? null });
  }
  return waves;
}

async function pageAfter(management: string, after: number) {
  const answer = await fetch(new URL(`/effects?after=${after}&limit=10000&origin=outside`, management));
  return Page.parse(await answer.json());
}
