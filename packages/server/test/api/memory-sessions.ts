import type { SessionRow, SessionStore } from "../../src/signin/index.ts";

/** Sessions in memory, with their rows to look at. */
export function memorySessions(): SessionStore & { readonly rows: Map<string, SessionRow> } {
  const rows = new Map<string, SessionRow>();
  return {
    rows,
    create: async (row) => void rows.set(row.idHash, row),
    find: async (idHash) => rows.get(idHash) ?? null,
    touch: async (idHash, usedAt) => {
      const row = rows.get(idHash);
      if (row !== undefined) rows.set(idHash, { ...row, usedAt });
    },
    end: async (idHash) => void rows.delete(idHash),
  };
}
