import { CountersignError, type InventoryRow } from "@countersign/core";
import { type Store, takeEvent } from "@countersign/engine";
import type { FastifyInstance, FastifyReply } from "fastify";
import { deliveryBytesMax, type Hook, type Received } from "./receive.ts";

/** What the ways in need from the rest. */
export interface HooksDependencies {
  readonly hooks: readonly Hook[];
  readonly store: Pick<Store, "hookTake">;
  readonly rows: () => readonly InventoryRow[];
  readonly isReadOnly: () => Promise<boolean>;
  /** Domain time, ms. */
  readonly now: () => number;
  /** Of the machine, ms: the age of a signature. */
  readonly realNow: () => number;
}

/** The only origin that may ask by CloudEvents' handshake (Azure docs, CloudEvents schema). */
const gridOrigin = "eventgrid.azure.net";

/**
 * `POST /hooks/<name>`: the ways in for events from outside. Order: size, key, form, rules, then once per event. Whatever an event
 * says, the most it can do is to file a request, which is validated and waits for people like any other.
 */
export function registerHooks(app: FastifyInstance, parts: HooksDependencies): void {
  for (const hook of parts.hooks) {
    app.register(async (scope) => {
      // The signature is over the bytes as they came.
      scope.removeAllContentTypeParsers();
      scope.addContentTypeParser("*", { parseAs: "buffer", bodyLimit: deliveryBytesMax }, (_request, body, done) =>
        done(null, body),
      );
      const url = `/hooks/${hook.config.name}`;
      const rateLimit = { max: hook.config.perMinuteMax, timeWindow: 60_000 };
      const config = { access: "public" as const, rateLimit };
      scope.post(url, { config }, async ({ headers, body }, reply) => {
        const bytes = Buffer.isBuffer(body) ? body : Buffer.alloc(0);
        const received = hook.receive({ headers, body: bytes }, parts.rows(), parts.realNow());
        return answer(hook, parts, received, reply);
      });
      if (hook.config.kind === "event-grid")
        scope.options(url, { config }, async ({ headers }, reply) => {
          if (headers["webhook-request-origin"] !== gridOrigin)
            throw new CountersignError("FORBIDDEN", "expected Event Grid to ask, got another origin");
          return reply
            .code(200)
            .headers({
              allow: "POST",
              "webhook-allowed-origin": gridOrigin,
              "webhook-allowed-rate": String(hook.config.perMinuteMax),
            })
            .send();
        });
    });
  }
}

async function answer(hook: Hook, parts: HooksDependencies, received: Received, reply: FastifyReply) {
  switch (received.kind) {
    case "unverified":
      throw new CountersignError(
        "FORBIDDEN",
        "expected a delivery that one of the hook's keys vouches for, got another",
        { status: 401 },
      );
    case "malformed":
      throw new CountersignError(
        "INPUT_INVALID",
        `expected a delivery in the form of ${hook.config.kind}, got another`,
      );
    case "handshake":
      return reply.code(200).send({ validationResponse: received.code });
    case "events": {
      if (await parts.isReadOnly())
        throw new CountersignError("READ_ONLY", "expected an installation that is ready, it is read-only");
      const from = { name: hook.config.name, key: received.key, requester: "system:webhook" } as const;
      for (const { event, routed } of received.events) await takeEvent(parts.store, from, event, routed, parts.now());
      // The sender learns that it came in, and nothing about what is here.
      return reply.code(202).send({ received: received.events.length });
    }
  }
}
