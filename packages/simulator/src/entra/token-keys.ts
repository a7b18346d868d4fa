import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from "node:crypto";

/** What an access token says. */
export interface TokenClaims {
  aud: string;
  iss: string;
  iat: number;
  nbf: number;
  exp: number;
  appid: string;
  /** Object id of the service principal. */
  oid: string;
  sub: string;
  tid: string;
  roles?: string[];
  uti: string;
  ver: "1.0";
  idtyp: "app";
}

/** The tenant's signing key (RS256, as the vendor's). */
export class TokenKeys {
  readonly #private: KeyObject;
  readonly #public: KeyObject;
  readonly kid: string;

  constructor(pem: string | null) {
    this.#private =
      pem === null ? generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey : createPrivateKey(pem);
    this.#public = createPublicKey(this.#private);
    const { n } = this.#public.export({ format: "jwk" });
    this.kid = (n ?? "").slice(0, 27);
  }

  /** For the state file, so that tokens outlive a restart. */
  toPem(): string {
    return this.#private.export({ format: "pem", type: "pkcs8" }).toString();
  }

  /** The document at `/discovery/v2.0/keys`. */
  jwks(): { keys: Record<string, unknown>[] } {
    return { keys: [{ ...this.#public.export({ format: "jwk" }), kid: this.kid, use: "sig", alg: "RS256" }] };
  }

  issue(claims: TokenClaims): string {
    const head = encode({ typ: "JWT", alg: "RS256", kid: this.kid });
    const text = `${head}.${encode(claims)}`;
    return `${text}.${sign("sha256", Buffer.from(text), this.#private).toString("base64url")}`;
  }

  /** Claims of a token that we signed, whatever its time; null for any other text. */
  read(token: string): TokenClaims | null {
    const [head, body, signature, ...rest] = token.split(".");
    if (head === undefined || body === undefined || signature === undefined || rest.length > 0) return null;
    const ok = verify("sha256", Buffer.from(`${head}.${body}`), this.#public, Buffer.from(signature, "base64url"));
    return ok ? (JSON.parse(Buffer.from(body, "base64url").toString("utf8")) as TokenClaims) : null;
  }
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
