import type { LogEntry } from "./observe.ts";
import { callersOf, type Effect } from "./stage/effects.ts";
import { type Course, groupOf, type ProcedureName, type Row, rotatorOf, seated, vaults } from "./stage/names.ts";
import type { Directory } from "./stage/simulator.ts";

/** Positions of an outside call: the simulator stops the request there. */
const callPositions = ["after-send", "after-effect", "after-answer"] as const;
/** Positions of a journaled attempt: the product announces them and waits. */
const journalPositions = ["before-intent", "after-intent", "after-answer", "after-commit"] as const;

/** What the simulator matches a request by; `{row}` stands for the row's name, `{app}` for its application, `{reader}` and so on for our callers. */
export interface CallShape {
  readonly op: string;
  readonly match: Readonly<Record<string, string>>;
}

/** One moment at which the product is killed. */
export interface CrashPoint {
  /** `procedure/call#occurrence@position`. */
  readonly name: string;
  readonly procedure: ProcedureName;
  readonly course: Course;
  readonly at:
    | {
        readonly kind: "call";
        readonly shape: CallShape;
        readonly nth: number;
        readonly position: (typeof callPositions)[number];
      }
    | {
        readonly kind: "journal";
        readonly call: string;
        readonly nth: number;
        readonly position: (typeof journalPositions)[number];
      };
  /** Only a product that has just been started makes this call. */
  readonly fresh: boolean;
  /** Instant of domain time at which a run comes there: `plan`, or so many seconds after its authorisation. */
  readonly instant: string;
}

/** What one run shows: what it did outside, and what it announced of its journal. */
export interface CleanRun {
  readonly row: Row;
  readonly effects: readonly Effect[];
  readonly announced: readonly string[];
  readonly entries: readonly LogEntry[];
  /** Points are wanted from here on: how many effects and announcements came before. */
  readonly from?: { readonly effects: number; readonly announced: number };
}

/** Every crash point of one procedure, from a clean run by a new process and one by a process that had run before. */
export function derivePoints(cold: CleanRun, warm: CleanRun, directory: Directory): CrashPoint[] {
  const { procedure } = cold.row;
  const course = cold.row.course === "back" ? `${procedure}/back` : procedure;
  const from = cold.from ?? { effects: 0, announced: 0 };
  const early = countCalls({ ...cold, effects: cold.effects.slice(0, from.effects) }, directory);
  const counted = countCalls(cold, directory);
  const again = countCalls(warm, directory);
  const calls = [...counted].flatMap(([label, { shape, times }]) =>
    range(times.length, early.get(label)?.times.length).flatMap((nth) =>
      positionsOf(shape.op).map((position): CrashPoint => {
        const fresh = nth > (again.get(label)?.times.length ?? 0) || isOwnToken(shape);
        return {
          name: `${course}/${label}#${nth}@${position}`,
          procedure,
          course: cold.row.course,
          at: { kind: "call", shape, nth, position },
          fresh,
          instant: instantOf(cold, times[nth - 1]),
        };
      }),
    ),
  );
  const names = cold.announced.map((name) => name.replaceAll(cold.row.name, "{row}"));
  const attempts = countAttempts(names);
  const earlier = countAttempts(names.slice(0, from.announced));
  const journal = [...attempts].flatMap(([call, count]) =>
    range(count, earlier.get(call)).flatMap((nth) =>
      journalPositions.map((position): CrashPoint => {
        const label = `journal ${call.replaceAll("{row}-", "")}`;
        return {
          name: `${course}/${label}#${nth}@${position}`,
          procedure,
          course: cold.row.course,
          at: { kind: "journal", call, nth, position },
          fresh: false,
          instant: instantOf(cold, timeOfAttempt(cold, call, nth, position)),
        };
      }),
    ),
  );
  return [...calls, ...journal];
}

function countAttempts(announced: readonly string[]): Map<string, number> {
  const attempts = new Map<string, number>();
  for (const name of announced) {
    const [call = "", position] = name.split("@");
    if (position === "before-intent") attempts.set(call, (attempts.get(call) ?? 0) + 1);
  }
  return attempts;
}

/** The proxy of the simulator can stop a connection before it is made, and a statement at every position. */
function positionsOf(op: string): readonly (typeof callPositions)[number][] {
  return op === "postgres.connect" ? ["after-send"] : callPositions;
}

function instantOf({ entries }: CleanRun, at: string | undefined): string {
  const authorised = entries.find(({ type }) => type === "run.authorised")?.at;
  if (at === undefined || authorised === undefined || at < authorised) return "plan";
  return `+${Math.floor((Date.parse(at) - Date.parse(authorised)) / 1_000)} s`;
}

