import type { z } from "zod";
import type { ConsumerBase } from "../inventory/row.ts";
import type { Facts, VerifyLevel } from "../ports/index.ts";

/** What an update step of this kind does, and how it is taken back. */
export interface ConsumerUpdate<C> {
  readonly verb: string;
  /** Sentence: how it is undone, or why it cannot be. */
  readonly undo: string;
  readonly undoable: boolean;
  /** Sentence for the people who approve. */
  describe(consumer: C): string;
}

/**
 * Everything the domain knows of one kind of consumer. Procedures, inventory, locks and scopes derive from this; a
 * connector brings the verb and the reader of its target.
 */
export interface ConsumerKind<C extends ConsumerBase = ConsumerBase> {
  readonly kind: string;
  /** Fields of the inventory besides those that every consumer has. */
  readonly fields: z.ZodRawShape;
  /** A rule across fields; "expected X, got Y" or null. */
  problem?(consumer: C): string | null;
  /** Kind of connection that its target stands in; `record`: the system of record itself; null: no value is written by us. */
  readonly connectionKind: string | null;
  /** What is looked up in the connection's scope (I12): parts with `/` between them. */
  scopeName(consumer: C): string;
  /** null: storing the record's new version is the update. */
  readonly update: ConsumerUpdate<C> | null;
  /** Where its value or reference stands, besides the connection; goes into the plan. */
  target(consumer: C): Facts;
  /** What no two runs may write at the same time (I2): one entry, or the whole container it stands in; null: nothing is written. */
  lockKey(consumer: C): string | null;
  /** How far reading its target can show the new value, without last use. */
  readonly shows: VerifyLevel;
  /** What a roll back puts back: what the target was seen to `hold`, or the `record`'s version where it cannot be read. */
  readonly previous: "held" | "record";
  /**
   * It cannot be read, but the outside marks its last write: the plan keeps the mark that was seen (`seen`), and another
   * one at the time of the write is another writer.
   */
  readonly guarded?: true;
}
