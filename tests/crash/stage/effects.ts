import { z } from "zod";
import { groupOf, isEntra, type Row, rolesOf, rotatorOf, seated } from "./names.ts";
import type { Directory } from "./simulator.ts";

/** One thing that was done to the tenant, or tried, as its effect log has it (docs/simulator.md). */
const Effect = z.object({
  seq: z.int(),
  at: z.string(),
  op: z.string(),
  caller: z.string().nullable(),
  workload: z.string().nullable(),
  target: z.record(z.string(), z.unknown()),
  effect: z.boolean(),
  status: z.union([z.int(), z.string()]).nullable(),
  code: z.string().nullable(),
  fault: z.string().nullable(),
  userAgent: z.string().nullable(),
});
export type Effect = z.infer<typeof Effect>;
const Page = z.object({ entries: z.array(Effect), next: z.int(), more: z.boolean() });

/** Which entries are asked for: all, or only those of callers that are no workload, or only what had an effect. */
export interface EffectQuery {
  readonly origin?: "outside";
  readonly effect?: true;
}

/** The effect log after a cursor, and where it ends now. */
export async function readEffects(
  management: string,
  after = 0,
  query: EffectQuery = {},
): Promise<{ readonly effects: Effect[]; readonly cursor: number }> {
  const effects: Effect[] = [];
  const only = Object.entries(query).map(([key, value]) => `&${key}=${value}`);
  for (let cursor = after; ; ) {
    const answer = await fetch(new URL(`/effects?after=${cursor}&limit=10000${only.join("")}`, management));
    if (!answer.ok) throw new Error(`expected the effect log, got ${answer.status}`);
    const page = Page.parse(await answer.json());
    effects.push(...page.entries);
    cursor = page.next;
    if (!page.more) return { effects, cursor };
  }
}

/**
 * What stayed done: a statement inside a transaction counts once that is committed; what a session that broke had begun
 * never was.
 */
export function committed(effects: readonly Effect[]): Effect[] {
  const undone = new Set<Effect>();
  const open = new Map<unknown, Effect[]>();
  for (const effect of effects) {
    if (effect.op !== "postgres.query") continue;
    const { session, text } = effect.target;
    const [, word] = /^\s*(begin|commit|rollback)\b/i.exec(String(text)) ?? [];
    const begun = open.get(session);
    switch (word?.toLowerCase()) {
      case "begin":
        open.set(session, []);
        break;
      case "commit":
      case "rollback":
        if (word?.toLowerCase() === "rollback" || !effect.effect) for (const one of begun ?? []) undone.add(one);
        open.delete(session);
        break;
      default:
        begun?.push(effect);
    }
  }
  for (const begun of open.values()) for (const one of begun) undone.add(one);
  return effects.filter((effect) => !undone.has(effect));
}

/** The part of the effect log that is about one row. */
export function effectsOf(effects: readonly Effect[], row: Row, directory: Directory): Effect[] {
  const app = directory.applications.find(({ name }) => name === row.name);
  const roles: readonly unknown[] = rolesOf(row.name);
  const seat: readonly unknown[] =
    row.seat === undefined ? [] : [rotatorOf(row), ...callersOf(row, directory).map(([, clientId]) => clientId)];
  // What people do in the portal is nobody's call.
  const called = effects.filter(({ op }) => !op.startsWith("portal."));
  return called.filter(
    ({ target, workload, caller }) =>
      (workload === null && [caller, target.appId, target.role].some((who) => seat.includes(who))) ||
      workload?.startsWith(`${row.name}-`) === true ||
      (app !== undefined && (target.appId === app.appId || target.objectId === app.objectId)) ||
      target.secret === row.name ||
      target.site === row.name ||
      target.group === String(groupOf(row.name)) ||
      roles.includes(target.role) ||
      (!isEntra(row) && String(target.text ?? "").includes(`${row.name}_`)),
  );
}

/** Who calls for a row: the usual callers, or those of its seat. */
export function callersOf({ seat }: Row, { callers }: Directory): readonly (readonly [string, string])[] {
  return ["reader", "writer", "vault"].map((name) => [name, callers[seated(name, seat)]?.clientId ?? ""]);
}
