import { CountersignError, type World, type WorldReader } from "@countersign/core";
import { parseMarker } from "../kit/markers.ts";
import { credentialsIn, type RoleCredentials } from "../kit/role-credentials.ts";
import { questionOf, type Records, type StoredVersion, type TargetReader } from "../kit/seams.ts";
import { logInOnce } from "./log-in.ts";
import { identifyServer, readRoles } from "./roles.ts";
import { assertRole, rotator, type Servers, withSession } from "./server.ts";

interface Needs {
  readonly servers: Servers;
  readonly records: Records;
  readonly targets: TargetReader;
}

/** Reads everything that a plan for a pair of PostgreSQL roles depends on; only reads leave. */
export function postgresWorld(needs: Needs): WorldReader {
  return {
    procedure: "postgres-role-password",
    async versionSignsIn(ctx, row, version) {
      if (row.procedure !== "postgres-role-password") return null;
      const held = namedRole(
        await needs.records(row.record.connection).version(ctx, row.record.name, version),
        row.roles,
      );
      if (held === null) return false;
      const login = await logInOnce(ctx, needs.servers(row.connection), held);
      return login.kind === "yes" ? true : login.kind === "no" ? false : null;
    },
    async read(ctx, row, oldCredentialTag): Promise<World> {
      if (row.procedure !== "postgres-role-password")
        throw new CountersignError("CONFIG_INVALID", `expected a postgres-role-password row, got ${row.procedure}`);
      const server = needs.servers(row.connection);
      for (const role of row.roles) assertRole(server, role);
      const store = needs.records(row.record.connection);
      const [catalogue, identity, latest] = await Promise.all([
        rotator(server).then((login) =>
          withSession(ctx, server, login, async (client) => ({
            target: await identifyServer(client, server),
            roles: await readRoles(client, row.roles),
          })),
        ),
        store.identity(ctx, row.record.name),
        store.latest(ctx, row.record.name),
      ]);
      if (catalogue.roles.length !== 2)
        throw new CountersignError("OUTSIDE_NOT_FOUND", `expected both roles to exist, got ${catalogue.roles.length}`, {
          call: "postgres",
        });
      const named = latest === null ? null : namedRole(latest, row.roles);
      const [readable, login, consumers] = await Promise.all([
        latest === null
          ? false
          : store
              .version(ctx, row.record.name, latest.version)
              .then((stored) => stored.value.equals(latest.value), isGone),
        named === null ? null : logInOnce(ctx, server, named),
        Promise.all(
          row.consumers.map(async (consumer) => ({
            name: consumer.name,
            ...(await needs.targets(ctx, questionOf(consumer, row.record), latest)),
          })),
        ),
      ]);
      return {
        readAt: ctx.clock.now(),
        target: catalogue.target,
        credentials: catalogue.roles
          .filter((role) => role.canLogin)
          .map((role) => ({
            id: role.name,
            kind: "role" as const,
            startsAt: null,
            expiresAt: role.validUntil,
            marker: parseMarker(role.marker),
          })),
        record: { identity, version: latest?.version ?? null, readable },
        binding: bindingOf(latest, named, oldCredentialTag),
        // Let in without a password proves nothing about the value.
        recordSignsIn:
          login === null
            ? latest === null
              ? null
              : false
            : login.kind === "yes"
              ? true
              : login.kind === "no"
                ? false
                : null,
        consumers,
        directoryOwners: [],
        limits: { credentialsMax: 2, lifetimeSecondsMax: null },
      };
    },
  };
}

/** The record's credentials when they name one of the two roles. */
function namedRole(latest: StoredVersion, roles: readonly [string, string]): RoleCredentials | null {
  try {
    const held = credentialsIn(latest.value);
    return roles.includes(held.user) ? held : null;
  } catch {
    return null;
  }
}

/** The value names its role, so nothing has to be guessed; `ours` only when our tag and ledger agree. */
function bindingOf(
  latest: StoredVersion | null,
  named: RoleCredentials | null,
  oursByLedger: (id: string) => boolean,
): World["binding"] {
  if (latest === null || named === null) return { id: null, by: "unproven" };
  const ours = latest.tags["cs-keyid"] === named.user && oursByLedger(named.user);
  return { id: named.user, by: ours ? "ours" : "hint" };
}

function isGone(error: unknown): false {
  if (error instanceof CountersignError && (error.code === "OUTSIDE_NOT_FOUND" || error.code === "OUTSIDE_FORBIDDEN"))
    return false;
  throw error;
}
