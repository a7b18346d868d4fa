import { type Application, type Credential, closedStates, type Finding, type Readiness } from "@countersign/contract";
import type { InventoryRow, RowOwners } from "@countersign/core";
import type { ApiStore, RunRecord, StoredUse } from "../ports.ts";
import { iso } from "./time.ts";

const dueWithinMs = 30 * 86_400_000;

/** Environments and their classification come from policy, never from the row. */
export interface RowContext {
  readonly isProd: (environment: string) => boolean;
  readonly now: number;
  /** Break-glass uses that no review has accepted, by row. */
  readonly unreviewed: Awaited<ReturnType<ApiStore["unreviewed"]>>;
}

/** One line of the application list: the row, its newest credential's expiry, its open run, what stands in the way. */
export function applicationOf(
  row: InventoryRow,
  credentials: readonly Credential[],
  runs: readonly RunRecord[],
  findings: readonly Finding[],
  context: RowContext,
): Application {
  const open = runs.find((run) => !closedStates.has(run.state));
  const expiresAt = expiryOf(credentials);
  return {
    name: row.name,
    procedure: row.procedure,
    tenant: row.tenant,
    environment: row.environment,
    prod: context.isProd(row.environment),
    owners: [...row.owners],
    businessOwners: [...(row.businessOwners ?? [])],
    credentialOwners: credentialOwnersOf(row),
    target: targetOf(row),
    record: { connection: row.record.connection, name: row.record.name },
    consumers: row.consumers.length,
    expiresAt,
    credentials: credentials.length,
    readiness:
      credentials.length === 0 && open === undefined
        ? "unknown"
        : readinessOf(row, expiresAt, open, runs[0], context.unreviewed.has(row.name), context.now),
    openRun: open === undefined ? null : { id: open.id, state: open.state },
    locked: lockOf(context.unreviewed.get(row.name)),
    findings: findings.length,
  };
}

function credentialOwnersOf({ credentialOwners = {} }: RowOwners): Application["credentialOwners"] {
  return Object.fromEntries(Object.entries(credentialOwners).map(([id, owners]) => [id, [...owners]]));
}

function lockOf(use: Pick<StoredUse, "run" | "person" | "at" | "reviewUntil"> | undefined): Application["locked"] {
  return use === undefined ? null : { ...use, at: iso(use.at), reviewUntil: iso(use.reviewUntil) };
}

function targetOf(row: InventoryRow): Application["target"] {
  return row.procedure === "entra-client-secret"
    ? { appId: row.appId, objectId: row.objectId }
    : { connection: row.connection, roles: [...row.roles] };
}

/** The latest expiry among live credentials: until then something signs in. Null: never, or nothing seen. */
function expiryOf(credentials: readonly Credential[]): string | null {
  const live = credentials.filter((credential) => credential.state !== "retired" && credential.kind !== "certificate");
  if (live.some((credential) => credential.expiresAt === null)) return null;
  return (
    live
      .map((credential) => credential.expiresAt as string)
      .sort()
      .at(-1) ?? null
  );
}

function readinessOf(
  row: InventoryRow,
  expiresAt: string | null,
  open: RunRecord | undefined,
  newest: RunRecord | undefined,
  locked: boolean,
  now: number,
): Readiness {
  if (open !== undefined) return open.state === "held" ? "held" : "in-progress";
  // Nothing begins by itself until a review has accepted what one person started alone.
  if (locked) return "locked";
  if (row.owners.length === 0) return "unowned";
  if (newest?.state === "blocked") return "blocked";
  if (expiresAt === null) return "ready";
  if (Date.parse(expiresAt) <= now) return "expired";
  return Date.parse(expiresAt) - now <= dueWithinMs ? "due" : "ready";
}
