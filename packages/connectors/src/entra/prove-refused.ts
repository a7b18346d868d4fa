import { CountersignError, type Verb } from "@countersign/core";
import { z } from "zod";
import { recordReference } from "../kit/schema.ts";
import type { Records } from "../kit/seams.ts";
import { isoOf } from "../kit/time.ts";
import { looked } from "../kit/verb.ts";
import { identifyApplication } from "./application.ts";
import type { Tenants } from "./graph.ts";
import { applicationParams } from "./schema.ts";
import { type SignInResult, signInOnce } from "./sign-in.ts";
import { secretRefusals } from "./sign-in-codes.ts";

const Params = z.strictObject({
  ...applicationParams,
  record: recordReference,
  /** The version of the record that holds the old value. */
  version: z.string().min(1).max(200),
  times: z.int().min(1).max(20),
  spacingSeconds: z.int().min(0).max(600),
  deadlineSeconds: z.int().min(1).max(3_600),
});
type Params = z.infer<typeof Params>;

/** Request ids kept as evidence: those of the refusals themselves. */
const requestIdsMax = 32;
/** After an answer that says nothing of the secret, or that it still signs in. */
const againMs = 10_000;

/**
 * `entra.prove-refused@1`: the old value, read back from the record, is refused `times` times in a row. Replicas learn of
 * a removal one by one, so a late success sets the count back until the deadline (domain time). A refusal for another
 * reason (the application is disabled, Conditional Access, throttling) says nothing of the secret and counts for nothing.
 */
export function proveRefused(tenants: Tenants, records: Records, connector: Verb["connector"]): Verb<Params> {
  return {
    id: "entra.prove-refused@1",
    connector,
    params: Params,
    value: "none",
    effect: "look",
    retry: "safe",
    call: "token.prove-refused",
    identify: async (ctx, params) => identifyApplication(ctx, tenants(params.tenant), params),
    async do(ctx, params) {
      const tenant = tenants(params.tenant);
      const { value } = await records(params.record.connection).version(ctx, params.record.name, params.version);
      const deadline = ctx.clock.now() + params.deadlineSeconds * 1_000;
      const requestIds: string[] = [];
      const counts = { tries: 0, accepted: 0 };
      let firstAt = 0;
      let inRow = 0;
      for (;;) {
        const result = await signInOnce(ctx, tenant, params.appId, value);
        counts.tries += 1;
        if (saysRefused(result)) {
          inRow += 1;
          if (inRow === 1) firstAt = ctx.clock.now();
          if (result.requestId !== null) requestIds.push(result.requestId);
          if (inRow >= params.times)
            return looked(
              { inRow, ...counts, firstAt: isoOf(firstAt), lastAt: isoOf(ctx.clock.now()) },
              requestIds.slice(-requestIdsMax),
            );
        } else if (result.kind === "yes") {
          counts.accepted += 1;
          inRow = 0;
          requestIds.length = 0;
        }
        if (ctx.clock.now() >= deadline)
          throw new CountersignError(
            "DEADLINE_PASSED",
            `expected ${params.times} refusals in a row within ${params.deadlineSeconds} s, got ${inRow}`,
            counts,
          );
        const waitMs = saysRefused(result) ? params.spacingSeconds * 1_000 : againMs;
        if (waitMs > 0) await ctx.clock.sleep(waitMs, ctx.signal);
      }
    },
  };
}

function saysRefused(result: SignInResult): boolean {
  return result.kind !== "yes" && secretRefusals.has(result.code ?? "");
}