/** When an attempt came to a position: intent and outcome have entries of their own. */
function timeOfAttempt({ entries, row }: CleanRun, call: string, nth: number, position: string): string | undefined {
  const type = position.endsWith("-intent") ? "step.intent" : "step.outcome";
  const name = call.replaceAll("{row}", row.name);
  const own = entries.filter((entry) => entry.type === type && `${entry.data.direction}:${entry.data.step}` === name);
  return own[nth - 1]?.at;
}

/** Calls of a clean run by name: how each is matched, and when it was made each time. */
export function countCalls(
  { row, effects }: Pick<CleanRun, "row" | "effects">,
  directory: Directory,
): Map<string, { readonly shape: CallShape; readonly times: readonly string[] }> {
  const found = new Map<string, { readonly shape: CallShape; readonly times: readonly string[] }>();
  const own = effects.filter((effect) => effect.workload === null);
  for (const effect of own) {
    const { label, shape } = shapeOf(effect, row, directory);
    if (!found.has(label))
      found.set(label, {
        shape,
        times: own.filter((other) => fits(shape, other, row, directory)).map(({ at }) => at),
      });
  }
  return found;
}

/** Names a call by what stays the same in every run: its operation and what it was about. */
function shapeOf(
  effect: Effect,
  row: Row,
  directory: Directory,
): { readonly label: string; readonly shape: CallShape } {
  const { op, target } = effect;
  if (op.startsWith("postgres.")) {
    const own = target.role === rotatorOf(row);
    const role = own ? "{rotator}" : String(target.role).replaceAll(row.name, "{row}");
    const who = own ? "rotator" : role.replace("{row}", "role");
    if (op === "postgres.connect") return { label: `${op}[${who}]`, shape: { op, match: { role } } };
    const text = firstWords(String(target.text).replaceAll(row.name, "{row}"));
    return {
      label: `${op}[${who}: ${text.replaceAll('"', "").replaceAll("{row}", "role")}]`,
      shape: { op, match: { role, text } },
    };
  }
  if (typeof target.vault === "string") {
    const vault = target.vault.replace(/-\d+$/, "");
    return { label: `${op}[${vault}]`, shape: { op, match: { vault: `{${vault}}`, secret: "{row}" } } };
  }
  if (typeof target.site === "string") return { label: `${op}[site]`, shape: { op, match: { site: "{row}" } } };
  if (typeof target.group === "string") return { label: `${op}[group]`, shape: { op, match: { group: "{group}" } } };
  const ofSeat = (clientId: unknown) => callersOf(row, directory).find(([, own]) => own === clientId)?.[0];
  if (typeof target.appId !== "string") {
    const who = ofSeat(effect.caller);
    return who === undefined
      ? { label: op, shape: { op, match: {} } }
      : { label: `${op}[by ${who}]`, shape: { op, match: { caller: `{${who}}` } } };
  }
  const who = ofSeat(target.appId);
  if (who !== undefined) return { label: `${op}[${who}]`, shape: { op, match: { appId: `{${who}}` } } };
  return { label: `${op}[app]`, shape: { op, match: { appId: "{app}" } } };
}

/** A statement up to its first value or line end: markers and nonces differ in every run. */
function firstWords(text: string): string {
  return (text.split(/E?'|\n/)[0] ?? "").trim().slice(0, 120);
}

/** A shape's fields with the names of one row in them. */
export function matchFor(shape: CallShape, row: Row, directory: Directory): Record<string, string> {
  const appId = directory.applications.find(({ name }) => name === row.name)?.appId ?? "";
  const callers = callersOf(row, directory).map(([name, clientId]) => [`{${name}}`, clientId] as const);
  const names = [
    ["{row}", row.name],
    ["{app}", appId],
    ["{group}", String(groupOf(row.name))],
    ["{rotator}", rotatorOf(row)],
    ...Object.values(vaults).map((name) => [`{${name}}`, seated(name, row.seat)] as const),
    ...callers,
  ] as const;
  const filled = (text: string) => names.reduce((done, [name, value]) => done.replaceAll(name, value), text);
  return Object.fromEntries(Object.entries(shape.match).map(([key, value]) => [key, filled(value)]));
}

/** The simulator's own rule: `text` is part of the statement, everything else is equal. */
export function fits(shape: CallShape, effect: Effect, row: Row, directory: Directory): boolean {
  if (effect.op !== shape.op) return false;
  const { text, caller, ...exact } = matchFor(shape, row, directory);
  if (text !== undefined && !String(effect.target.text ?? "").includes(text)) return false;
  if (caller !== undefined && effect.caller !== caller) return false;
  return Object.entries(exact).every(([key, value]) => effect.target[key] === value);
}

/** Our callers' tokens are kept for an hour of domain time: when one is due depends on the runs before. */
function isOwnToken({ op, match }: CallShape): boolean {
  return op === "token" && match.appId !== "{app}";
}

/** Numbers after `from`, up to `to`. */
function range(to: number, from = 0): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index + 1);
}
