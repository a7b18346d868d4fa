import { z } from "zod";
import type { SimulatedTenant } from "./simulator.ts";
import { demoApplications } from "./world.ts";

const Effect = z.object({
  seq: z.int(),
  at: z.string(),
  op: z.string(),
  caller: z.string().nullable(),
  workload: z.string().nullable(),
  target: z.record(z.string(), z.unknown()),
  effect: z.boolean(),
});
export type Effect = z.infer<typeof Effect>;
const Page = z.object({ entries: z.array(Effect), next: z.union([z.int(), z.string()]).nullable(), more: z.boolean() });

const Uses = z.object({
  name: z.string(),
  signIns: z.int(),
  failedSignIns: z.int(),
  orphans: z.array(z.unknown()).default([]),
});
const Figures = z.object({ applications: z.array(Uses), postgres: z.array(Uses) });

/** The whole effect log of the simulated tenant. */
export async function effectsOf(tenant: SimulatedTenant): Promise<readonly Effect[]> {
  const all: Effect[] = [];
  for (let after: string | number = 0; ; ) {
    const page = Page.parse(await tenant.get(`/effects?after=${after}&limit=10000`));
    all.push(...page.entries);
    if (!page.more || page.next === null) return all;
    after = page.next;
  }
}

/** What the effect log says about one application: nothing here is known from anywhere else. */
export interface RunFigures {
  readonly signIns: number;
  readonly failedSignIns: number;
  readonly orphans: number;
  /** Sign-ins with the old credential after the new one was published. */
  readonly oldKeySignInsDuringOverlap: number;
  /** Consumers that had signed in with the new credential when the old one was taken away. */
  readonly consumersOnNewKeyBeforeRetirement: number;
  readonly consumers: number;
  /** Changes outside before the run was authorised. */
  readonly effectsWithoutApproval: number;
}

/** Times of the run that the log of the product gives; ms of domain time. */
export interface RunTimes {
  readonly requestedAt: number;
  readonly authorisedAt: number | null;
  readonly old: string;
}

const changes = [
  "application.addPassword",
  "application.removePassword",
  "secret.set",
  "secret.patch",
  "secret.delete",
];

/** Computes the figures of one run from the effect log and the simulator's own counts. */
export async function figuresOf(
  tenant: SimulatedTenant,
  effects: readonly Effect[],
  name: string,
  times: RunTimes,
): Promise<RunFigures> {
  const counts = Figures.parse(await tenant.get("/figures"));
  const isPostgres = name === demoApplications.postgres;
  const directory = await tenant.directory();
  const appId = directory.applications.find((application) => application.name === name)?.appId;
  const own = isPostgres ? counts.postgres[0] : counts.applications.find((candidate) => candidate.name === name);
  const signIns = effects.filter(
    (effect) =>
      effect.workload !== null &&
      (isPostgres ? effect.op === "postgres.connect" : effect.op === "token" && effect.target.appId === appId),
  );
  const keyOf = (effect: Effect) => effect.target[isPostgres ? "role" : "keyId"];

  const changed = effects.filter(
    (effect) => effect.effect && effect.workload === null && touches(effect, name, appId, isPostgres),
  );
  const published = changed.find(
    (effect) => effect.op === "secret.set" && effect.target.vault === "main" && ms(effect) >= times.requestedAt,
  );
  const retired = changed.findLast((effect) =>
    isPostgres
      ? /NOLOGIN/i.test(String(effect.target.text)) && String(effect.target.text).includes(times.old)
      : effect.op === "application.removePassword" && effect.target.keyId === times.old,
  );
  const after = (effect: Effect, since: Effect | undefined) => since !== undefined && ms(effect) >= ms(since);
  const before = (effect: Effect, until: Effect | undefined) => until === undefined || ms(effect) < ms(until);
  const onNew = new Set(
    signIns
      .filter((effect) => effect.effect && keyOf(effect) !== times.old && before(effect, retired))
      .map((effect) => effect.workload),
  );
  return {
    signIns: own?.signIns ?? 0,
    failedSignIns: own?.failedSignIns ?? 0,
    orphans: own?.orphans.length ?? 0,
    oldKeySignInsDuringOverlap: signIns.filter(
      (effect) => effect.effect && keyOf(effect) === times.old && after(effect, published) && before(effect, retired),
    ).length,
    consumersOnNewKeyBeforeRetirement: onNew.size,
    consumers: new Set(signIns.map((effect) => effect.workload)).size,
    effectsWithoutApproval: changed.filter((effect) => times.authorisedAt === null || ms(effect) < times.authorisedAt)
      .length,
  };
}

function touches(effect: Effect, name: string, appId: string | undefined, isPostgres: boolean): boolean {
  if (effect.op === "postgres.query") return isPostgres && /^\s*(alter|comment)/i.test(String(effect.target.text));
  if (!changes.includes(effect.op)) return false;
  return effect.target.secret === name || (appId !== undefined && effect.target.appId === appId);
}

function ms(effect: Effect): number {
  return Date.parse(effect.at);
}
