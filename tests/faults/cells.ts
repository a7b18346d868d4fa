import { type CallShape, type CleanRun, countCalls, fits } from "../crash/points.ts";
import type { ProcedureName } from "../crash/stage/names.ts";
import type { Directory } from "../crash/stage/simulator.ts";
import { type FaultKind, faultKinds } from "./kinds.ts";

/** One thing that goes wrong in one rotation. */
export interface Cell {
  /** `procedure/call#occurrence kind once|always`. */
  readonly name: string;
  readonly procedure: ProcedureName;
  /** null: nothing is armed; the directory's replicas lag. */
  readonly fault: {
    readonly shape: CallShape;
    readonly nth: number;
    readonly kind: FaultKind;
    readonly always: boolean;
  } | null;
  /** Its call is made for all rows at once (our own token): nothing else may run beside it. */
  readonly alone: boolean;
}

/**
 * Every (call, occurrence, kind) once, and every (call, kind) for ever: from its first occurrence on, and from its first one
 * after the first effect, so that what fails for ever is not only the planning.
 */
export function deriveCells(cold: CleanRun, directory: Directory): Cell[] {
  const { procedure } = cold.row;
  const cells: Cell[] = [];
  for (const [label, { shape, count }] of countCalls(cold, directory)) {
    const isSql = shape.op.startsWith("postgres.");
    const alone = shape.op === "token" && shape.match.appId !== "{app}";
    const planned = occurrencesBeforeEffects(cold, shape, directory);
    const from = planned > 0 && planned < count ? [1, planned + 1] : [1];
    for (const kind of faultKinds) {
      if (isSql && kind.httpOnly === true) continue;
      const cell = (nth: number, always: boolean): Cell => ({
        name: `${procedure}/${label}#${nth} ${kind.name} ${always ? "always" : "once"}`,
        procedure,
        fault: { shape, nth, kind, always },
        alone,
      });
      for (let nth = 1; nth <= count; nth += 1) cells.push(cell(nth, false));
      for (const nth of from) cells.push(cell(nth, true));
    }
  }
  cells.push({ name: `${procedure}/directory stale`, procedure, fault: null, alone: true });
  return cells;
}

/** How often a call is made before anything is changed outside. */
function occurrencesBeforeEffects({ row, effects }: CleanRun, shape: CallShape, directory: Directory): number {
  const own = effects.filter(({ workload }) => workload === null);
  const first = own.findIndex(({ op, effect }) => effect && op !== "token" && op !== "postgres.connect");
  return own.slice(0, Math.max(first, 0)).filter((effect) => fits(shape, effect, row, directory)).length;
}
