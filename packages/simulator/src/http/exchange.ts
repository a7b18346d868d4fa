import type { IncomingHttpHeaders } from "node:http";

/** A request after its body was read. */
export interface Incoming {
  method: string;
  /** Decoded path, without query. */
  path: string;
  /** The same as it came: only there an encoded `/` can be told from a plain one. */
  rawPath: string;
  query: URLSearchParams;
  /** Origin under which the caller reached us, e.g. `https://localhost:4001`. */
  origin: string;
  headers: IncomingHttpHeaders;
  body: string;
  ip: string;
  requestId: string;
  clientRequestId: string | null;
  userAgent: string | null;
}

/** What is sent back. `body` is sent as JSON; undefined sends none. */
export interface Reply {
  status: number;
  headers?: Record<string, string>;
  body?: unknown;
}

/** Ids and names of what a request aims at. Never a secret value. */
export type Target = Record<string, string | number | boolean | null>;

/** What a handler did. */
export interface Outcome {
  reply: Reply;
  /** True if the tenant is not as it was before. */
  effect: boolean;
  /** appId of the caller, once known. */
  caller?: string | null;
  target?: Target;
  /** Vendor's error code, if the reply is an error. */
  code?: string | null;
}

/** A request that was understood: what it is called in faults, holds and the effect log, and how it is carried out. */
export interface Operation {
  op: string;
  /** Writes may lose their reply. */
  write: boolean;
  /** Writes to the directory may meet a concurrency error; the object's last write raises the odds. */
  concurrency?: { lastWriteMs: number } | undefined;
  target: Target;
  /** appId that the caller claims, checked or not; rules may match on it. */
  caller: string | null;
  carryOut(): Outcome;
}

/** Failures that a fault can ask for; each surface words them as its vendor does. */
export interface FailureRequest {
  status: number;
  retryAfterSeconds: number | null;
  /** Which of a vendor's several answers of that status. */
  variant: "plain" | "concurrency";
}

/** One face of the tenant: maps requests to operations. */
export interface Surface {
  name: string;
  resolve(incoming: Incoming): Operation;
  fail(request: FailureRequest, incoming: Incoming): Reply;
}
