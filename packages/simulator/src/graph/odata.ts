import type { Incoming } from "../http/exchange.ts";

/** The query options we understand. */
export interface ListQuery {
  select: string[] | null;
  expand: string | null;
  filter: string | null;
  top: number | null;
  skip: number;
  order: string | null;
}

/** A query option that is malformed. */
export class QueryError extends Error {}

const TOKEN_PREFIX = "RFNwdAIAAQ";

/** Reads `$select`, `$expand`, `$filter`, `$top`, `$skiptoken`, `$orderby`; throws QueryError. */
export function readQuery(incoming: Incoming, topMax: number): ListQuery {
  const { query } = incoming;
  const topText = query.get("$top");
  const top = topText === null ? null : Number(topText);
  if (top !== null && (!Number.isInteger(top) || top < 1 || top > topMax)) {
    throw new QueryError(`Invalid page size specified: '${topText}'. Must be between 1 and ${topMax} inclusive.`);
  }
  const token = query.get("$skiptoken");
  return {
    select:
      query
        .get("$select")
        ?.split(",")
        .map((field) => field.trim()) ?? null,
    expand: query.get("$expand"),
    filter: query.get("$filter"),
    top,
    skip: token === null ? 0 : readToken(token),
    order: query.get("$orderby"),
  };
}

function readToken(token: string): number {
  const text = token.startsWith(TOKEN_PREFIX)
    ? Buffer.from(token.slice(TOKEN_PREFIX.length), "base64url").toString()
    : "";
  if (!/^\d+$/.test(text)) throw new QueryError("Skip token is null or malformed.");
  return Number(text);
}

/** The address of the next page: every option of this one and a token to be followed verbatim. */
export function nextLink(incoming: Incoming, skip: number): string {
  const query = new URLSearchParams(incoming.query);
  query.delete("$skiptoken");
  const options = [...query].map(([key, value]) => `${key}=${encodeURIComponent(value)}`);
  options.push(`$skiptoken=${TOKEN_PREFIX}${Buffer.from(String(skip)).toString("base64url")}`);
  return `${incoming.origin}${encodeURI(incoming.path)}?${options.join("&")}`;
}

/** One page of a list with `@odata.nextLink` where there is more. */
export function page<T>(
  incoming: Incoming,
  context: string,
  items: readonly T[],
  skip: number,
  size: number,
  shape: (item: T) => unknown,
): Record<string, unknown> {
  const more = skip + size < items.length;
  return {
    "@odata.context": `${incoming.origin}/${context}`,
    ...(incoming.query.get("$count") === "true" ? { "@odata.count": items.length } : {}),
    ...(more ? { "@odata.nextLink": nextLink(incoming, skip + size) } : {}),
    value: items.slice(skip, skip + size).map(shape),
  };
}

/** A test that the filter puts to one item: property path, operator, literal. */
export interface Condition {
  field: string;
  operator: "eq" | "ge" | "gt" | "le" | "lt" | "startswith";
  value: string;
}

const CONDITION = /^([\w/.]+) (eq|ge|gt|le|lt) ('(?:[^']|'')*'|[^\s']+)$/;
const STARTS = /^startswith\(([\w/.]+),\s*'((?:[^']|'')*)'\)$/i;
const ANY = /^([\w/]+)\/any\((\w+):\s*\2(\/\w+)? eq ('(?:[^']|'')*')\)$/;

/** Conditions joined by `and`; throws QueryError for anything else. */
export function readFilter(filter: string | null): Condition[] {
  if (filter === null) return [];
  return splitAnd(filter).map((text) => {
    const simple = CONDITION.exec(text);
    if (simple !== null) {
      return {
        field: String(simple[1]),
        operator: simple[2] as Condition["operator"],
        value: literal(String(simple[3])),
      };
    }
    const starts = STARTS.exec(text);
    if (starts !== null) {
      return { field: String(starts[1]), operator: "startswith", value: String(starts[2]).replaceAll("''", "'") };
    }
    const any = ANY.exec(text);
    if (any !== null) return { field: `${any[1]}${any[3] ?? ""}`, operator: "eq", value: literal(String(any[4])) };
    throw new QueryError("Invalid filter clause.");
  });
}

/** Splits at ` and ` outside quotes and brackets. */
function splitAnd(filter: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let quoted = false;
  let start = 0;
  for (let i = 0; i < filter.length; i += 1) {
    const char = filter[i];
    if (char === "'") quoted = !quoted;
    else if (!quoted && char === "(") depth += 1;
    else if (!quoted && char === ")") depth -= 1;
    else if (!quoted && depth === 0 && filter.startsWith(" and ", i)) {
      parts.push(filter.slice(start, i).trim());
      start = i + 5;
    }
  }
  parts.push(filter.slice(start).trim());
  return parts;
}

function literal(text: string): string {
  return text.startsWith("'") ? text.slice(1, -1).replaceAll("''", "'") : text;
}
