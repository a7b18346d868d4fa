import { type Blow, type Thaw, thaws, type Verdict, verdicts } from "./blows.ts";
import type { CrashPoint } from "./points.ts";
import { shuffled } from "./random.ts";
import type { Course, ProcedureName } from "./stage/names.ts";

/** What is tried: a kill at each point, a stall at each, and a second kill while the first is recovered from. */
export const kinds = ["kill", "stall", "second"] as const;
export type Kind = (typeof kinds)[number];

/** One rotation with the blows that the product is dealt on the way. */
export interface Trial {
  readonly name: string;
  readonly kind: Kind;
  readonly procedure: ProcedureName;
  readonly course: Course;
  readonly blows: readonly Blow[];
  /** The product is to be started just before. */
  readonly fresh: boolean;
  /** Belongs to every slice. */
  readonly pinned: boolean;
}

/** A kill at every point. */
export function killTrials(points: readonly CrashPoint[], random: () => number): Trial[] {
  return points.map((point) => trial("kill", point, [kill(point, random)], point.name));
}

/** Stalls that once broke a promise: tried whatever the seed draws. */
const known: readonly { readonly point: string; readonly thaw: Thaw; readonly verdict: Verdict }[] = [
  // A role has one password: the one that a stalled process published late was dead when another had set a new one.
  { point: "postgres-role-password/secret.set[main]#1@after-send", thaw: "published", verdict: "land-late" },
];

/**
 * A stall inside every outside call, at a position drawn by the seed, and right after every intent: the process stands
 * still beyond its lease, another one takes over, and it goes on at a moment drawn by the seed.
 */
export function stallTrials(points: readonly CrashPoint[], random: () => number): Trial[] {
  const again = known.map(({ point: name, thaw, verdict }) => {
    const point = points.find((one) => one.name === name);
    if (point === undefined) throw new Error(`expected a point ${name} in the clean runs, got none`);
    return stall({ point, how: { thaw }, verdict }, true);
  });
  const stalled = points.filter(({ at }) => at.kind === "call" || at.position === "after-intent");
  // One for all that come to their points at the same instant: they stand still together.
  const moments = new Map<string, Thaw>();
  const drawnOnes = oneOfEach(stalled, random).map((point) => {
    const thaw = moments.get(point.instant) ?? drawn(thaws, random);
    moments.set(point.instant, thaw);
    return stall({ point, how: { thaw }, verdict: drawn(verdicts, random) });
  });
  return [...again, ...drawnOnes];
}

/** First kills after which a recovery has something to find out: each attempt, before and after it had its effect. */
export function firstKills(points: readonly CrashPoint[], random: () => number): Trial[] {
  const journal = points.filter(
    ({ at }) => at.kind === "journal" && (at.position === "after-intent" || at.position === "after-answer"),
  );
  return journal.map((point) => trial("second", point, [kill(point, random)], point.name));
}

/** Second kills, at points of the recovery from the first one: one position of each call and attempt. */
export function secondKills(first: Trial, recovery: readonly CrashPoint[], random: () => number): Trial[] {
  return oneOfEach(recovery, random).map((point) => {
    const name = `${first.name} then ${point.name.slice(point.name.lastIndexOf("/", point.name.indexOf("#")) + 1)}`;
    return { ...first, name, blows: [...first.blows, kill(point, random)] };
  });
}

/**
 * Those that are always tried, then turn by turn one of each procedure, course and sort of point, so that a small slice has
 * something of everything. Those at a few instants come first, whichever the seed draws: they share their blows.
 */
export function sliceOf(trials: readonly Trial[], count: number, random: () => number): Trial[] {
  const groups = new Map<string, Trial[]>();
  const instantOf = ({ kind, blows: [blow] }: Trial) => (kind === "second" ? "" : (blow?.point.instant ?? ""));
  const instants = shuffled([...new Set(trials.map(instantOf))], random);
  const ranked = shuffled(trials, random).sort(
    (a, b) => instants.indexOf(instantOf(a)) - instants.indexOf(instantOf(b)),
  );
  for (const one of ranked) {
    if (one.pinned) continue;
    const key = `${one.procedure} ${one.course} ${one.blows[0]?.point.at.kind}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  const sorted = [...groups].sort(([a], [b]) => a.localeCompare(b)).map(([, group]) => group);
  const picked = trials.filter(({ pinned }) => pinned);
  for (let round = 0; picked.length < Math.min(count, trials.length); round += 1)
    picked.push(...sorted.flatMap((group) => group.slice(round, round + 1)));
  return picked.slice(0, count);
}

/** So many runs stand at their points at the same time and are struck together. */
const groupMax = 11;

/** Trials that are made at the same time, each with a row of its own. */
export type Group = readonly Trial[];

/**
 * Runs that come to their points at the same instant of domain time stand together and need one blow: a start of the
 * product costs as much as a rotation. A second kill is tried alone.
 */
export function groupsOf(trials: readonly Trial[], random: () => number): Group[] {
  const together = new Map<string, Trial[]>();
  for (const one of trials) {
    const [blow] = one.blows;
    if (one.kind === "second" || blow === undefined) continue;
    const key = `${one.kind} ${blow.point.instant} ${JSON.stringify(blow.how)}`;
    together.set(key, [...(together.get(key) ?? []), one]);
  }
  const groups = [...together.values()].flatMap((all) => {
    const count = Math.ceil(all.length / groupMax);
    return Array.from({ length: count }, (_, part) => all.filter((__, index) => index % count === part));
  });
  return shuffled([...groups, ...trials.filter(({ kind }) => kind === "second").map((one) => [one])], random);
}

function trial(kind: Kind, point: CrashPoint, blows: readonly Blow[], name: string): Trial {
  const { procedure, course, fresh } = point;
  return { name, kind, procedure, course, blows, fresh, pinned: false };
}

function stall(blow: Blow, pinned = false): Trial {
  return { ...trial("stall", blow.point, [blow], `stalled at ${blow.point.name}`), pinned };
}

function kill(point: CrashPoint, random: () => number): Blow {
  return { point, how: "kill", verdict: drawn(verdicts, random) };
}

/** One position of each call and attempt. */
export function oneOfEach(points: readonly CrashPoint[], random: () => number): CrashPoint[] {
  const calls = new Map<string, CrashPoint[]>();
  for (const point of points) {
    const call = point.name.slice(0, point.name.lastIndexOf("@"));
    calls.set(call, [...(calls.get(call) ?? []), point]);
  }
  return [...calls.values()].map((positions) => drawn(positions, random));
}

function drawn<T>(items: readonly T[], random: () => number): T {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new Error("expected something to draw from, got nothing");
  return item;
}
