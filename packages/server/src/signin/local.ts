import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { SecretValue } from "@countersign/core";

/** A local account of the profiles demo and test. */
export interface LocalAccount {
  readonly person: string;
  readonly sub: string;
  readonly email: string;
  readonly password: SecretValue;
}

interface Known {
  readonly person: string;
  readonly digest: Buffer;
}

/**
 * Sign-in with local passwords, for the profiles demo and test only. The passwords stand in files beside the
 * configuration, so a slow hash of them in memory would protect nothing and cost every start a quarter of a second: what
 * is kept is a digest under a key that this process alone has. An unknown login costs the same time as a wrong password.
 */
export class LocalSignIn {
  readonly #key = randomBytes(32);
  readonly #accounts = new Map<string, Known>();
  readonly #nobody: Known = { person: "", digest: randomBytes(32) };

  constructor(accounts: readonly LocalAccount[]) {
    for (const { person, sub, email, password } of accounts) {
      const known = { person, digest: this.#digest(password.reveal()) };
      this.#accounts.set(sub.toLowerCase(), known);
      this.#accounts.set(email.toLowerCase(), known);
    }
  }

  /** The person id when login and password fit; null otherwise. */
  check(login: string, password: string): string | null {
    const account = this.#accounts.get(login.toLowerCase()) ?? this.#nobody;
    return timingSafeEqual(this.#digest(password), account.digest) && account !== this.#nobody ? account.person : null;
  }

  #digest(password: string): Buffer {
    return createHmac("sha256", this.#key).update(password).digest();
  }
}
