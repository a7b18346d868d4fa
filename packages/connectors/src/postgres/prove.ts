import { CountersignError, type Verb } from "@countersign/core";
import { z } from "zod";
import { credentialsIn } from "../kit/role-credentials.ts";
import { isoOf } from "../kit/time.ts";
import { looked } from "../kit/verb.ts";
import { identifyForVerb } from "./identity.ts";
import { logInOnce } from "./log-in.ts";
import { roleName } from "./schema.ts";
import type { Servers } from "./server.ts";

const Params = z.strictObject({
  server: z.string().min(1),
  role: roleName,
  times: z.int().min(1).max(20),
  spacingSeconds: z.int().min(0).max(600),
  deadlineSeconds: z.int().min(1).max(3_600),
});
type Params = z.infer<typeof Params>;

/** `postgres.prove@1`: logs in with the new user and password `times` times in a row. A primary knows of it at once; a refusal is final. */
export function provePostgres(servers: Servers, connector: Verb["connector"]): Verb<Params> {
  return {
    id: "postgres.prove@1",
    connector,
    params: Params,
    value: "uses",
    effect: "look",
    retry: "safe",
    call: "role.log-in",
    identify: async (ctx, params) => identifyForVerb(ctx, servers(params.server)),
    async do(ctx, params) {
      const login = credentialsIn(ctx.value());
      if (login.user !== params.role)
        throw new CountersignError("PLAN_DRIFTED", `expected the value to be role ${params.role}'s, got another one's`);
      const deadline = ctx.clock.now() + params.deadlineSeconds * 1_000;
      let inRow = 0;
      for (let tries = 1; ; tries += 1) {
        const result = await logInOnce(ctx, servers(params.server), login);
        if (result.kind === "no")
          throw new CountersignError("CREDENTIAL_REFUSED", "expected the new password to log in, got a refusal", {
            code: result.code,
            tries,
          });
        if (result.kind === "not-asked") {
          throw new CountersignError(
            "CREDENTIAL_REFUSED",
            "expected the server to ask for a password, got let in without one: a login proves nothing here",
            { code: "password-not-asked" },
          );
        }
        inRow = result.kind === "yes" ? inRow + 1 : 0;
        if (inRow >= params.times) return looked({ inRow, tries, lastAt: isoOf(ctx.clock.now()) });
        if (ctx.clock.now() >= deadline)
          throw new CountersignError("DEADLINE_PASSED", `expected ${params.times} logins in a row, got ${inRow}`, {
            tries,
          });
        const waitMs = result.kind === "yes" ? params.spacingSeconds * 1_000 : 2_000;
        if (waitMs > 0) await ctx.clock.sleep(waitMs, ctx.signal);
      }
    },
  };
}
