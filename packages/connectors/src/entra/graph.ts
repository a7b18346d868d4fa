import { CountersignError, type TenantConfig } from "@countersign/core";
import { z } from "zod";
import type { Budget } from "../kit/budget.ts";
import type { Answer, Call, Endpoint, ErrorReader, Http } from "../kit/http.ts";
import type { Leave } from "../kit/leave.ts";
import { limits } from "../kit/limits.ts";
import type { TokenSource } from "../kit/token.ts";
import type { Waits } from "../kit/twice.ts";

/** One tenant ready to be called. */
export interface Tenant {
  readonly settings: TenantConfig;
  readonly http: Http;
  readonly authority: Endpoint;
  readonly graph: Endpoint;
  readonly reader: TokenSource;
  readonly writer: TokenSource;
  readonly waits: Waits;
  readonly budgets: {
    readonly token: Budget;
    readonly graph: Budget;
    /** Sign-in and audit reports: 5 requests per 10 s per application and tenant (Graph throttling limits). */
    readonly reports: Budget;
  };
}

/** Scope of tokens for Graph: its own origin, unless the configuration names another resource. */
export function graphScope(settings: Pick<TenantConfig, "graphAudience">, base: URL): string {
  return `${(settings.graphAudience ?? base.origin).replace(/\/$/, "")}/.default`;
}

/** Finds a tenant by its name in the configuration. Throws CONFIG_INVALID. */
export type Tenants = (name: string) => Tenant;

const GraphError = z.object({ error: z.object({ code: z.string(), message: z.string().nullish() }) });

/**
 * Graph reports concurrent changes as 409 `Directory_ConcurrencyViolation`, but also as 400 or 503 with the same text;
 * the text is looked at in memory for this one question and goes nowhere.
 */
export const readGraphError: ErrorReader = (_status, body) => {
  const parsed = GraphError.safeParse(body);
  if (!parsed.success) return { code: null, transient: false };
  const { code, message } = parsed.data.error;
  const concurrent =
    code === "Directory_ConcurrencyViolation" || /concurrent requests being made|concurrency/i.test(message ?? "");
  return { code, transient: concurrent };
};

type GraphCall<T> = Pick<Call<T>, "name" | "method" | "retry" | "effect" | "expect" | "answer"> & {
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly as: "reader" | "writer";
  readonly report?: boolean;
  readonly priority?: "low" | "normal" | "high";
};

/** One call to Graph with the tenant's own token and budget. */
export function graphCall<T>(leave: Leave, tenant: Tenant, call: GraphCall<T>, url?: URL): Promise<Answer<T>> {
  return tenant.http.call(leave, {
    name: call.name,
    method: call.method,
    url: url ?? tenant.graph.url(call.path, call.query),
    headers: { "x-ms-throttle-priority": call.priority ?? "normal" },
    ...(call.json === undefined ? {} : { json: call.json }),
    retry: call.retry,
    effect: call.effect,
    expect: call.expect,
    answer: call.answer,
    readError: readGraphError,
    budget: call.report === true ? tenant.budgets.reports : tenant.budgets.graph,
    token: tenant[call.as],
  });
}

/** Pages of a listing, `@odata.nextLink` followed verbatim; the next page is asked for while the caller works on this one. */
export async function* graphPages<T extends { readonly "@odata.nextLink"?: string | null | undefined }>(
  leave: Leave,
  tenant: Tenant,
  call: GraphCall<T>,
): AsyncGenerator<T> {
  let next: Promise<Answer<T>> | null = graphCall(leave, tenant, call);
  for (let pages = 0; next !== null; pages += 1) {
    if (pages >= limits.pagesMax)
      throw new CountersignError("LIMIT_EXCEEDED", `expected at most ${limits.pagesMax} pages, got more`);
    const body: T = (await next).body;
    const link: string | null | undefined = body["@odata.nextLink"];
    next = typeof link === "string" ? graphCall(leave, tenant, call, tenant.graph.follow(link)) : null;
    // If the caller stops here nobody awaits the page under way; its failure is then nobody's matter.
    next?.catch(() => undefined);
    yield body;
  }
}
