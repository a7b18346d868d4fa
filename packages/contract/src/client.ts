import type { z } from "zod";
import type { Route } from "./route.ts";
import { type RouteName, type Routes, routes } from "./routes.ts";
import { Problem } from "./schemas/problem.ts";

type Part<T, K extends string> = T extends z.ZodType ? { [key in K]: z.input<T> } : Record<never, never>;
type Loose<T> = { [K in keyof T as Record<never, never> extends T[K] ? K : never]?: T[K] } & {
  [K in keyof T as Record<never, never> extends T[K] ? never : K]: T[K];
};
type Of<R, K extends keyof Route> = R extends { readonly [key in K]?: infer T } ? T : undefined;

/** What a client function takes: the parts its route declares, and the headers it requires. */
export type Call<N extends RouteName> = Loose<
  Part<Of<Routes[N], "params">, "params"> & Part<Of<Routes[N], "query">, "query"> & Part<Of<Routes[N], "body">, "body">
> & { readonly headers?: Readonly<Record<string, string>>; readonly signal?: AbortSignal };

export type Answer<N extends RouteName> = z.output<Routes[N]["response"]>;
export type Client = { readonly [N in RouteName]: (call: Call<N>) => Promise<Answer<N>> };

/** A problem document that the server answered with. */
export class ProblemError extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.detail ?? problem.title);
    this.name = "ProblemError";
    this.problem = problem;
  }
}

/** A gateway, another product, or another version of this one answered. Nothing of what it said is repeated. */
export class NotTheApi extends Error {
  override readonly name = "NotTheApi";
}

/** What a server that did not do what was asked says: its problem document, or that it is none of ours. */
export async function problemIn(answer: Response): Promise<Error> {
  const parsed = Problem.safeParse(await jsonIn(answer));
  return parsed.success ? new ProblemError(parsed.data) : notOurs(answer);
}

async function jsonIn(answer: Response): Promise<unknown> {
  try {
    return JSON.parse(await answer.text());
  } catch {
    return undefined;
  }
}

function notOurs({ url, status }: Response, member?: PropertyKey): NotTheApi {
  const at = URL.canParse(url) ? new URL(url).origin : "the address";
  const where = member === undefined ? "" : ` in ${String(member)}`;
  return new NotTheApi(`expected the API of Countersign at ${at}, got another answer (${status})${where}`);
}

/** The path of a route with its parameters filled in. */
export function pathOf(name: RouteName, params: Readonly<Record<string, string>> = {}): string {
  return routes[name].path.replace(/\{(\w+)\}/g, (_, key: string) => encodeURIComponent(params[key] ?? ""));
}

interface AnyCall {
  params?: Record<string, string>;
  query?: Record<string, unknown>;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/**
 * A typed client: one function per route, every answer checked with the route's schema.
 * Throws {@link ProblemError} for a problem document, {@link NotTheApi} for what no route answers. Routes that answer no JSON give null: fetch `pathOf` yourself.
 */
export function createClient(
  baseUrl: string,
  send: typeof fetch,
  headers: () => Record<string, string> = () => ({}),
): Client {
  const call = async (name: RouteName, { params, query, body, headers: own, signal }: AnyCall) => {
    const route: Route = routes[name];
    const url = new URL(pathOf(name, params), baseUrl);
    for (const [key, value] of Object.entries(query ?? {}))
      if (value !== undefined) url.searchParams.set(key, String(value));
    const answer = await send(url, {
      method: route.method,
      headers: {
        "x-countersign": "1",
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(route.requires?.includes("Idempotency-Key") ? { "idempotency-key": crypto.randomUUID() } : {}),
        ...headers(),
        ...own,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    });
    if (!answer.ok) throw await problemIn(answer);
    if ((route.content ?? "json") !== "json") return route.response.parse(null);
    const parsed = route.response.safeParse(await jsonIn(answer));
    if (!parsed.success) throw notOurs(answer, parsed.error.issues[0]?.path[0]);
    return parsed.data;
  };
  return Object.fromEntries(
    Object.keys(routes).map((name) => [name, (input: AnyCall) => call(name as RouteName, input ?? {})]),
  ) as unknown as Client;
}
