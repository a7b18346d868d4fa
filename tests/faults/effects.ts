import { type Effect, effectsOf } from "../crash/stage/effects.ts";
import type { Lane } from "../crash/stage/lane.ts";
import { groupOf, type Row, rolesOf, rotatorOf } from "../crash/stage/names.ts";

/**
 * What was done to the tenant since a batch began, by row. The log is long and looked at after each step: only what is new is
 * read, and each entry is compared with the few rows that it can be about.
 */
export class BatchEffects {
  readonly #lane: Lane;
  /** Entries that may be about a row, by what an entry of its would name. */
  readonly #named = new Map<string, Effect[]>();
  #cursor: number;

  constructor(lane: Lane, after: number) {
    this.#lane = lane;
    this.#cursor = after;
  }

  async readOn(): Promise<void> {
    const fresh = await this.#lane.simulator.effects(this.#cursor);
    for (const effect of fresh) {
      this.#cursor = effect.seq;
      for (const name of namesIn(effect)) {
        const known = this.#named.get(name);
        if (known === undefined) this.#named.set(name, [effect]);
        else known.push(effect);
      }
    }
  }

  /** The part that is about one row, in order. */
  of(row: Row): Effect[] {
    const { directory } = this.#lane;
    const app = directory.applications.find(({ name }) => name === row.name);
    const callers = ["reader", "writer", "vault"].map((name) => directory.callers[`${name}-${row.seat}`]?.clientId);
    const names = [
      row.name,
      groupOf(row.name),
      ...rolesOf(row.name),
      rotatorOf(row),
      app?.appId,
      app?.objectId,
      ...callers,
    ];
    const found = new Set(names.flatMap((name) => this.#named.get(String(name)) ?? []));
    return effectsOf(
      [...found].toSorted((a, b) => a.seq - b.seq),
      row,
      directory,
    );
  }
}

/** Names of rows, applications, callers and places in one entry. */
function namesIn({ workload, caller, target }: Effect): ReadonlySet<string> {
  const { appId, objectId, secret, site, group, role, text } = target;
  const [row] = workload?.split("-") ?? [];
  const inText = [...String(text ?? "").matchAll(/([a-z]\d+)_/g)].map(([, name]) => name);
  const names = [row, caller, appId, objectId, secret, site, group, role, ...inText];
  return new Set(names.filter((name) => name !== undefined && name !== null).map(String));
}
