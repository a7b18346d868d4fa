import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import type { SecretValue } from "@countersign/core";

const derive = promisify(scrypt) as (password: string, salt: Buffer, length: number) => Promise<Buffer>;

/** A local account of the profiles demo and test. */
export interface LocalAccount {
  readonly person: string;
  readonly sub: string;
  readonly email: string;
  readonly password: SecretValue;
}

interface Known {
  readonly person: string;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

/**
 * Sign-in with local passwords, for the profiles demo and test only. In memory stand scrypt hashes, not passwords.
 * An unknown login costs the same time as a wrong password, so that logins cannot be listed by the clock.
 */
export class LocalSignIn {
  readonly #accounts: ReadonlyMap<string, Known>;
  readonly #nobody: Known;

  private constructor(accounts: ReadonlyMap<string, Known>, nobody: Known) {
    this.#accounts = accounts;
    this.#nobody = nobody;
  }

  static async of(accounts: readonly LocalAccount[]): Promise<LocalSignIn> {
    const known = new Map<string, Known>();
    for (const account of accounts) {
      const salt = randomBytes(16);
      const entry = { person: account.person, salt, hash: await derive(account.password.reveal(), salt, 32) };
      known.set(account.sub.toLowerCase(), entry);
      known.set(account.email.toLowerCase(), entry);
    }
    return new LocalSignIn(known, { person: "", salt: randomBytes(16), hash: randomBytes(32) });
  }

  /** The person id when login and password fit; null otherwise. */
  async check(login: string, password: string): Promise<string | null> {
    const account = this.#accounts.get(login.toLowerCase()) ?? this.#nobody;
    const hash = await derive(password, account.salt, 32);
    return timingSafeEqual(hash, account.hash) && account !== this.#nobody ? account.person : null;
  }
}
