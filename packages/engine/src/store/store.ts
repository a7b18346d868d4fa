import { type Connection, type DatabaseRole, openPool } from "../database/connect.ts";
import { acceptanceStore } from "./acceptance-store.ts";
import { auditStore } from "./audit-store.ts";
import { breakGlassStore } from "./break-glass-store.ts";
import { closeStore } from "./close-store.ts";
import { detailStore } from "./detail-store.ts";
import { fleetStore } from "./fleet-store.ts";
import { historyStore } from "./history-store.ts";
import { hookStore } from "./hook-store.ts";
import { inventoryStore } from "./inventory-store.ts";
import { journalStore } from "./journal-store.ts";
import { ledgerStore } from "./ledger-store.ts";
import { type Channel, listen } from "./listen.ts";
import { noticeStore } from "./notice-store.ts";
import { ownerNoticeStore } from "./owner-notice-store.ts";
import { reachStore } from "./reach-store.ts";
import { recordStore } from "./record-store.ts";
import { restoreStore } from "./restore-store.ts";
import { runRecordStore } from "./run-record-store.ts";
import { runStore } from "./run-store.ts";
import { scanStore } from "./scan-store.ts";
import { sqlOver } from "./sql.ts";
import { useStore } from "./use-store.ts";
import { workerStore } from "./worker-store.ts";

/** Logins that a running process has; the migrator's is for start-up only. */
export type StoreRole = Exclude<DatabaseRole, "cs_migrator">;

/**
 * Our tables as one login sees them. Every method is one transaction; what the login may not do is FORBIDDEN by the
 * database itself. All methods may fail with DATABASE_UNAVAILABLE, after which a write may or may not have happened.
 */
export type Store = ReturnType<typeof openStore>;

/** Opens the store for one login; nothing is connected until it is used. */
export function openStore(options: {
  readonly role: StoreRole;
  readonly connection: Connection;
  /** Connections in the pool, beside one for beats and one per listener. */
  readonly connectionsMax?: number;
  readonly statementTimeoutMs?: number;
}) {
  const { role, connection } = options;
  const timeout = { statementTimeoutMs: options.statementTimeoutMs ?? 10_000 };
  const pool = openPool(connection, { applicationName: role, max: options.connectionsMax ?? 8, ...timeout });
  // A beat that waits behind ten steps in a pool arrives late, and a late beat ends the worker.
  const beatPool = openPool(connection, { applicationName: `${role} beat`, max: 1, ...timeout });
  const sql = sqlOver(pool);
  return {
    role,
    ...runStore(sql),
    ...workerStore(sql, sqlOver(beatPool)),
    ...journalStore(sql),
    ...historyStore(sql),
    ...noticeStore(sql),
    ...ownerNoticeStore(sql),
    ...recordStore(sql),
    ...restoreStore(sql),
    ...ledgerStore(sql),
    ...scanStore(sql),
    ...fleetStore(sql),
    ...detailStore(sql),
    ...useStore(sql),
    ...inventoryStore(sql),
    ...acceptanceStore(sql),
    ...hookStore(sql),
    ...auditStore(sql),
    ...reachStore(sql),
    ...breakGlassStore(sql),
    ...closeStore(sql),
    ...runRecordStore(sql),
    /** See {@link listen}. */
    listen: (channel: Channel, onMessage: (payload: string) => void) => listen(connection, channel, onMessage),
    /** Ends all connections after their statements. */
    async close(): Promise<void> {
      await Promise.all([pool.end(), beatPool.end()]);
    },
  };
}
