import { CountersignError, type Done, type Reconciled, type Verb, type VerbContext } from "@countersign/core";
import { z } from "zod";
import { parseMarker } from "../kit/markers.ts";
import { credentialsValue } from "../kit/role-credentials.ts";
import { isoOf } from "../kit/time.ts";
import { identifyForVerb, identitySeen } from "./identity.ts";
import { changeRole, endSessions, readRole, sessionsOf } from "./roles.ts";
import { roleName } from "./schema.ts";
import { newPassword, scramVerifier } from "./scram.ts";
import { assertRole, rotator, type Server, type Servers, withSession } from "./server.ts";

const Params = z.strictObject({
  server: z.string().min(1),
  /** The idle role, which gets the new password. */
  role: roleName,
  /** The role in use; never touched here. */
  other: roleName,
});
type Params = z.infer<typeof Params>;

/**
 * `postgres.set-password@1`: gives the idle one of two login roles a new password and LOGIN, with our marker as its comment,
 * in one transaction. Only the SCRAM verifier is sent.
 */
export function setPassword(servers: Servers, connector: Verb["connector"]): Verb<Params> {
  return {
    id: "postgres.set-password@1",
    connector,
    params: Params,
    value: "yields",
    replaces: true,
    effect: "change",
    retry: "once",
    call: "role.set-password",
    identify: async (ctx, params) => identifyForVerb(ctx, servers(params.server)),
    intent: (_ctx, params) => ({ role: params.role }),

    async do(ctx, params) {
      const server = servers(params.server);
      assertRole(server, params.role);
      if (params.role === params.other)
        throw new CountersignError("PLAN_DRIFTED", "expected two different roles, got one");
      const password = newPassword();
      const verifier = await scramVerifier(password);
      await withSession(ctx, server, await rotator(server), (client) =>
        changeRole(ctx, client, identitySeen(ctx), async () => {
          const role = await readRole(client, params.role);
          const byThisRun = parseMarker(role.marker)?.run === ctx.run;
          if (!byThisRun && (await sessionsOf(client, params.role)).length > 0) {
            throw new CountersignError(
              "PLAN_DRIFTED",
              `expected the idle role ${params.role} to have no sessions, got some: somebody uses it`,
              {
                call: "role.set-password",
                refused: true,
              },
            );
          }
          return { role: params.role, login: true, verifier, marker: ctx.marker, note: role.note };
        }),
      );
      return {
        objectIds: { role: params.role },
        facts: { at: isoOf(ctx.clock.now()) },
        requestIds: [],
        value: credentialsValue(params.role, password),
      };
    },

    /** The password of a lost attempt is lost with it; whether it landed or not, setting another one is the way on. */
    async reconcile(ctx, params): Promise<Reconciled> {
      const server = servers(params.server);
      const role = await withSession(ctx, server, await rotator(server), (client) => readRole(client, params.role));
      if (ctx.direction !== "do") {
        return role.canLogin
          ? { kind: "not-done", facts: { canLogin: true } }
          : { kind: "done", done: disabled(params, ctx, 0) };
      }
      return { kind: "not-done", facts: { landed: parseMarker(role.marker)?.nonce === ctx.nonce } };
    },

    async verify(ctx, params) {
      const server = servers(params.server);
      const role = await withSession(ctx, server, await rotator(server), (client) => readRole(client, params.role));
      if (role.canLogin && role.marker === ctx.marker)
        return { kind: "verified", level: "metadata-changed", facts: { canLogin: true } };
      return { kind: "refuted", code: "other-writer", facts: { canLogin: role.canLogin } };
    },

    undo: async (ctx, params) => takeLogin(ctx, params, servers(params.server)),
    discard: async (ctx, params) => takeLogin(ctx, params, servers(params.server)),
  };
}

/** Takes LOGIN from the role this step enabled and ends its sessions; twice is once. */
async function takeLogin(ctx: VerbContext, params: Params, server: Server): Promise<Done> {
  assertRole(server, params.role);
  const ended = await withSession(ctx, server, await rotator(server), async (client) => {
    const role = await readRole(client, params.role);
    // Never enabled by this run and idle as before: there is nothing to take back.
    if (parseMarker(role.marker)?.run !== ctx.run && !role.canLogin) return 0;
    if (parseMarker(role.marker)?.run !== ctx.run) {
      throw new CountersignError(
        "UNDO_IMPOSSIBLE",
        `expected role ${params.role} to carry this run's marker, got another's`,
      );
    }
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
  return disabled(params, ctx, ended);
}

function disabled(params: Params, ctx: VerbContext, ended: number): Done {
  return {
    objectIds: { role: params.role },
    facts: { canLogin: false, sessionsEnded: ended, at: isoOf(ctx.clock.now()) },
    requestIds: [],
  };
}
