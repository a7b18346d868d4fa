/**
 * The one history checker of every suite. `historyOf` reads what the product stored and joins it with what the simulator
 * saw; `violationsOf` (core) judges it. A suite that breaks things on purpose asks `surprises`. Read it while the product
 * is well, or stopped: it is a look at one instant.
 */
import { type History, type InvariantId, type Outside, type Violation, violationsOf } from "@countersign/core";
import { openStore, readHistory } from "@countersign/engine";
import { loadInstallation } from "@countersign/server";
import type pg from "pg";
import { readOutside } from "./outside.ts";

export interface HistoryPlace {
  readonly database: pg.ClientConfig;
  readonly management: string;
  /** Management addresses of further tenants. */
  readonly beside?: readonly string[] | undefined;
  /** Configuration of the product, for where values may be written (I12); nothing is said of scopes without it. */
  readonly config?: string;
  /** Where the effect log begins to be of interest. */
  readonly after?: number;
  /** Only these runs and what was done for them; all otherwise. */
  readonly runs?: readonly string[];
}

/** Everything of an installation, or of some of its runs, with what happened outside. */
export async function historyOf(place: HistoryPlace): Promise<History> {
  const { host = "", port = 0, database = "", user = "", password } = place.database;
  const address = { host, port, database, tls: null };
  const connection = { address, user, password: String(password) };
  const store = openStore({ role: "cs_executor", connection, connectionsMax: 2 });
  try {
    const [first, ...others] = await Promise.all([
      readOutside(place.management, place.after),
      ...(place.beside ?? []).map((management) => readOutside(management)),
    ]);
    const outside = others.reduce(joined, first);
    const now = (await (await fetch(new URL("/clock", place.management))).json()) as { now: string };
    const runs = place.runs ?? (await everyRun(store));
    const scopes = place.config === undefined ? null : loadInstallation(place.config).config.connections;
    return { ...(await readHistory(store, runs, Date.parse(now.now))), scopes, outside };
  } finally {
    await store.close();
  }
}

/** What happened in two tenants, in one order of time. */
function joined(one: Outside, other: Outside): Outside {
  const both = <T>(key: (outside: Outside) => readonly T[] | null): T[] => [...(key(one) ?? []), ...(key(other) ?? [])];
  const at = (a: { readonly at: number }, b: { readonly at: number }) => a.at - b.at;
  return {
    effects: both(({ effects }) => effects).sort(at),
    signIns: both(({ signIns }) => signIns).sort(at),
    credentials: both(({ credentials }) => credentials),
    records: both(({ records }) => records),
    values: both(({ values }) => values),
  };
}

async function everyRun(store: ReturnType<typeof openStore>): Promise<string[]> {
  const all: string[] = [];
  for (let after = ""; ; ) {
    const page = await store.runsToCheck({ since: 0, after, limit: 100 });
    all.push(...page);
    const last = page.at(-1);
    if (last === undefined) return all;
    after = last;
  }
}

/** What a test that breaks something on purpose expects to be reported, by run. */
export type Expected = ReadonlyMap<string, readonly InvariantId[]>;

/** What is wrong with a history: violations that nobody expects, and expected ones that nobody reported. */
export function surprises(history: History, expected: Expected): string[] {
  const found = violationsOf(history);
  const unexpected = found.filter(
    ({ run, invariant }) => run === null || expected.get(run)?.includes(invariant) !== true,
  );
  const missing = [...expected].flatMap(([run, ids]) =>
    ids
      .filter((id) => !found.some((violation) => violation.run === run && violation.invariant === id))
      .map((id) => `expected ${id} to be reported of ${run}, it was not`),
  );
  return [...unexpected.map(text), ...missing];
}

export function text({ invariant, run, sentence }: Violation): string {
  return `${invariant} ${run ?? "-"}: ${sentence}`;
}
