import type { Store } from "@countersign/engine";
import type { SessionStore } from "../signin/index.ts";

/** Sessions in our tables: every instance knows them, a restart loses none. Times are real, not domain time. */
export function databaseSessions(store: Store, now: () => number, absoluteMs: number): SessionStore {
  const bytes = (idHash: string) => Buffer.from(idHash, "hex");
  return {
    create: ({ idHash, person, createdAt, usedAt }) =>
      store.sessionPut(bytes(idHash), person, { usedAt }, createdAt, createdAt + absoluteMs),
    async find(idHash) {
      const row = await store.session(bytes(idHash), now());
      if (row === null) return null;
      const usedAt = typeof row.data.usedAt === "number" ? row.data.usedAt : row.createdAt;
      return { idHash, person: row.person, createdAt: row.createdAt, usedAt };
    },
    async touch(idHash, usedAt) {
      const row = await store.session(bytes(idHash), usedAt);
      if (row !== null) await store.sessionPut(bytes(idHash), row.person, { usedAt }, usedAt, row.expiresAt);
    },
    async end(idHash) {
      await store.sessionDelete({ hash: bytes(idHash) });
    },
  };
}
