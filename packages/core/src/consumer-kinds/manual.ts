import { z } from "zod";
import type { ManualConsumer } from "../inventory/row.ts";
import type { ConsumerKind } from "./kind.ts";

const printable = /^[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]+$/u;

/** A consumer that an owner updates by hand and confirms; last use proves it. */
export const manual: ConsumerKind<ManualConsumer> = {
  kind: "manual",
  fields: {
    /** What is to be done, line by line; shown to the owner and to those who approve. */
    checklist: z.array(z.string().min(1).max(200).regex(printable, "expected a printable line")).min(1).max(20),
  },
  connectionKind: null,
  scopeName: () => "",
  update: {
    verb: "manual.ask@1",
    undo: "Ask the owner to put the previous value back and to confirm it",
    undoable: true,
    describe: ({ name }) => `Ask an owner to update ${name} by hand and to confirm it`,
  },
  target: ({ checklist }) => ({ checklist: [...checklist] }),
  lockKey: () => null,
  shows: "accepted",
  previous: "record",
};
