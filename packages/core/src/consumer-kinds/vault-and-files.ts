import { nameField } from "../config/schema.ts";
import { entryField, pathField } from "../inventory/fields.ts";
import type { ConnectionFileConsumer, CopiedConsumer, LatestConsumer, PinnedConsumer } from "../inventory/row.ts";
import type { ConsumerKind } from "./kind.ts";

/** Reads the record's newest version by itself. */
export const latest: ConsumerKind<LatestConsumer> = {
  kind: "latest",
  fields: {},
  connectionKind: "record",
  scopeName: () => "",
  update: null,
  target: () => ({}),
  lockKey: () => null,
  shows: "value-matched",
  previous: "held",
};

const file = {
  fields: { connection: nameField, path: pathField },
  connectionKind: "files",
  scopeName: ({ path }: { readonly path: string }) => path,
  target: ({ path }: { readonly path: string }) => ({ path }),
  lockKey: ({ connection, path }: { readonly connection: string; readonly path: string }) =>
    `file:${connection}/${path}`,
  shows: "value-matched",
  previous: "held",
} as const;

/** Holds a reference with a version in it, in a file. */
export const pinned: ConsumerKind<PinnedConsumer> = {
  ...file,
  kind: "pinned",
  update: {
    verb: "reference-file.point@1",
    undo: "Point the reference back to the previous version",
    undoable: true,
    describe: ({ name, path }) => `Point ${name} (${path}) to the new version`,
  },
};

/** Reads user and password from a connection file. */
export const connectionFile: ConsumerKind<ConnectionFileConsumer> = {
  ...file,
  kind: "connection-file",
  update: {
    verb: "connection-file.write@1",
    undo: "Write the previous user and password into the file again",
    undoable: true,
    describe: ({ name, path }) => `Write the connection file of ${name} (${path})`,
  },
};

/** Holds a copy of the value in an entry of another vault. */
export const copied: ConsumerKind<CopiedConsumer> = {
  kind: "copied",
  fields: { connection: nameField, entry: entryField },
  connectionKind: "key-vault",
  scopeName: ({ entry }) => entry,
  update: {
    verb: "keyvault.copy@1",
    undo: "Write the previous value into the copy again",
    undoable: true,
    describe: ({ name, entry }) => `Copy the new value for ${name} into ${entry}`,
  },
  target: ({ entry }) => ({ name: entry }),
  // A vault entry has one key, whether a run writes it as its record or as a copy: else two runs could write it at once.
  lockKey: ({ connection, entry }) => `entry:${connection}/${entry}`,
  shows: "value-matched",
  previous: "held",
};
