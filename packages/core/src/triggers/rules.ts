import { Environment } from "@marcbachmann/cel-js";
import type { InventoryRow } from "../inventory/row.ts";
import type { HookEvent } from "./event.ts";

/** A rule as it stands in the configuration: conditions are CEL over `event`. */
export interface HookRule {
  /** Of type bool. The first rule of which it holds decides. */
  readonly when: string;
  /** Of type string: name, appId or objectId of an application of the inventory, or the entry of its record. Left out: do nothing. */
  readonly application?: string | undefined;
  /** Of type string: id of the credential that is to be replaced, whatever the record holds. Left out: what the record holds. */
  readonly credential?: string | undefined;
  /**
   * Of type string: the directory's entry of the change that the event tells of. The same change is told of by several ways in, and
   * proposes once.
   */
  readonly change?: string | undefined;
}

/** What the rules make of one event. */
export type Routed =
  | {
      readonly kind: "propose";
      readonly rule: number;
      readonly row: InventoryRow;
      /** By id; null: what the record holds is meant. */
      readonly credential: string | null;
      /** Null: the rule does not say of which change. */
      readonly change: string | null;
    }
  /** A rule says so, or none holds. */
  | { readonly kind: "ignore"; readonly rule: number | null }
  /** No row, or more than one. */
  | { readonly kind: "unlisted" | "ambiguous"; readonly rule: number; readonly application: string }
  /** The expression failed on this event, e.g. for a field that is not there. */
  | { readonly kind: "rule-failed"; readonly rule: number };

const limits = { maxAstNodes: 500, maxDepth: 30, maxListElements: 100, maxMapEntries: 50, maxCallArguments: 8 };
export const expressionCharsMax = 1_000;

// No regular expressions: a pattern of the user's over text of the sender's may take for ever. `startsWith`, `endsWith` and
// `contains` are there.
const forbidden = /(?:^|[^\w])matches\s*\(/;

function environment(): Environment {
  return new Environment({ limits }).registerVariable("event", "map");
}

/** Says what is wrong with an expression that must be of a type; null: nothing. */
export function expressionProblem(expression: string, type: "bool" | "string"): string | null {
  if (forbidden.test(expression))
    return "expected an expression without matches(), got one; use startsWith or contains";
  try {
    const checked = environment().check(expression);
    if (!checked.valid) return `expected a CEL expression, got one with an error: ${firstLine(checked.error?.message)}`;
    if (checked.type !== type && checked.type !== "dyn")
      return `expected an expression of type ${type}, got ${checked.type}`;
    return null;
  } catch (error) {
    return `expected a CEL expression, got one with an error: ${firstLine(error instanceof Error ? error.message : "")}`;
  }
}

function firstLine(text: string | undefined): string {
  return (text ?? "").split("\n")[0]?.slice(0, 200) ?? "";
}

/** Compiles rules that {@link expressionProblem} found nothing wrong with. */
export function hookRouter(rules: readonly HookRule[]): (event: HookEvent, rows: readonly InventoryRow[]) => Routed {
  const env = environment();
  const parsed = (expression: string | undefined) => (expression === undefined ? null : env.parse(expression));
  const compiled = rules.map(({ when, application, credential, change }) => ({
    when: env.parse(when),
    application: parsed(application),
    credential: parsed(credential),
    change: parsed(change),
  }));
  return (event, rows) => {
    for (const [rule, { when, application, credential, change }] of compiled.entries()) {
      const holds = evaluated(when, event);
      if (holds === failed) return { kind: "rule-failed", rule };
      if (holds !== true) continue;
      if (application === null) return { kind: "ignore", rule };
      const name = evaluated(application, event);
      if (typeof name !== "string" || name === "") return { kind: "rule-failed", rule };
      const found = rows.filter((row) => isAbout(row, name));
      const [row] = found;
      if (row === undefined) return { kind: "unlisted", rule, application: name.slice(0, 200) };
      if (found.length > 1) return { kind: "ambiguous", rule, application: name.slice(0, 200) };
      const told = change === null ? null : evaluated(change, event);
      if (told !== null && (typeof told !== "string" || !changePattern.test(told)))
        return { kind: "rule-failed", rule };
      const named = credential === null ? null : evaluated(credential, event);
      // Only a directory tells credentials apart by ids; what is none is asked of nobody.
      if (named !== null && (typeof named !== "string" || !directoryId.test(named) || !isOfDirectory(row)))
        return { kind: "rule-failed", rule };
      return { kind: "propose", rule, row, credential: named?.toLowerCase() ?? null, change: told };
    }
    return { kind: "ignore", rule: null };
  };
}

/** What an id of the directory's entry looks like. */
const changePattern = /^[\x21-\x7e]{1,200}$/;
const directoryId = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const isOfDirectory = ({ procedure }: InventoryRow) => procedure === "entra-client-secret";
const failed = Symbol("failed");

function evaluated(expression: (context: { readonly event: HookEvent }) => unknown, event: HookEvent): unknown {
  try {
    return expression({ event });
  } catch {
    return failed;
  }
}

/** Ids are compared without regard to case, names exactly. */
function isAbout(row: InventoryRow, name: string): boolean {
  if (row.name === name || row.record.name === name) return true;
  if (row.procedure !== "entra-client-secret") return false;
  const id = name.toLowerCase();
  return row.appId.toLowerCase() === id || row.objectId.toLowerCase() === id;
}
