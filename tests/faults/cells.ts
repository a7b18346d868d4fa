import { type CallShape, countCalls, fits } from "../crash/points.ts";
import type { Effect } from "../crash/stage/effects.ts";
import type { Row } from "../crash/stage/names.ts";
import type { Directory } from "../crash/stage/simulator.ts";
import { numberOf } from "./draw.ts";
import { delayMsOf, type FaultKind, kindsOf, staleSeconds } from "./kinds.ts";
import { goesBack, type Story } from "./stories.ts";

/** One thing that goes wrong in one rotation. */
export interface Cell {
  /** `story/call#occurrence kind once|always`. */
  readonly name: string;
  readonly story: Story;
  /** Name of the kind, for the report. */
  readonly kind: string;
  readonly fault: {
    readonly shape: CallShape;
    readonly nth: number;
    /** How often the undisturbed run made this call. */
    readonly made: number;
    readonly kind: FaultKind;
    readonly always: boolean;
    /** Which of the ways in which this call can go wrong, those that nobody could tell apart being one. */
    readonly way: number;
  } | null;
  /** Knobs of the whole tenant while the cell is tried; null: none. */
  readonly knobs: object | null;
  /** Its call is one that our callers make for all rows at once (their token): it is tried on a row that has callers of its own. */
  readonly seated: boolean;
}

/** Where a run stands when a call is made; "for ever" begins with the first occurrence in each. */
type Phase = "plan" | "execute" | "overlap" | "back";

/** What a run that nothing disturbs did outside, and when it came to its overlap and to its roll back (RFC 3339). */
export interface CleanRun {
  readonly story: Story;
  readonly row: Row;
  readonly effects: readonly Effect[];
  readonly overlappingAt: string | null;
  readonly rollingBackAt: string | null;
  /** When an entry of its log was made. */
  readonly entriesAt: readonly string[];
  /** When the step began from which on the story's calls are tried; null: from the beginning. */
  readonly from: string | null;
}

/** A cell without any fault: what its run does is what can go wrong. */
export function cleanCell(story: Story): Cell {
  return { name: `${story.name}/clean`, story, kind: "none", fault: null, knobs: null, seated: false };
}

/**
 * Every (call, occurrence, kind) once, and every (call, kind) for ever: from its first occurrence in each phase of the run
 * on, since what fails from the planning on never comes to fail in the overlap.
 */
export function deriveCells(
  clean: CleanRun,
  directory: Directory,
): { readonly cells: Cell[]; readonly folded: number } {
  const { story, row } = clean;
  const own = clean.effects.filter(({ workload }) => workload === null);
  const cells: Cell[] = [];
  let folded = 0;
  for (const [label, { shape }] of countCalls({ row, effects: own }, directory)) {
    if (isShared(shape) !== (row.seat !== undefined) || (story.ops !== null && !story.ops.test(shape.op))) continue;
    const calls = own.flatMap((effect, index) =>
      fits(shape, effect, row, directory) ? [{ at: effect.at, phase: phaseOf(clean, own, effect, index) }] : [],
    );
    const lookOf = looksOf(
      calls.map(({ at }) => at),
      clean.entriesAt,
    );
    const tried = calls.flatMap(({ at, phase }, index) => {
      const isEarly = clean.from !== null && at < clean.from && story.from?.before.test(shape.op) !== true;
      const wanted = !isEarly && (phase === "back") === goesBack(story);
      return wanted ? [{ phase, nth: index + 1, look: `${phase} ${lookOf[index]}` }] : [];
    });
    const firsts = tried.filter(({ phase }, index) => tried.findIndex((other) => other.phase === phase) === index);
    const once = tried.filter(({ look }, index) => tried.findIndex((other) => other.look === look) === index);
    for (const [way, alike] of kindsOf(shape).entries()) {
      const cell = (nth: number, always: boolean): Cell => {
        const call = `${story.name}/${label}#${nth}`;
        const times = always ? "always" : "once";
        const kind = alike[numberOf(`${call} ${times}`, alike.length)] as FaultKind;
        return {
          name: `${call} ${kind.name} ${times}`,
          story,
          kind: kind.name,
          fault: { shape, nth, made: calls.length, kind, always, way },
          knobs: null,
          seated: clean.row.seat !== undefined,
        };
      };
      for (const { nth } of once) cells.push(cell(nth, false));
      for (const { nth } of firsts) cells.push(cell(nth, true));
      folded += (tried.length + firsts.length) * alike.length - once.length - firsts.length;
    }
  }
  return { cells, folded };
}

