import type { RunState } from "@countersign/core";
import { type LogEntry, readJournal } from "../crash/observe.ts";
import { type Effect, effectsOf, readEffects } from "../crash/stage/effects.ts";
import type { Lane } from "../crash/stage/lane.ts";
import type { Row } from "../crash/stage/names.ts";

/** A run as its row and its log say. */
export interface SeenRun {
  readonly id: string;
  readonly state: RunState;
  readonly entries: readonly LogEntry[];
}

/** What can be seen of one row between two commands: by the database and by the tenant, not by the product. */
export interface Look {
  /** Domain time, ms. */
  readonly now: number;
  /** Oldest first. */
  readonly runs: readonly SeenRun[];
  /** Live secrets of the application: id, and the run whose marker it carries; null: not one of ours. */
  readonly keys: ReadonlyMap<string, string | null>;
  /** The one whose value the record holds. */
  readonly record: string;
}

export async function look({ simulator, server }: Lane, row: Row): Promise<Look> {
  const { now } = (await simulator.get("/clock")) as { now: string };
  const { applications } = await simulator.directory();
  const credentials = applications.find(({ name }) => name === row.name)?.credentials ?? [];
  const { records } = (await simulator.get("/holdings")) as Holdings;
  const record = records.find(({ vault, secret }) => vault === "main" && secret === row.name)?.keyId ?? "none";
  const found = await server.admin.query<{ id: string }>(
    "select id from cs.run where target_key = $1 order by created_at, id",
    [row.name],
  );
  const runs: SeenRun[] = [];
  for (const { id } of found.rows) {
    const { state, entries } = await readJournal(server.admin, id);
    runs.push({ id, state: state as RunState, entries });
  }
  return {
    now: Date.parse(now),
    runs,
    record,
    keys: new Map(credentials.map(({ keyId, displayName }) => [keyId, markerOf(displayName)])),
  };
}

interface Holdings {
  readonly records: readonly { readonly vault: string; readonly secret: string; readonly keyId: string }[];
}

/** The run in `cs:<run>:<attempt>:<nonce>` (docs/connectors/entra.md). */
function markerOf(displayName: string | null): string | null {
  return /^cs:(run_[0-9a-z]{26}):/.exec(displayName ?? "")?.[1] ?? null;
}

/** A history without what differs between two runs of the same sequence: ids, times, digests, and what a name is worth. */
export interface NormalHistory {
  /** One list per run: its entries in order. */
  readonly runs: readonly (readonly string[])[];
  /**
   * One list per run: what people were told, by the deliveries themselves. The notifier works beside the executor: its entries
   * fall where they may, and outside the run's chain once the run is closed (cs.delivery_entry).
   */
  readonly notices: readonly (readonly string[])[];
  /** What the product changed outside, in order. */
  readonly effects: readonly string[];
}

export async function normalHistory(lane: Lane, row: Row, after: number): Promise<NormalHistory> {
  const { runs } = await look(lane, row);
  const { effects } = await readEffects(lane.simulator.management, after, { origin: "outside", effect: true });
  const ours = effectsOf(effects, row, lane.directory).filter(
    ({ userAgent, op }) => userAgent?.startsWith("countersign/") === true && changes.has(op),
  );
  return {
    runs: runs.map(({ entries }) =>
      entries.filter(({ type }) => !type.startsWith("notice.")).map((entry) => normalEntry(entry, row)),
    ),
    notices: await toldOf(
      lane,
      runs.map(({ id }) => id),
    ),
    effects: ours.map((effect) => normalEffect(effect, row)),
  };
}

const changes: ReadonlySet<string> = new Set(["application.addPassword", "application.removePassword", "secret.set"]);

/** What of an entry says the same whenever the same thing happens. */
const telling = [
  "from",
  "to",
  "step",
  "direction",
  "attempt",
  "call",
  "outcome",
  "verified",
  "decision",
  "role",
  "grade",
  "open",
  "provenDead",
  "state",
] as const;

type Facts = Readonly<Record<string, unknown>>;

async function toldOf({ server }: Lane, runs: readonly string[]): Promise<string[][]> {
  const { rows } = await server.admin.query<Record<"run" | "kind" | "channel" | "state" | "code", string | null>>(
    "select n.run_id as run, n.kind, d.channel, coalesce(d.state, n.state) as state, d.code" +
      " from cs.notice n left join cs.delivery d on d.notice_id = n.id where n.run_id = any($1)",
    [runs],
  );
  return runs.map((id) =>
    rows
      .filter(({ run }) => run === id)
      .map(({ run: _, ...facts }) =>
        Object.entries(facts)
          .flatMap(([key, value]) => part(key, value))
          .join(" "),
      )
      .toSorted(),
  );
}

function normalEntry({ type, data }: LogEntry, row: Row): string {
  const facts = data as Facts;
  const because = facts.because as Facts | null | undefined;
  const error = facts.error as Facts | null | undefined;
  const parts = [
    ...telling.flatMap((key) => part(key, facts[key])),
    ...part("because", because?.code),
    ...part("at", because?.step),
    ...part("error", error?.code),
  ];
  return [type, ...parts].join(" ").replaceAll(row.name, "{row}");
}

function normalEffect({ op, target }: Effect, row: Row): string {
  return [op, ...part("vault", target.vault)].join(" ").replaceAll(row.name, "{row}");
}

/** One fact, if it was said. */
function part(key: string, value: unknown): string[] {
  return value === undefined || value === null ? [] : [`${key}=${JSON.stringify(value)}`];
}

/** The first place at which two histories part; null: they are the same. */
export function difference(one: NormalHistory, other: NormalHistory): string | null {
  const lines = ({ runs, notices, effects }: NormalHistory) => [
    ...runs.flatMap((entries, index) => entries.map((entry) => `run ${index + 1}: ${entry}`)),
    ...notices.flatMap((told, index) => told.map((entry) => `told of run ${index + 1}: ${entry}`)),
    ...effects.map((effect) => `effect: ${effect}`),
  ];
  const [first, second] = [lines(one), lines(other)];
  const at = first.findIndex((line, index) => line !== second[index]);
  if (at < 0 && first.length === second.length) return null;
  const where = at < 0 ? first.length : at;
  return `line ${where + 1}: ${first[where] ?? "nothing"} / ${second[where] ?? "nothing"}`;
}
