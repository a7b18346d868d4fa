import { createHash, randomBytes } from "node:crypto";

/** What is kept of a session: never its id, only the id's hash. Times are real milliseconds, not domain time. */
export interface SessionRow {
  readonly idHash: string;
  readonly person: string;
  readonly createdAt: number;
  readonly usedAt: number;
}

/** Where sessions are kept: the database, so that every instance knows them and a restart loses none. */
export interface SessionStore {
  create(row: SessionRow): Promise<void>;
  find(idHash: string): Promise<SessionRow | null>;
  touch(idHash: string, usedAt: number): Promise<void>;
  end(idHash: string): Promise<void>;
}

export interface SessionLimits {
  readonly idleMs: number;
  readonly absoluteMs: number;
}

export const sessionLimits: SessionLimits = { idleMs: 30 * 60_000, absoluteMs: 8 * 3_600_000 };

/** How often a session in use is written again. */
const touchEveryMs = 60_000;

/** Opaque session ids: 256 random bits, kept only as SHA-256. An id that a client brings along is never adopted. */
export class Sessions {
  readonly #store: SessionStore;
  readonly #now: () => number;
  readonly #limits: SessionLimits;

  /** `now` is real time: a session is about a person at a keyboard, whatever the domain clock says. */
  constructor(store: SessionStore, now: () => number, limits: SessionLimits = sessionLimits) {
    this.#store = store;
    this.#now = now;
    this.#limits = limits;
  }

  /** Opens a session for a person who has just proved who he is; returns the id, the only time it is seen. */
  async open(person: string): Promise<{ id: string; expiresAt: number }> {
    const id = randomBytes(32).toString("base64url");
    const now = this.#now();
    await this.#store.create({ idHash: hashOf(id), person, createdAt: now, usedAt: now });
    return { id, expiresAt: now + this.#limits.absoluteMs };
  }

  /** The person of a live session; null when it is unknown, idle for too long or too old. */
  async personOf(id: string): Promise<{ person: string; expiresAt: number } | null> {
    if (!/^[A-Za-z0-9_-]{43}$/.test(id)) return null;
    const row = await this.#store.find(hashOf(id));
    if (row === null) return null;
    const now = this.#now();
    if (now - row.createdAt >= this.#limits.absoluteMs || now - row.usedAt >= this.#limits.idleMs) {
      await this.#store.end(row.idHash);
      return null;
    }
    if (now - row.usedAt >= touchEveryMs) await this.#store.touch(row.idHash, now);
    return { person: row.person, expiresAt: row.createdAt + this.#limits.absoluteMs };
  }

  async close(id: string): Promise<void> {
    await this.#store.end(hashOf(id));
  }
}

function hashOf(id: string): string {
  return createHash("sha256").update(id).digest("hex");
}
