import { z } from "zod";

const Effect = z.object({
  seq: z.int(),
  at: z.string(),
  op: z.string(),
  caller: z.string().nullable(),
  target: z.record(z.string(), z.unknown()),
  effect: z.boolean(),
  status: z.union([z.int(), z.string()]).nullable(),
  fault: z.string().nullable(),
});
export type Effect = z.infer<typeof Effect>;
const Page = z.object({ entries: z.array(Effect), next: z.union([z.int(), z.string()]).nullable(), more: z.boolean() });

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
export async function readEffects(
  management: string,
  of: { readonly name: string; readonly appId: string },
): Promise<readonly Effect[]> {
  const all: Effect[] = [];
  for (let after: string | number = 0; ; ) {
    const answer = await fetch(new URL(`/effects?after=${after}&limit=10000&origin=outside&effect=true`, management));
    const page = Page.parse(await answer.json());
    all.push(...page.entries);
    if (!page.more || page.next === null) break;
    after = page.next;
  }
  return all.filter(
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
