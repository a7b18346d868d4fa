import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import type { SimulatedTenant } from "./simulator.ts";

const Told = z.object({
  chat: z.record(z.string(), z.array(z.object({ at: z.string(), payload: z.object({ text: z.string() }) }))),
});
const lookEveryMs = 2_000;

/** Says what arrives in a chat room of the tenant from now on, a line each, until `ended`. */
export async function followRoom(
  tenant: Pick<SimulatedTenant, "get">,
  room: string,
  say: (line: string) => void,
  ended: AbortSignal,
): Promise<void> {
  const messages = async () => Told.parse(await tenant.get("/told")).chat[room] ?? [];
  let seen = (await messages()).length;
  while (!ended.aborted) {
    const all = await messages().catch(() => []);
    for (const { at, payload } of all.slice(seen))
      say(`  #${room} ${at.slice(0, 16).replace("T", " ")}  ${payload.text}`);
    seen = Math.max(seen, all.length);
    await delay(lookEveryMs, undefined, { signal: ended }).catch(() => {});
  }
}
