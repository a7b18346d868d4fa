import { z } from "zod";
import { nameField } from "../config/schema.ts";
import type { AppReferenceConsumer, AppSettingConsumer } from "../inventory/row.ts";
import type { ConsumerKind } from "./kind.ts";

const site = {
  connection: nameField,
  resourceGroup: z.string().regex(/^[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,88}[A-Za-z0-9_-])?$/, "expected a resource group"),
  site: z.string().regex(/^[A-Za-z0-9](?:[A-Za-z0-9-]{0,58}[A-Za-z0-9])?$/, "expected the name of an app"),
  slot: z
    .string()
    .regex(/^[A-Za-z0-9](?:[A-Za-z0-9-]{0,57}[A-Za-z0-9])?$/, "expected the name of a slot")
    .optional(),
  setting: z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9._:-]{0,126}$/, "expected the name of a setting"),
};

type Site = AppSettingConsumer | AppReferenceConsumer;
const place = ({ resourceGroup, site: name, slot }: Site) =>
  [resourceGroup, name, ...(slot === undefined ? [] : [slot])].join("/");

const common = {
  fields: site,
  connectionKind: "app-service",
  scopeName: (consumer: Site) => `${place(consumer)}/${consumer.setting}`,
  target: ({ resourceGroup, site: name, slot, setting }: Site) => ({
    resourceGroup,
    site: name,
    ...(slot === undefined ? {} : { slot }),
    setting,
  }),
  shows: "value-matched",
} as const;

/** A setting of an App Service app that holds the value itself. Writing it restarts the app. */
export const appSetting: ConsumerKind<AppSettingConsumer> = {
  ...common,
  kind: "app-setting",
  update: {
    verb: "app-service.set-setting@1",
    undo: "Write the previous value, read from the system of record, into the setting again",
    undoable: true,
    describe: (consumer) =>
      `Write setting ${consumer.setting} of ${place(consumer)} for ${consumer.name}; the app restarts`,
  },
  // Settings of an app are written as a whole.
  lockKey: (consumer) => `container:${consumer.connection}/${place(consumer).toLowerCase()}`,
  previous: "record",
};

/** A Key Vault reference of an App Service app: it follows the record by itself, within a day; a refresh makes it sooner. */
export const appReference: ConsumerKind<AppReferenceConsumer> = {
  ...common,
  kind: "app-reference",
  update: {
    verb: "app-service.refresh-reference@1",
    undo: "Ask the app again to read its references; the roll back waits for its pick-up delay in any case",
    undoable: true,
    describe: (consumer) => `Ask ${place(consumer)} to read its Key Vault references again for ${consumer.name}`,
  },
  lockKey: () => null,
  previous: "record",
};
