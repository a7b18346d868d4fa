import { CountersignError, type Verb } from "@countersign/core";
import { z } from "zod";
import { isoOf } from "../kit/time.ts";
import { looked } from "../kit/verb.ts";
import { identifyApplication } from "./application.ts";
import type { Tenants } from "./graph.ts";
import { applicationParams } from "./schema.ts";
import { signInOnce } from "./sign-in.ts";

const Params = z.strictObject({
  ...applicationParams,
  times: z.int().min(1).max(20),
  spacingSeconds: z.int().min(0).max(600),
  deadlineSeconds: z.int().min(1).max(3_600),
});
type Params = z.infer<typeof Params>;

/** Request ids kept as evidence; the last ones are those of the proof itself. */
const requestIdsMax = 200;

/**
 * `entra.prove@1`: signs in with the new secret `times` times in a row. Replicas learn of a secret one by one, so a
 * single success proves one replica: a late refusal sets the count back until the deadline (domain time).
 */
export function prove(tenants: Tenants, connector: Verb["connector"]): Verb<Params> {
  return {
    id: "entra.prove@1",
    connector,
    params: Params,
    value: "uses",
    effect: "look",
    retry: "safe",
    call: "token.prove",
    identify: async (ctx, params) => identifyApplication(ctx, tenants(params.tenant), params),
    async do(ctx, params) {
      const tenant = tenants(params.tenant);
      const value = ctx.value();
      const deadline = ctx.clock.now() + params.deadlineSeconds * 1_000;
      const requestIds: string[] = [];
      let inRow = 0;
      let tries = 0;
      let resets = 0;
      let firstAt = 0;
      for (;;) {
        const result = await signInOnce(ctx, tenant, params.appId, value);
        tries += 1;
        if (result.requestId !== null) requestIds.push(result.requestId);
        if (result.kind === "yes") {
          inRow += 1;
          if (inRow === 1) firstAt = ctx.clock.now();
          if (inRow >= params.times) {
            const facts = { inRow, tries, resets, firstAt: isoOf(firstAt), lastAt: isoOf(ctx.clock.now()) };
            return looked(facts, requestIds.slice(-requestIdsMax));
          }
        } else {
          if (inRow > 0) resets += 1;
          inRow = 0;
          const facts = { code: result.code, verdict: result.kind, tries, requestId: result.requestId };
          if (result.kind === "fail")
            throw new CountersignError(
              "CREDENTIAL_REFUSED",
              "expected the new secret to sign in, got a refusal",
              facts,
            );
          if (ctx.clock.now() >= deadline) throw atDeadline(result.kind, facts);
        }
        if (ctx.clock.now() >= deadline) {
          throw new CountersignError(
            "DEADLINE_PASSED",
            `expected ${params.times} sign-ins in a row within ${params.deadlineSeconds} s, got ${inRow}`,
            { tries },
          );
        }
        const waitMs =
          result.kind === "yes" ? params.spacingSeconds * 1_000 : Math.min(10_000, 1_000 * 2 ** Math.min(tries, 4));
        if (waitMs > 0) await ctx.clock.sleep(waitMs, ctx.signal);
      }
    },
  };
}

function atDeadline(verdict: "retry" | "inconclusive", facts: CountersignError["facts"]): CountersignError {
  if (verdict === "retry")
    return new CountersignError(
      "CREDENTIAL_REFUSED",
      "expected the new secret to sign in before the deadline, got refusals",
      facts,
    );
  return new CountersignError(
    "OUTSIDE_FORBIDDEN",
    "expected a sign-in that proves the secret, got a refusal that says nothing about it",
    facts,
  );
}