/**
 * Of all cells so many that each call goes wrong in each of its ways, once and for ever, and that each of its occurrences goes
 * wrong in some way; which way comes to which occurrence is drawn by the seed. The others repeat a way at another occurrence.
 */
export function covering(cells: readonly Cell[], seed: number): Cell[] {
  const calls = Map.groupBy(cells, ({ story, fault }) =>
    fault === null ? null : `${story.name} ${callKey(fault.shape)} ${fault.always}`,
  );
  return [...calls].flatMap(([call, all]) => {
    if (call === null) return all;
    const nths = [...new Set(all.map(({ fault }) => fault?.nth))];
    const ways = [...new Set(all.map(({ fault }) => fault?.way))];
    const from = numberOf(`${seed} ${call}`, ways.length);
    return Array.from({ length: Math.max(nths.length, ways.length) }, (_, index) => {
      const [nth, way] = [nths[index % nths.length], ways[(index + from) % ways.length]];
      return all.filter(({ fault }) => fault?.nth === nth && fault?.way === way);
    }).flat();
  });
}

const callKey = ({ op, match }: CallShape): string => JSON.stringify([op, match]);

/**
 * Names what each call (by its time) was made for. A run that waits is looked at again and again, and while nothing enters
 * its log each look finds the same journal and so is the same verb in the same state: their calls have the same name. A
 * call at an instant at which the run's log grew is always one of its own.
 */
function looksOf(calls: readonly string[], entriesAt: readonly string[]): string[] {
  return calls.map((at, index) => {
    if (entriesAt.includes(at)) return `call ${index}`;
    const together = calls.filter((other) => other === at).length;
    return `look after ${entriesAt.filter((entry) => entry < at).length}, ${index - calls.indexOf(at)} of ${together}`;
  });
}

/** Whether the call says who makes it and nothing of the row that it is made for. */
export function isShared({ match }: CallShape): boolean {
  return !Object.values(match).some((value) => /\{(row|app|group)\}/.test(value));
}

/**
 * The cell for a run like the one that made its call so often and no more, counted from the end: a run that waits looks as
 * often as it has to, so that what comes after the wait is a lower occurrence where the wait is shorter.
 */
export function aimed(cell: Cell, made: number): Cell {
  if (cell.fault === null || made >= cell.fault.nth) return cell;
  const nth = Math.max(1, cell.fault.nth - (cell.fault.made - made));
  return { ...cell, fault: { ...cell.fault, nth, made } };
}

/** Every read of the directory lags, for all rows: nothing else runs beside it. */
export function staleCell(story: Story): Cell {
  const knobs = { visibilityLagSeconds: [staleSeconds, staleSeconds] };
  return { name: `${story.name}/directory stale always`, story, kind: "stale", fault: null, knobs, seated: false };
}

function phaseOf(
  { story, overlappingAt, rollingBackAt }: CleanRun,
  own: readonly Effect[],
  effect: Effect,
  index: number,
): Phase {
  if (story.refused !== undefined) {
    const { op } = story.refused;
    return index > own.findLastIndex((other) => other.op === op && other.status === 403) ? "back" : "execute";
  }
  if (rollingBackAt !== null && effect.at >= rollingBackAt) return "back";
  if (overlappingAt !== null && effect.at > overlappingAt) return "overlap";
  const first = own.findIndex((other) => other.effect && other.op !== "token" && other.op !== "postgres.connect");
  return index < first ? "plan" : "execute";
}

/** The faults of a cell as the simulator takes them; `fill` puts the names of its row into a match. */
export function armOf(
  {
    story,
    fault,
  }: {
    readonly story: Pick<Story, "refused"> & Partial<Pick<Story, "procedure">>;
    readonly fault: Omit<NonNullable<Cell["fault"]>, "way" | "made"> | null;
  },
  fill: (shape: CallShape) => Record<string, string>,
): object[] {
  const refused =
    story.refused === undefined
      ? []
      : [{ op: story.refused.op, match: fill(story.refused), kind: "403", times: "always" }];
  if (fault === null) return refused;
  const { name: _name, mute: _mute, ...kind } = fault.kind;
  const delayMs = delayMsOf(fault.kind, story);
  const times = fault.always ? "always" : 1;
  return [
    ...refused,
    {
      op: fault.shape.op,
      match: fill(fault.shape),
      nth: fault.nth,
      times,
      ...kind,
      ...(delayMs === null ? {} : { delayMs }),
    },
  ];
}
