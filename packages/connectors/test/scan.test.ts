import type { ScannedObject, Scanner } from "@countersign/core";
import { afterEach, expect, it } from "vitest";
import { openTenant } from "./support.ts";

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function open(knobs = "off" as const) {
  const stage = await openTenant({ knobs });
  ends.push(() => stage.close());
  const [scanner] = stage.connectors.scanners;
  if (scanner === undefined) throw new Error("expected a scanner");
  const manage = async <T>(path: string, body: unknown): Promise<T> => {
    const answer = await fetch(`${stage.sim.urls.management}${path}`, { method: "POST", body: JSON.stringify(body) });
    return (await answer.json()) as T;
  };
  return { ...stage, scanner, manage, ctx: { clock: stage.clock, signal: new AbortController().signal } };
}

async function listAll(scanner: Scanner, ctx: Parameters<Scanner["page"]>[0]) {
  const objects: ScannedObject[] = [];
  const unreadable: string[] = [];
  for (const collection of scanner.collections) {
    let link: string | null = null;
    do {
      const page = await scanner.page(ctx, collection, link);
      objects.push(...page.objects);
      unreadable.push(...page.unreadable);
      link = page.next;
    } while (link !== null);
  }
  return { objects, unreadable };
}

it("lists a fleet as messy as real ones are, and comes to the same counts as whoever made it", async () => {
  const { manage, scanner, ctx } = await open();
  const before = (await listAll(scanner, ctx)).objects;
  const fleet = await manage<Record<"applications" | "secrets" | "certificates" | "personal" | "nameless", number>>(
    "/fleet",
    { applications: 3_000, seed: 11 },
  );
  const { objects, unreadable } = await listAll(scanner, ctx);
  expect(unreadable).toEqual([]);
  const applications = objects.filter(({ kind }) => kind === "application");
  const of = (list: readonly ScannedObject[], kind: string) =>
    list.flatMap(({ credentials }) => credentials).filter((one) => one.kind === kind).length;
  const own = before.filter(({ kind }) => kind === "application").length;
  expect(applications).toHaveLength(fleet.applications + own);
  expect(of(objects, "client-secret") - of(before, "client-secret")).toBe(fleet.secrets);
  expect(of(objects, "certificate")).toBe(fleet.certificates);
  expect(applications.filter(({ audience }) => audience?.includes("Personal")).length).toBe(fleet.personal);
  // What has no name goes by its appId.
  expect(applications.filter(({ name, appId }) => name === appId)).toHaveLength(fleet.nameless);
});

it("tells what has changed since a link, each object as it is now, and nothing else", async () => {
  const { sim, manage, scanner, ctx, app } = await open();
  await manage("/fleet", { applications: 500, seed: 12 });
  await sim.driver.advanceBy(120_000, 10_000);
  const link = await scanner.latest(ctx, "applications");
  if (link === null) throw new Error("expected a link");
  expect(await scanner.changes(ctx, "applications", link)).toMatchObject({ objects: [], removed: [] });
  const { changed } = await manage<{ changed: string[] }>("/fleet/change", { applications: 20 });
  const seen = await scanner.changes(ctx, "applications", link);
  expect(seen?.objects.map(({ objectId }) => objectId).sort()).toEqual(changed.sort());
  expect(seen?.objects.every(({ objectId }) => objectId !== app.objectId)).toBe(true);
  expect(await scanner.changes(ctx, "applications", seen?.link ?? "")).not.toBeNull();
});

it("says that a link is too old, so that everything is listed again", async () => {
  const { sim, scanner, ctx } = await open();
  const link = await scanner.latest(ctx, "applications");
  await sim.driver.advanceBy(8 * 86_400_000, 60_000);
  expect(await scanner.changes(ctx, "applications", link ?? "")).toBeNull();
});
