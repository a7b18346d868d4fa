/** People keep the inventory as a SharePoint list. Nothing of it counts before somebody on the host has seen and accepted it. */
import { chmodSync } from "node:fs";
import { inventoryText, parseInventory } from "@countersign/core";
import { accept } from "@countersign/server";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
// oxlint-disable-next-line countersign/imports -- the command itself, in this process
import { runPull } from "../../packages/cli/src/commands/inventory-pull.ts";
import { tellOnFailure } from "./failure.ts";
import { refusal, Stage } from "./stage.ts";

const site = "contoso.sharepoint.com,2c712604-1370-44e7-a1f5-426573fda80a,2d2244c3-251a-49ea-93a8-39e1c3a060fe";
const list = "1f0cd1a4-0000-4000-8000-00000000001a";
type Item = Record<string, string | string[]>;

let stage: Stage;
let columns: string[] = [];
let items: Item[] = [];
beforeAll(async () => {
  stage = await Stage.open({
    applications: [{ name: "app-one", consumers: ["latest", "copied"] }],
    scenario: { callers: [{ name: "list-reader", roles: ["Sites.Selected"] }] },
    config(yaml, { callers }) {
      const known = callers as Readonly<Record<string, { readonly clientId: string } | undefined>>;
      const client = `{ clientId: ${known["list-reader"]?.clientId}, secret: "file:list.secret" }`;
      return `${yaml}inventory: { from: { kind: sharepoint-list, tenant: stage, site: "${site}", list: ${list}, client: ${client} } }\n`;
    },
    // Pages of which each may begin with what the one before ended with.
    knobs: { preset: "off", pageSize: 20, listRepeat: 0.5 },
  });
  const { callers } = (await stage.manage("GET", "/directory")) as {
    readonly callers: Readonly<Record<string, { readonly clientSecret: string }>>;
  };
  stage.write("list.secret", callers["list-reader"]?.clientSecret ?? "");
  chmodSync(stage.path("list.secret"), 0o600);
  const { rows } = parseInventory(stage.read("inventory.yaml"), { seconds: true });
  const [head = [], ...lines] = inventoryText(
    rows.map((row) => ({ row })),
    { form: "csv", delimiter: "," },
  )
    .trim()
    .split("\r\n")
    .map((line) => line.split(","));
  columns = ["name", ...head.filter((title) => title !== "name")];
  items = lines.map((cells) =>
    Object.fromEntries(head.flatMap((title, at) => (cells[at] === "" ? [] : [[title, cells[at] ?? ""]]))),
  );
  await keep(items);
});
afterAll(() => stage?.close());
beforeEach(() => tellOnFailure(stage));

/** People edit the list. */
async function keep(now: readonly Item[]): Promise<void> {
  await stage.advance(1);
  const lists = [{ id: list, displayName: "Secrets", columns, items: now }];
  await stage.manage("POST", "/seed", { sharepoint: [{ id: site, readers: ["list-reader"], lists }] });
}

/** What `countersign inventory pull --json` says on the executor's host. */
async function pull(write?: string) {
  const said = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  try {
    const code = await runPull({ config: stage.path("countersign.yaml"), json: true, ...(write ? { write } : {}) });
    const [text] = said.mock.calls.at(-1) ?? [];
    return { code, ...(JSON.parse(String(text)) as Shown) };
  } finally {
    said.mockRestore();
  }
}

interface Shown {
  readonly digest: string;
  readonly written: boolean;
  readonly changes: readonly { readonly application: string; readonly change: string; readonly fields: unknown[] }[];
}

describe("an inventory that people keep in SharePoint", () => {
  it("shows what it says otherwise, is taken only as it was shown, and counts only once it is accepted", async () => {
    const [first = {}, ...others] = items;
    const proposal = { name: "app-two", status: "proposed", note: "Somebody asks for it." };
    await keep([{ ...first, owners: [String(first.owners).split("|")[0] ?? ""] }, ...others, proposal]);
    const before = stage.read("inventory.yaml");
    const seen = await pull();
    expect(seen.changes).toMatchObject([
      { application: "app-one", change: "changed", fields: [{ field: "owners" }] },
      { application: "app-two", change: "added", fields: [] },
    ]);
    // Looking changes nothing: what is in force goes on.
    expect(stage.read("inventory.yaml")).toBe(before);
    expect(await stage.stateOf(await stage.request("app-one"))).toBe("awaiting_approval");

    // Between the look and the word somebody edits the list once more.
    await keep([first, ...others, { ...proposal, name: "app-three" }]);
    await expect(pull(seen.digest)).rejects.toMatchObject({ code: "CONFLICT" });
    expect(stage.read("inventory.yaml")).toBe(before);

    const { digest } = await pull();
    expect(await pull(digest)).toMatchObject({ code: 0, written: true, digest });
    expect(stage.read("inventory.yaml")).toContain("app-three");
    const asks = (await stage.as("cleo")).requestRun({ body: { row: "app-one", reason: "it expires" } });
    expect(await refusal(asks)).toMatchObject({ code: "READ_ONLY" });
    expect((await accept(stage.path("countersign.yaml"), "inventory")).digest).toBe(digest);

    // A mistake is named by the item's number, and nothing is taken of it.
    await keep([{ ...first, objectId: "billing" }, ...others]);
    await expect(pull()).rejects.toThrow(/^item \d+ objectId: expected an id such as .*, got "billing"/);
    expect(stage.read("inventory.yaml")).toContain("app-three");
    const { entries } = (await stage.manage("GET", "/effects?after=0&limit=10000&effect=true")) as {
      readonly entries: readonly { readonly op: string }[];
    };
    expect(entries.filter(({ op }) => /^(?:list|file)\./.test(op))).toEqual([]);
  });
});
