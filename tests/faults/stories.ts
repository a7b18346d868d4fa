import type { CallShape } from "../crash/points.ts";
import { type ConsumerKind, letters, type ProcedureName, type Row, rowName } from "../crash/stage/names.ts";

/** A rotation in which something is to go wrong: forward, or on its way back. */
export interface Story {
  readonly name: string;
  readonly procedure: ProcedureName;
  readonly consumers?: readonly ConsumerKind[];
  /** Refused for ever (403), so that the run rolls back; the fault of the cell then hits the roll back. */
  readonly refused?: CallShape;
  /** A person rolls back during the overlap; the fault of the cell then hits the roll back. */
  readonly asksBack?: true;
  /** Calls are tried from this step on, and these before it: all others before it are those of another story, made by the same steps. */
  readonly from?: { readonly step: string; readonly before: RegExp };
  /** Which calls are tried; null: all. Others are the same call of the same verb in the same state as in another story. */
  readonly ops: RegExp | null;
}

/** Calls of Azure DevOps and App Service. */
const placeOps = /^(variableGroup|settings|references|site|auditLog|activityLog|connectionData)\./;
const everyPlace: readonly ConsumerKind[] = ["latest", "copied", "pipeline", "setting", "reference"];

export const stories: readonly Story[] = [
  { name: "entra", procedure: "entra-client-secret", ops: null },
  { name: "postgres", procedure: "postgres-role-password", ops: null },
  {
    name: "named",
    procedure: "entra-replace-foreign",
    from: { step: "switch", before: /^signIns\./ },
    ops: null,
  },
  { name: "places", procedure: "entra-client-secret", consumers: everyPlace, ops: placeOps },
  {
    name: "entra-back",
    procedure: "entra-client-secret",
    refused: { op: "secret.set", match: { vault: "{partner}", secret: "{row}" } },
    ops: null,
  },
  { name: "named-back", procedure: "entra-replace-foreign", asksBack: true, ops: null },
  { name: "postgres-back", procedure: "postgres-role-password", asksBack: true, ops: null },
  {
    name: "places-back",
    procedure: "entra-client-secret",
    consumers: everyPlace,
    asksBack: true,
    ops: new RegExp(`${placeOps.source}|^secret\\.`),
  },
];

export function goesBack({ refused, asksBack }: Story): boolean {
  return refused !== undefined || asksBack === true;
}

/** Hands out fresh rows: one rotation is made with each. */
export class Rows {
  readonly all: Row[] = [];
  #next = 0;

  /** With `seat`: of its own tenant, connections and callers. */
  take(story: Story, seat?: number): Row {
    const { procedure, consumers } = story;
    const letter = consumers !== undefined ? "c" : letters[procedure];
    const name = rowName(letter, this.#next++);
    const course = goesBack(story) ? "back" : "through";
    const row: Row = { name, procedure, course, ...(consumers === undefined ? {} : { consumers }), seat };
    this.all.push(row);
    return row;
  }
}
