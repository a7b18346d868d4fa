import { z } from "zod";
import { findApplication } from "../tenant/find.ts";
import type { World } from "../world.ts";

const text = z.string().min(1).max(300);

/** A site of a scenario. Seeded again, its lists and files are as this says: somebody has edited them. */
export const sharepointScenario = z.strictObject({
  id: text,
  /** Names of callers or applications that were given the site. */
  readers: z.array(text).default([]),
  lists: z
    .array(
      z.strictObject({
        id: z.uuid(),
        displayName: text,
        /** Columns that people made, by what they call them. */
        columns: z.array(text).max(200),
        /** By what people call the columns; a number is drawn for each item, in this order. */
        items: z.array(z.record(z.string(), z.unknown())).max(50_000),
      }),
    )
    .default([]),
  drives: z.array(z.strictObject({ id: text, files: z.record(z.string(), z.string()) })).default([]),
});

/** The name under which items hold a column: made when the column was, with what a name may not hold written in hex. */
export function internalName(displayName: string): string {
  const escaped = displayName.replaceAll(
    /[^A-Za-z0-9]/g,
    (char) => `_x${char.charCodeAt(0).toString(16).padStart(4, "0")}_`,
  );
  return escaped.slice(0, 32);
}

const own = (name: string, displayName = name) => ({ name, displayName, hidden: false, readOnly: false });
/** What every list has besides what people made. */
const builtIn = [
  own("ContentType", "Content Type"),
  own("Attachments"),
  { name: "Modified", displayName: "Modified", hidden: false, readOnly: true },
  { name: "_ComplianceFlags", displayName: "Label setting", hidden: false, readOnly: true },
  { name: "LinkTitle", displayName: "Title", hidden: false, readOnly: true },
  { name: "_HasCopyDestinations", displayName: "Has Copy Destinations", hidden: true, readOnly: false },
];

/** Adds sites, or puts what is in those that are there. */
export function seedSharePoint(world: World, sites: readonly z.output<typeof sharepointScenario>[]): void {
  const { tenant, clock } = world;
  tenant.sharepoint ??= [];
  for (const { id, readers, lists, drives } of sites) {
    const known = tenant.sharepoint.find((site) => site.id === id) ?? { id, readers: [], lists: [], drives: [] };
    if (!tenant.sharepoint.includes(known)) tenant.sharepoint.push(known);
    for (const name of readers) {
      const appId =
        tenant.callers.find((caller) => caller.name === name)?.appId ?? findApplication(tenant, name)?.appId;
      if (appId === undefined) throw new RangeError(`sharepoint.readers: expected a known name, got ${name}`);
      if (!known.readers.includes(appId)) known.readers.push(appId);
    }
    for (const list of lists) {
      const before = known.lists.find((one) => one.id === list.id);
      // The column that a new list comes with is the first one, whatever people call it by now.
      const columns = list.columns.map((title, index) => own(index === 0 ? "Title" : internalName(title), title));
      const nameOf = new Map(columns.map(({ name, displayName }) => [displayName, name]));
      const from = Math.max(0, ...(before?.items ?? []).map((item) => item.id));
      const items = list.items.map((fields, index) => ({
        id: from + index + 1,
        fields: Object.fromEntries(Object.entries(fields).map(([title, value]) => [nameOf.get(title) ?? title, value])),
      }));
      const { displayName } = list;
      const now = { id: list.id, displayName, columns: [...columns, ...builtIn], items, changedMs: clock.nowMs };
      known.lists = [...known.lists.filter((one) => one.id !== list.id), now];
    }
    for (const drive of drives) known.drives = [...known.drives.filter((one) => one.id !== drive.id), { ...drive }];
  }
}
