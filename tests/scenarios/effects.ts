import { z } from "zod";
import { type Effect, readEffects } from "../crash/stage/effects.ts";

/** Calls that change something when they work; a token is no change. */
const changes: readonly string[] = [
  "application.addPassword",
  "application.removePassword",
  "application.patch",
  "secret.set",
  "secret.patch",
  "secret.delete",
];

/** Changes to one application, its entries in the vaults included, by callers from outside, in order. */
export async function changesTo(
  management: string,
  of: { readonly name: string; readonly appId: string },
): Promise<readonly Effect[]> {
  const { effects } = await readEffects(management, 0, { origin: "outside", effect: true });
  return effects.filter(
    ({ op, target }) => changes.includes(op) && (target.appId === of.appId || target.secret === of.name),
  );
}

const Figures = z.object({
  name: z.string(),
  signIns: z.int(),
  failedSignIns: z.int(),
  orphans: z.array(z.unknown()),
  uses: z.array(
    z.object({ credential: z.string().nullable(), workload: z.string().nullable(), ok: z.int(), failed: z.int() }),
  ),
});
export type Figures = z.infer<typeof Figures>;

/** The simulator's own counts about one application. */
export async function readFigures(management: string, application: string): Promise<Figures> {
  const answer = await fetch(new URL("/figures", management));
  const { applications } = z.object({ applications: z.array(Figures) }).parse(await answer.json());
  const found = applications.find(({ name }) => name === application);
  if (found === undefined) throw new Error(`expected figures of ${application}, got none`);
  return found;
}
