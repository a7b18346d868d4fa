import { type GraphCall, graphOperation } from "../graph/call.ts";
import { refuse } from "../graph/errors.ts";
import { pageSize } from "../graph/holders.ts";
import { page, readQuery } from "../graph/odata.ts";
import type { Incoming, Operation, Outcome } from "../http/exchange.ts";
import { createRandom } from "../random.ts";
import { isoTime } from "../time.ts";
import type { World } from "../world.ts";
import type { SharePointList, SharePointSite } from "./model.ts";

const LIST = /^\/v1\.0\/sites\/([^/]+)\/lists\/([^/]+)(?:\/(items|columns))?$/;
const CONTENT = /^\/v1\.0\/drives\/([^/]+)\/root:\/(.+):\/content$/;
const DOWNLOAD = "/_layouts/15/download.aspx";
const ROLES = ["Sites.Selected", "Sites.Read.All"];
const TOP_MAX = 5_000;
const TOP_DEFAULT = 200;
/** How many items of the page before stand on the next one again, when the knob says so. */
const REPEATED = 2;
/** An address for a download is good for so long. */
const DOWNLOAD_MS = 3_600_000;

/** SharePoint lists and libraries, as far as Graph shows them; null: not a path of these. */
export function routeSharePoint(world: World, incoming: Incoming): Operation | null {
  const list = LIST.exec(incoming.path);
  if (list !== null) return listRoute(world, incoming, String(list[1]), String(list[2]), list[3]);
  const content = CONTENT.exec(incoming.path);
  if (content !== null) return contentRoute(world, incoming, String(content[1]), String(content[2]));
  return incoming.path === DOWNLOAD ? download(world, incoming) : null;
}

function listRoute(
  world: World,
  incoming: Incoming,
  siteId: string,
  listId: string,
  part: string | undefined,
): Operation {
  const site = world.tenant.sharepoint?.find((one) => one.id.toLowerCase() === siteId.toLowerCase());
  const list = site?.lists.find((one) => one.id === listId.toLowerCase() || one.displayName === listId);
  return graphOperation(world, incoming, {
    op: part === undefined ? "list.get" : `list.${part}`,
    roles: ROLES,
    target: { site: siteId, list: listId },
    run(call) {
      const stop = unlessGiven(call, site);
      if (stop !== null) return stop;
      if (list === undefined) return itemNotFound(call);
      if (part === "items") return items(call, list);
      if (part === "columns") return columns(call, list);
      return ok({ id: list.id, displayName: list.displayName, lastModifiedDateTime: isoTime(list.changedMs) });
    },
  });
}

function columns({ world, incoming }: GraphCall, list: SharePointList): Outcome {
  const query = readQuery(incoming, TOP_MAX);
  const size = pageSize(world, query.top);
  return ok(page(incoming, "v1.0/$metadata#columns", list.columns, query.skip, size, (column) => ({ ...column })));
}

function items({ world, incoming }: GraphCall, list: SharePointList): Outcome {
  const query = readQuery(incoming, TOP_MAX);
  const withFields = /^fields\b/.test(query.expand ?? "");
  const repeats = query.skip > 0 && world.random("list pages").chance(world.knobs.listRepeat);
  const shape = (item: SharePointList["items"][number]) => ({
    id: String(item.id),
    "@odata.etag": `"${createRandom(item.id, list.id).uuid()},1"`,
    contentType: { id: "0x0100", name: "Item" },
    // What nobody filled in is not there.
    ...(withFields
      ? {
          fields: {
            id: String(item.id),
            ContentType: "Item",
            Modified: isoTime(list.changedMs),
            Attachments: false,
            ...item.fields,
          },
        }
      : {}),
  });
  const size = pageSize(world, query.top ?? TOP_DEFAULT);
  const body = page(incoming, "v1.0/$metadata#items", list.items, query.skip, size, shape);
  if (repeats) {
    const again = list.items.slice(Math.max(0, query.skip - REPEATED), query.skip).map(shape);
    body.value = [...again, ...(body.value as unknown[])];
  }
  return ok(body);
}

function contentRoute(world: World, incoming: Incoming, driveId: string, path: string): Operation {
  const found = driveOf(world, driveId);
  return graphOperation(world, incoming, {
    op: "file.content",
    roles: ROLES,
    target: { drive: driveId, path },
    run(call) {
      const stop = unlessGiven(call, found?.site);
      if (stop !== null) return stop;
      if (found?.drive.files[path] === undefined) return itemNotFound(call);
      const auth = Buffer.from(JSON.stringify([driveId, path, world.clock.nowMs + DOWNLOAD_MS])).toString("base64url");
      const location = `${incoming.origin}${DOWNLOAD}?tempauth=${auth}`;
      return { reply: { status: 302, headers: { location } }, effect: false };
    },
  });
}

/** What Graph sends a reader to: it knows nobody, and refuses whoever brings a token. */
function download(world: World, incoming: Incoming): Operation {
  const [drive, path, until] = JSON.parse(
    Buffer.from(incoming.query.get("tempauth") ?? "", "base64url").toString() || "[]",
  ) as [string?, string?, number?];
  const text = driveOf(world, drive ?? "")?.drive.files[path ?? ""];
  return {
    op: "file.download",
    write: false,
    caller: null,
    target: { drive: drive ?? null, path: path ?? null },
    carryOut() {
      if (incoming.headers.authorization !== undefined || text === undefined || (until ?? 0) <= world.clock.nowMs)
        return refuse(world, incoming, 401, "unauthenticated", "The request is not authorised.");
      return { reply: { status: 200, headers: { "content-type": "text/plain" }, body: text }, effect: false };
    },
  };
}

function driveOf(world: World, id: string) {
  for (const site of world.tenant.sharepoint ?? []) {
    const drive = site.drives.find((one) => one.id === id);
    if (drive !== undefined) return { site, drive };
  }
  return null;
}

/** With `Sites.Selected` a site that was not given is refused, and so is one that does not exist. */
function unlessGiven({ world, incoming, claims }: GraphCall, site: SharePointSite | undefined): Outcome | null {
  const isAll = (claims.roles ?? []).includes("Sites.Read.All");
  if (site !== undefined && (isAll || site.readers.includes(claims.appid))) return null;
  return refuse(world, incoming, 403, "accessDenied", "Access denied");
}

const itemNotFound = ({ world, incoming }: GraphCall): Outcome =>
  refuse(world, incoming, 404, "itemNotFound", "The resource could not be found.");

const ok = (body: unknown): Outcome => ({ reply: { status: 200, body }, effect: false });
