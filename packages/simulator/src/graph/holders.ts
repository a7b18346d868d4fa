import type { Incoming, Operation, Outcome } from "../http/exchange.ts";
import { readReplica } from "../tenant/credentials.ts";
import { applicationByAppId, applicationById, principalByAppId, principalById } from "../tenant/lookup.ts";
import type { Application, CredentialHolder, ServicePrincipal } from "../tenant/model.ts";
import type { World } from "../world.ts";
import { type GraphCall, graphOperation } from "./call.ts";
import { refuse } from "./errors.ts";
import { type Condition, page, QueryError, readFilter, readQuery } from "./odata.ts";
import { applicationShape, ownerShape, select, servicePrincipalShape } from "./shapes.ts";

export const READ = ["Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All"];
export const READ_ONE = [...READ, "Application.ReadWrite.OwnedBy"];
const PAGE_DEFAULT = 100;
const PAGE_MAX = 999;
const EXPAND_MAX = 20;

/** `applications` and `servicePrincipals` differ only in name and shape. */
export interface HolderKind {
  collection: "applications" | "servicePrincipals";
  /** First part of operation names. */
  noun: "application" | "servicePrincipal";
}

/** Everything of one kind. */
export function all(world: World, kind: HolderKind): (Application | ServicePrincipal)[] {
  return kind.noun === "application" ? world.tenant.applications : world.tenant.servicePrincipals;
}

/** Finds by object id or by `(appId='…')`. */
export function findHolder(world: World, kind: HolderKind, key: string): CredentialHolder | null {
  const byAppId = /^\(appId='([^']+)'\)$/.exec(key);
  const { tenant } = world;
  const found =
    kind.noun === "application"
      ? byAppId === null
        ? applicationById(tenant, key)
        : applicationByAppId(tenant, String(byAppId[1]))
      : byAppId === null
        ? principalById(tenant, key)
        : principalByAppId(tenant, String(byAppId[1]));
  return found ?? null;
}

/** 404 in Graph's words. */
export function notFound(call: GraphCall, key: string): Outcome {
  return refuse(
    call.world,
    call.incoming,
    404,
    "Request_ResourceNotFound",
    `Resource '${key}' does not exist or one of its queried reference-property objects are not present.`,
  );
}

function shape(world: World, kind: HolderKind, holder: CredentialHolder, replica: number): Record<string, unknown> {
  return kind.noun === "application"
    ? applicationShape(holder as Application, replica, world.clock.nowMs)
    : servicePrincipalShape(holder as ServicePrincipal, replica, world.clock.nowMs, world.tenant.id);
}

/** GET one. */
export function getHolder(world: World, incoming: Incoming, kind: HolderKind, key: string): Operation {
  const holder = findHolder(world, kind, key);
  return graphOperation(world, incoming, {
    op: `${kind.noun}.get`,
    roles: READ_ONE,
    holder,
    target: { objectId: holder?.id ?? key, appId: holder?.appId ?? null },
    run(call) {
      if (holder === null) return notFound(call, key);
      const query = readQuery(incoming, PAGE_MAX);
      const body = present(call, kind, holder, query.select, query.expand, readReplica(world));
      const context = `${incoming.origin}/v1.0/$metadata#${kind.collection}/$entity`;
      return { reply: { status: 200, body: { "@odata.context": context, ...body } }, effect: false };
    },
  });
}

/** GET the list, page by page. */
export function listHolders(world: World, incoming: Incoming, kind: HolderKind): Operation {
  return graphOperation(world, incoming, {
    op: `${kind.noun}.list`,
    roles: READ,
    units: 2,
    run(call) {
      const query = readQuery(incoming, PAGE_MAX);
      const conditions = readFilter(query.filter);
      const list = all(world, kind);
      const found = conditions.length === 0 ? list : list.filter((item) => conditions.every((c) => fits(item, c)));
      const size = pageSize(world, query.top);
      const replica = readReplica(world);
      return {
        reply: {
          status: 200,
          body: page(incoming, `v1.0/$metadata#${kind.collection}`, found, query.skip, size, (item) =>
            present(call, kind, item, query.select, query.expand, replica),
          ),
        },
        effect: false,
      };
    },
  });
}

/** GET owners. */
export function listOwners(world: World, incoming: Incoming, kind: HolderKind, key: string): Operation {
  const holder = findHolder(world, kind, key);
  return graphOperation(world, incoming, {
    op: `${kind.noun}.owners`,
    roles: READ_ONE,
    holder,
    target: { objectId: holder?.id ?? key, appId: holder?.appId ?? null },
    run(call) {
      if (holder === null) return notFound(call, key);
      const query = readQuery(incoming, PAGE_MAX);
      const owners = ownersOf(world, holder);
      const fields = query.select === null ? null : ["id", ...query.select];
      return {
        reply: {
          status: 200,
          body: page(
            incoming,
            "v1.0/$metadata#directoryObjects",
            owners,
            query.skip,
            pageSize(world, query.top),
            (item) => select(item, fields),
          ),
        },
        effect: false,
      };
    },
  });
}

/** One object as a replica shows it, with the properties that were asked for. */
export function present(
  call: GraphCall,
  kind: HolderKind,
  holder: CredentialHolder,
  fields: string[] | null,
  expand: string | null,
  replica: number,
): Record<string, unknown> {
  const body = select(shape(call.world, kind, holder, replica), fields);
  if (expand === null) return body;
  const match = /^owners(?:\(\$select=([\w,]+)\))?$/.exec(expand);
  if (match === null) throw new QueryError(`Could not find a property named '${expand}' to expand.`);
  const ownerFields = match[1] === undefined ? null : ["id", ...match[1].split(",")];
  // Directory objects expand to at most 20, without a link to the rest.
  const owners = ownersOf(call.world, holder).slice(0, EXPAND_MAX);
  return { ...body, owners: owners.map((owner) => select(owner, ownerFields)) };
}

function ownersOf(world: World, holder: CredentialHolder): Record<string, unknown>[] {
  return holder.owners.map((owner) => ownerShape(world, owner)).filter((item) => item !== null);
}

/** A configured page size wins over a larger `$top`. */
export function pageSize(world: World, top: number | null): number {
  const asked = top ?? PAGE_DEFAULT;
  return world.knobs.pageSize > 0 ? Math.min(world.knobs.pageSize, asked) : asked;
}

function fits(item: CredentialHolder, condition: Condition): boolean {
  const { field, operator, value } = condition;
  if (field === "appId" && operator === "eq") return item.appId === value;
  if (field === "id" && operator === "eq") return item.id === value;
  if (field === "displayName" && operator === "eq") return item.displayName === value;
  if (field === "displayName" && operator === "startswith") return item.displayName.startsWith(value);
  throw new QueryError(`Unsupported or invalid query filter clause specified for property '${field}'.`);
}
