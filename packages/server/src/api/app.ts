import { randomUUID } from "node:crypto";
import { type Access, openApi, type Route, type RouteName, routes } from "@countersign/contract";
import { CountersignError } from "@countersign/core";
import cookie from "@fastify/cookie";
import rateLimit from "@fastify/rate-limit";
import Fastify, { type FastifyInstance, type FastifyReply } from "fastify";
import { serializerCompiler } from "fastify-type-provider-zod";
import { cookieName, presented, refuseForgery } from "../signin/cookie.ts";
import { registerHooks } from "../triggers/hooks.ts";
import { serveConsole } from "../web/console.ts";
import { authorise } from "./authorise.ts";
import { bodyBytesMax, parseJsonOnly } from "./body.ts";
import { Changes } from "./changes.ts";
import type { ApiDependencies } from "./dependencies.ts";
import type { Caller, HandlerInput } from "./handler.ts";
import { handlers } from "./handlers/index.ts";
import { securityHeaders, transportHeaders } from "./headers.ts";
import { keyOf, once, requestHash } from "./idempotency.ts";
import { problemOf } from "./problems.ts";
import { validatorCompiler } from "./validator.ts";

declare module "fastify" {
  interface FastifyInstance {
    changes: Changes;
    /** Reports that browsers sent of broken page rules since the start. */
    cspReports: { count: number };
  }
  interface FastifyContextConfig {
    access?: Access;
  }
  interface FastifyRequest {
    caller: Caller;
  }
}

const nobody: Caller = { person: null, presented: null, expiresAt: null };

/** The HTTP server: API and console on one origin. Call `listen` on what it returns. */
export async function createApi(api: ApiDependencies): Promise<FastifyInstance> {
  const app = Fastify({
    bodyLimit: bodyBytesMax,
    genReqId: () => randomUUID(),
    requestTimeout: 30_000,
    // An open event stream must not hold the process back when it is to end.
    forceCloseConnections: true,
    trustProxy: false,
    logger: false,
    routerOptions: { maxParamLength: 200, ignoreTrailingSlash: false },
    // Refused before routing (a malformed address): the reply's types know no route here.
    frameworkErrors: (error, request, reply) => {
      const problem = problemOf(error, request.id);
      (reply as FastifyReply).code(problem.status).type("application/problem+json").send(problem);
    },
  });
  const changes = new Changes(api.store, api.now, api.installation.clock === "virtual");
  app.decorate("changes", changes);
  app.decorate("cspReports", { count: 0 });
  // Set by the first hook of every request, before anything reads it.
  app.decorateRequest("caller", null as never);
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  parseJsonOnly(app);
  refuseUndeclaredRoutes(app);
  answerWithProblems(app, api);
  // The streams end first, otherwise closing would wait for them.
  app.addHook("preClose", async () => changes.close());

  await app.register(cookie);
  await app.register(rateLimit, { global: false });
  identifyEveryRequest(app, api);
  for (const [name, route] of Object.entries(routes) as [RouteName, Route][]) {
    if (route.profiles === undefined || route.profiles.some((profile) => profile === api.installation.profile))
      register(app, api, name, route);
  }
  let document: ReturnType<typeof openApi> | null = null;
  app.get("/v1/openapi.json", { config: { access: "public" } }, async () => {
    document ??= openApi(api.installation.build);
    return document;
  });
  countReports(app, api);
  if (api.hooks !== null) registerHooks(app, api.hooks);
  if (api.consoleDir !== null) await serveConsole(app, api.consoleDir);
  return app;
}

