import type { Incoming, Operation } from "../http/exchange.ts";
import { readReplica } from "../tenant/credentials.ts";
import type { Application, CredentialHolder, ServicePrincipal } from "../tenant/model.ts";
import type { World } from "../world.ts";
import { graphOperation } from "./call.ts";
import { refuse } from "./errors.ts";
import { all, type HolderKind, pageSize, present, READ } from "./holders.ts";
import { nextLink, QueryError, readQuery } from "./odata.ts";

const PAGE_MAX = 999;
/** Delta tokens of directory objects live seven days (Graph docs, delta query overview). */
const TOKEN_DAYS_MS = 7 * 86_400_000;
/** Changes of the last minute before a token come again: replays happen, says the vendor. */
const REPLAY_MS = 60_000;
const TOKEN = /^cs([0-9a-z]{1,12})$/;

/**
 * GET delta: what has changed since a token, as the replica that answers sees it. Without a token everything comes, page by
 * page; `latest` gives a token and nothing else. The token holds the time it was given at.
 */
export function listChanges(world: World, incoming: Incoming, kind: HolderKind): Operation {
  return graphOperation(world, incoming, {
    op: `${kind.noun}.delta`,
    roles: READ,
    run(call) {
      const query = readQuery(incoming, PAGE_MAX);
      const token = incoming.query.get("$deltatoken") ?? incoming.query.get("$deltaToken");
      const { nowMs } = world.clock;
      const since = token === "latest" ? nowMs : token === null ? null : sinceOf(token);
      if (since !== null && since < nowMs - TOKEN_DAYS_MS)
        return refuse(
          world,
          incoming,
          410,
          "syncStateNotFound",
          "The delta token is expired; a full resync is required.",
        );
      const replica = readReplica(world);
      const changed =
        token === "latest" ? [] : all(world, kind).filter((item) => isChanged(item, since, replica, nowMs));
      const size = pageSize(world, query.top);
      const value = changed
        .slice(query.skip, query.skip + size)
        .map((item) =>
          present(call, kind, item, query.select === null ? null : ["id", ...query.select], null, replica),
        );
      const more = query.skip + size < changed.length;
      const link = more
        ? { "@odata.nextLink": nextLink(incoming, query.skip + size) }
        : { "@odata.deltaLink": deltaLink(incoming, nowMs) };
      const context = `${incoming.origin}/v1.0/$metadata#${kind.collection}`;
      return { reply: { status: 200, body: { "@odata.context": context, ...link, value } }, effect: false };
    },
  });
}

function sinceOf(token: string): number {
  const match = TOKEN.exec(token);
  if (match === null) throw new QueryError("The delta token is malformed.");
  return Number.parseInt(match[1] ?? "", 36);
}

function deltaLink(incoming: Incoming, nowMs: number): string {
  const select = incoming.query.get("$select");
  const fields = select === null ? "" : `$select=${encodeURIComponent(select)}&`;
  return `${incoming.origin}${incoming.path}?${fields}$deltatoken=cs${nowMs.toString(36)}`;
}

/** A change is seen when the replica lists it, which may be long after it was made. */
function isChanged(
  holder: Application | ServicePrincipal | CredentialHolder,
  since: number | null,
  replica: number,
  nowMs: number,
): boolean {
  if (since === null) return true;
  const isNew = (at: number | undefined) => at !== undefined && at > since - REPLAY_MS && at <= nowMs;
  return (
    isNew(holder.createdMs) ||
    holder.credentials.some(
      ({ listedAtMs, unlistedAtMs }) => isNew(listedAtMs[replica]) || isNew(unlistedAtMs[replica]),
    )
  );
}
