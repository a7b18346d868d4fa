import type pg from "pg";
import { z } from "zod";
import { databaseError } from "./errors.ts";

/**
 * A statement that is asked over and over: the database parses and plans it once on each connection. Its plan is made without
 * the values in mind, so what is found by a key and not by a guess is such a statement, and a search is none.
 */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

/** Every statement by its text: one has the same name on all connections. */
const statements = new Map<string, Statement>();

/** Texts are the program's own and few: each stays known for as long as the process lives. */
export function statement(text: string): Statement {
  const known = statements.get(text) ?? { name: `cs_${statements.size}`, text };
  statements.set(text, known);
  return known;
}

/** "Cached plan must not change result type": a table has got another column since. Nothing was begun. */
const planTooOld = "0A000";

/** Statements of one login: rows are parsed where they come in, errors are ours when they go out. */
export interface Sql {
  /** Rows of a query, each through `row`. */
  rows<T extends z.ZodType>(row: T, asked: string | Statement, values?: readonly unknown[]): Promise<z.output<T>[]>;
  /** The first row of a query, or null. */
  first<T extends z.ZodType>(
    row: T,
    asked: string | Statement,
    values?: readonly unknown[],
  ): Promise<z.output<T> | null>;
  /** The single value that a function returns; arguments by name. */
  call<T extends z.ZodType>(result: T, name: string, args: Readonly<Record<string, unknown>>): Promise<z.output<T>>;
  /** The rows of a set-returning function. */
  callRows<T extends z.ZodType>(row: T, name: string, args: Readonly<Record<string, unknown>>): Promise<z.output<T>[]>;
}

/** What a function without a result gives. */
export const nothing = z.unknown().transform(() => undefined);

/** Statements over a pool. A statement is one transaction: nothing is ever held open across a call. */
export function sqlOver(pool: pg.Pool): Sql {
  async function query(asked: string | Statement, values: readonly unknown[]): Promise<unknown[]> {
    try {
      if (typeof asked === "string") return (await pool.query(asked, [...values])).rows;
      try {
        return (await pool.query({ ...asked, values: [...values] })).rows;
      } catch (error) {
        if ((error as { code?: unknown }).code !== planTooOld) throw error;
        return (await pool.query(asked.text, [...values])).rows;
      }
    } catch (error) {
      throw databaseError(error);
    }
  }
  const sql: Sql = {
    rows: async (row, asked, values = []) => z.array(row).parse(await query(asked, values)),
    first: async (row, asked, values = []) => (await sql.rows(row, asked, values))[0] ?? null,
    async call(result, name, args) {
      const [first] = await query(statement(`select ${invocation(name, args)} as result`), Object.values(args));
      return result.parse((first as { result: unknown }).result);
    },
    callRows: (row, name, args) =>
      sql.rows(row, statement(`select * from ${invocation(name, args)}`), Object.values(args)),
  };
  return sql;
}

/**
 * A pattern for LIKE that fits whatever contains the text. The database knows how few rows such a pattern fits, and of no
 * function that finds the same: with one it walks an index in order through everything there is.
 */
export function containing(text: string): string {
  return `%${text.replaceAll(/[\\%_]/g, "\\$&")}%`;
}

function invocation(name: string, args: Readonly<Record<string, unknown>>): string {
  const list = Object.keys(args).map((key, i) => `p_${snake(key)} => $${i + 1}`);
  return `${name}(${list.join(", ")})`;
}

/** `notBefore` -> `not_before`. */
export function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** `not_before` -> `notBefore`. */
function camel(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** A row schema in our names for a row in the database's names. */
export function row<S extends z.ZodRawShape>(shape: S) {
  return z.preprocess((value) => {
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, field]) => [camel(key), field]));
  }, z.object(shape));
}