function register(app: FastifyInstance, api: ApiDependencies, name: RouteName, route: Route): void {
  const { params, query, body, response } = route;
  const status = route.status ?? 200;
  const keyed = route.requires?.includes("Idempotency-Key") ?? false;
  app.route({
    method: route.method,
    url: route.path.replace(/\{(\w+)\}/g, ":$1"),
    config: {
      access: route.roles,
      ...(name === "signIn" ? { rateLimit: { max: api.signInsPerMinuteMax, timeWindow: 60_000 } } : {}),
    },
    schema: {
      ...(params === undefined ? {} : { params }),
      ...(query === undefined ? {} : { querystring: query }),
      ...(body === undefined ? {} : { body }),
      ...((route.content ?? "json") === "json" ? { response: { [status]: response } } : {}),
    },
    handler: async (request, reply) => {
      const changing = route.method !== "GET";
      if (changing && route.whileReadOnly !== true && (await api.readiness()).mode === "read-only") {
        throw new CountersignError("READ_ONLY", "expected an installation that is ready, it is read-only");
      }
      const { caller } = request;
      const input = {
        api,
        params: request.params,
        query: request.query,
        body: request.body,
        person: caller.person,
        caller,
        request,
        reply,
      };
      const act = () => (handlers[name] as (input: unknown) => Promise<unknown>)(input as HandlerInput<never>);
      if (keyed && caller.person !== null) {
        const key = keyOf(request.headers["idempotency-key"]);
        const hash = requestHash(request.method, request.url, request.body);
        const kept = await once(api.idempotency, caller.person.person, key, hash, async () => ({
          status,
          body: JSON.stringify(await act()),
        }));
        reply.code(kept.status);
        if (kept.replayed) reply.header("idempotent-replayed", "true");
        return JSON.parse(kept.body);
      }
      const answer = await act();
      if (reply.sent) return reply;
      if (route.content === "empty") return reply.code(status).send();
      return reply.code(status).send(answer);
    },
  });
}

/** A route that says nothing about who may call it stops the start: nothing is open by being forgotten. */
function refuseUndeclaredRoutes(app: FastifyInstance): void {
  app.addHook("onRoute", (route) => {
    if (route.config?.access === undefined)
      throw new TypeError(`expected a declaration of who may call ${String(route.method)} ${route.url}, got none`);
  });
}

/** Who calls, whether he may, and whether another site made him: before a body is read. */
function identifyEveryRequest(app: FastifyInstance, api: ApiDependencies): void {
  const { url } = api.installation;
  const name = cookieName(url);
  const ownOrigin = new URL(url).origin;
  const https = url.startsWith("https:");
  app.addHook("onRequest", async (request, reply) => {
    reply.headers(securityHeaders);
    if (https) reply.headers(transportHeaders);
    request.caller = nobody;
    if (request.url.startsWith("/v1/")) reply.header("cache-control", "no-store");
    const access = request.routeOptions.config.access;
    if (access === undefined || request.is404) return;
    const presence = presented(request, name);
    const session = presence === null ? null : await api.sessions.personOf(presence.id);
    const person = api.people.find((candidate) => candidate.person === session?.person) ?? null;
    request.caller = { person, presented: presence, expiresAt: session?.expiresAt ?? null };
    if (!request.url.startsWith("/v1/csp-reports"))
      refuseForgery(request, person === null ? null : (presence?.by ?? null), ownOrigin);
    authorise(access, person);
  });
}

function answerWithProblems(app: FastifyInstance, api: ApiDependencies): void {
  app.setErrorHandler((error, request, reply) => {
    const problem = problemOf(error, request.id);
    if (problem.code === "UNEXPECTED") {
      const { name, message, stack } = error as Error;
      api.log({
        level: "error",
        message: "request failed",
        request: request.id,
        route: request.routeOptions.url ?? "",
        error: name,
        because: message,
        stack: stack ?? "",
      });
    }
    if (problem.status === 401) reply.header("www-authenticate", "Bearer");
    if (problem.code === "DATABASE_UNAVAILABLE" || problem.code === "READ_ONLY") reply.header("retry-after", "5");
    return reply.code(problem.status).type("application/problem+json").serializer(JSON.stringify).send(problem);
  });
  app.setNotFoundHandler((request, reply) => {
    const problem = problemOf(
      new CountersignError("NOT_FOUND", "expected an address of this API, got another"),
      request.id,
    );
    return reply.code(404).headers(securityHeaders).type("application/problem+json").send(problem);
  });
}

/** Browsers say here which page rule was broken; in the product's own pages that must be none. */
function countReports(app: FastifyInstance, api: ApiDependencies): void {
  app.register(async (scope) => {
    const types = ["application/csp-report", "application/reports+json"];
    scope.addContentTypeParser(types, { parseAs: "string", bodyLimit: 65_536 }, (_request, text, done) =>
      done(null, text),
    );
    const config = { access: "public" as const, rateLimit: { max: 60, timeWindow: 60_000 } };
    scope.post("/v1/csp-reports", { config }, async (request, reply) => {
      app.cspReports.count += 1;
      api.log({
        level: "warn",
        message: "a browser reported a broken page rule",
        report: String(request.body).slice(0, 2_000),
      });
      return reply.code(204).send();
    });
  });
}
