import type { Answer, RouteName, Routes } from "@countersign/contract";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { z } from "zod";
import type { Presented } from "../signin/cookie.ts";
import type { ApiDependencies } from "./dependencies.ts";
import type { KnownPerson } from "./ports.ts";

type OutputOf<T> = T extends z.ZodType ? z.output<T> : undefined;
type PartOf<N extends RouteName, K extends string> = Routes[N] extends { readonly [key in K]?: infer T }
  ? OutputOf<T>
  : undefined;

/** Who calls: nobody, or a person with a session. */
export interface Caller {
  readonly person: KnownPerson | null;
  readonly presented: Presented | null;
  readonly expiresAt: number | null;
}

/** What a handler gets: input already parsed, the caller already allowed. */
export interface HandlerInput<N extends RouteName> {
  readonly api: ApiDependencies;
  readonly params: PartOf<N, "params">;
  readonly query: PartOf<N, "query">;
  readonly body: PartOf<N, "body">;
  /** The signed-in person; routes with access `public` use `caller`. */
  readonly person: KnownPerson;
  readonly caller: Caller;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

export type Handler<N extends RouteName> = (input: HandlerInput<N>) => Promise<Answer<N>>;

/** One handler per route: a route without one does not compile. */
export type Handlers = { readonly [N in RouteName]: Handler<N> };
