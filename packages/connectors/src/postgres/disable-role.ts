import { CountersignError, type GateReading, type Verb, type VerbContext } from "@countersign/core";
import { z } from "zod";
import { parseMarker } from "../kit/markers.ts";
import { credentialsIn } from "../kit/role-credentials.ts";
import { recordReference, stepId } from "../kit/schema.ts";
import type { Records } from "../kit/seams.ts";
import { isoOf, msOf } from "../kit/time.ts";
import { need, needId } from "../kit/verb.ts";
import { identifyForVerb, identitySeen } from "./identity.ts";
import { changeRole, endSessions, readRole, sessionsOf } from "./roles.ts";
import { roleName } from "./schema.ts";
import { assertRole, rotator, type Servers, withSession } from "./server.ts";

const Params = z.strictObject({
  server: z.string().min(1),
  /** The old role. */
  role: roleName,
  created: stepId,
  store: stepId,
  record: recordReference,
  quietSeconds: z.int().min(0),
});
type Params = z.infer<typeof Params>;

/** Snapshots of the session list for one reading of the gate, and domain time between them. */
const samples = 3;
const sampleEveryMs = 2_000;

/**
 * `postgres.disable-role@1`: takes LOGIN from the old role and ends its sessions. The old password is not tried, before or
 * after: our own sign-in would look like use.
 */
export function disableRole(servers: Servers, records: Records, connector: Verb["connector"]): Verb<Params> {
  return {
    id: "postgres.disable-role@1",
    connector,
    params: Params,
    value: "none",
    effect: "change",
    retry: "idempotent",
    call: "role.disable",
    identify: async (ctx, params) => identifyForVerb(ctx, servers(params.server)),
    intent: (_ctx, params) => ({ role: params.role }),
    gate: async (ctx, params) => gate(ctx, params, servers, records),

    async do(ctx, params) {
      const server = servers(params.server);
      assertRole(server, params.role);
      const fresh = needId(need(ctx, params.created), "role");
      if (fresh === params.role)
        throw new CountersignError("PLAN_DRIFTED", "expected to disable the old role, got the new one");
      const ended = await withSession(ctx, server, await rotator(server), async (client) => {
        // What the journal calls new must have been made by this run: whoever owns the database can write the journal.
        const next = await readRole(client, fresh);
        if (!next.canLogin || parseMarker(next.marker)?.run !== ctx.run)
          throw new CountersignError(
            "PLAN_DRIFTED",
            `expected the new role ${fresh} to have LOGIN and this run's marker, got another state`,
          );
        const role = await readRole(client, params.role);
        if (role.canLogin) {
          await changeRole(ctx, client, identitySeen(ctx), async () => ({
            role: params.role,
            login: false,
            marker: ctx.marker,
            note: role.note,
          }));
        }
        return endSessions(client, params.role);
      });
      return {
        objectIds: { role: params.role },
        facts: { canLogin: false, sessionsEnded: ended, at: isoOf(ctx.clock.now()) },
        requestIds: [],
      };
    },

    async verify(ctx, params) {
      const { canLogin, sessions } = await state(ctx, params);
      if (!canLogin && sessions === 0)
        return { kind: "verified", level: "metadata-changed", facts: { canLogin, sessions } };
      if (canLogin) return { kind: "refuted", code: "other-writer", facts: { canLogin, sessions } };
      return { kind: "not-yet", lookAgainMs: 1_000, facts: { canLogin, sessions } };
    },

    async reconcile(ctx, params) {
      const { canLogin, sessions } = await state(ctx, params);
      if (canLogin || sessions > 0) return { kind: "not-done", facts: { canLogin, sessions } };
      return {
        kind: "done",
        done: {
          objectIds: { role: params.role },
          facts: { canLogin, sessionsEnded: null, at: isoOf(ctx.clock.now()) },
          requestIds: [],
        },
      };
    },
  };

  async function state(ctx: VerbContext, params: Params): Promise<{ canLogin: boolean; sessions: number }> {
    const server = servers(params.server);
    return withSession(ctx, server, await rotator(server), async (client) => ({
      canLogin: (await readRole(client, params.role)).canLogin,
      sessions: (await sessionsOf(client, params.role)).length,
    }));
  }
}

/**
 * PostgreSQL keeps no record of past logins that we could ask, only who is connected now. So the grade is `weak` at best,
 * however long it was quiet: a nightly job is not in any snapshot taken at noon.
 */
async function gate(ctx: VerbContext, params: Params, servers: Servers, records: Records): Promise<GateReading> {
  const server = servers(params.server);
  const fresh = needId(need(ctx, params.created), "role");
  const stored = need(ctx, params.store);
  const storedAt = typeof stored.facts.at === "string" ? msOf(stored.facts.at) : ctx.clock.now();
  const counts: number[] = [];
  let newSessions = 0;
  for (let sample = 0; sample < samples; sample += 1) {
    if (sample > 0) await ctx.clock.sleep(sampleEveryMs, ctx.signal);
    await withSession(ctx, server, await rotator(server), async (client) => {
      counts.push((await sessionsOf(client, params.role)).length);
      newSessions = Math.max(newSessions, (await sessionsOf(client, fresh)).length);
    });
  }
  const latest = await records(params.record.connection).latest(ctx, params.record.name);
  const ours = latest !== null && latest.tags["cs-run"] === ctx.run && credentialsIn(latest.value).user === fresh;
  const quietSeconds = Math.floor((ctx.clock.now() - storedAt) / 1_000);
  const shut: string[] = [];
  if (!ours) shut.push("record-not-ours");
  if (counts.some((count) => count > 0)) shut.push("old-role-in-use");
  if (quietSeconds < params.quietSeconds) shut.push("quiet-too-short");
  const weak = ["sessions-are-snapshots"];
  if (newSessions === 0) weak.push("new-role-not-seen");
  return {
    grade: shut.length > 0 ? "none" : "weak",
    open: shut.length === 0,
    reasons: [...shut, ...weak],
    facts: { samples: counts, newSessions, quietSeconds, quietRequired: params.quietSeconds },
  };
}
