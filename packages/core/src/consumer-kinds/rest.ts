import { z } from "zod";
import { nameField } from "../config/schema.ts";
import type { RestConsumer } from "../inventory/row.ts";
import type { ConsumerKind } from "./kind.ts";

/** An entry behind a plain HTTP interface; its requests stand in the connection, never in the inventory. */
export const rest: ConsumerKind<RestConsumer> = {
  kind: "rest",
  fields: {
    connection: nameField,
    entry: z
      .string()
      .regex(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,126}$/, "expected an entry of letters, digits, dot, dash and underscore"),
  },
  connectionKind: "rest",
  scopeName: ({ entry }) => entry,
  update: {
    verb: "rest.write@1",
    undo: "Write the previous value, read from the system of record, to the entry again",
    undoable: true,
    describe: ({ name, connection, entry }) => `Write ${entry} at ${connection} for ${name}`,
  },
  target: ({ entry }) => ({ entry }),
  lockKey: ({ connection, entry }) => `rest:${connection}/${entry}`,
  // Where the connection declares a way to read back, its reading says more.
  shows: "accepted",
  previous: "record",
};
