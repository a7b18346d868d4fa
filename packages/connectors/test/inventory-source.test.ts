import type { InventoryFrom } from "@countersign/core";
import { afterEach, describe, expect, it } from "vitest";
import { openTenant } from "./support.ts";

const site = "contoso.sharepoint.com,2c712604-1370-44e7-a1f5-426573fda80a,2d2244c3-251a-49ea-93a8-39e1c3a060fe";
const list = "1f0cd1a4-0000-4000-8000-00000000001a";
const drive = "b!drive-1";
type Opened = Awaited<ReturnType<typeof openTenant>>;
let opened: Opened | null = null;
afterEach(async () => {
  await opened?.close();
  opened = null;
});

/** A tenant with a site that `reader-of-one` was given and `reader-of-none` was not. */
async function open(knobs: Parameters<typeof openTenant>[0] = {}) {
  opened = await openTenant(knobs);
  const items = Array.from({ length: 450 }, (_, at) => ({ name: `app-${at}`, status: "proposed" }));
  const roles = ["Sites.Selected"];
  await opened.sim.seed({
    callers: [
      { name: "reader-of-one", roles },
      { name: "reader-of-none", roles },
    ],
    sharepoint: [
      {
        id: site,
        readers: ["reader-of-one"],
        lists: [{ id: list, displayName: "Secrets", columns: ["name", "status", "record.connection"], items }],
        drives: [{ id: drive, files: { "Shared/inventory.csv": "name,status\r\nbilling,proposed\r\n" } }],
      },
    ],
  });
  const { sim, connectors } = opened;
  const clientOf = (name: string) => {
    const caller = sim.world.tenant.callers.find((one) => one.name === name);
    return { clientId: caller?.appId ?? "", secret: `env:${name}` };
  };
  const at = (from: Partial<InventoryFrom>, as = "reader-of-one") => {
    const ctx = { clock: opened!.clock, signal: new AbortController().signal };
    return connectors.inventoryAt(ctx, { tenant: "contoso", client: clientOf(as), ...from } as InventoryFrom);
  };
  const theList = { kind: "sharepoint-list", site, list } as const;
  const theFile = { kind: "sharepoint-file", drive, path: "Shared/inventory.csv", downloads: sim.urls.graph } as const;
  return { sim, at, theList, theFile };
}

describe("where people keep an inventory", () => {
  it("a list is read whole over pages that overlap, by a tenant as it comes: each item once, only the columns people made", async () => {
    const { at, theList } = await open({ knobs: { preset: "default", listRepeat: 0.5, pageSize: 50 } });
    const found = await at(theList);
    if (found.kind !== "list") throw new Error("expected a list");
    expect(found.items.map(({ fields }) => fields.Title)).toEqual(Array.from({ length: 450 }, (_, n) => `app-${n}`));
    expect(found.columns).toEqual([
      { key: "Title", title: "name" },
      { key: "status", title: "status" },
      { key: "record_x002e_connection", title: "record.connection" },
    ]);
  });

  it("a file is read from where Graph sends us, without our token, and from nowhere else", async () => {
    const { sim, at, theFile } = await open({ knobs: { preset: "default" } });
    expect(await at(theFile)).toEqual({ kind: "file", text: "name,status\r\nbilling,proposed\r\n" });
    await expect(at({ ...theFile, downloads: sim.urls.management })).rejects.toMatchObject({ code: "HOST_REFUSED" });
    await expect(at({ ...theFile, path: "Shared/other.csv" })).rejects.toMatchObject({ code: "OUTSIDE_NOT_FOUND" });
  });

  it("a site that was not given is refused, and so is a program without the permission", async () => {
    const { at, theList, theFile } = await open();
    for (const from of [theList, theFile])
      for (const as of ["reader-of-none", "reader"])
        await expect(at(from, as)).rejects.toMatchObject({ code: "OUTSIDE_FORBIDDEN" });
  });

  it("a list that changes while it is read is not taken", async () => {
    const { sim, at, theList } = await open();
    const kept = sim.world.tenant.sharepoint?.[0]?.lists[0];
    if (kept === undefined) throw new Error("expected the list");
    const { items } = kept;
    // Somebody edits it whenever a page of it is read.
    Object.defineProperty(kept, "items", {
      get() {
        kept.changedMs += 1_000;
        return items;
      },
    });
    await expect(at(theList)).rejects.toMatchObject({ code: "CONFLICT" });
  });
});
