import { getCACertificates } from "node:tls";
import { promisify } from "node:util";
import { brotliDecompress, gunzip, inflate } from "node:zlib";
import type { NoAnswer } from "@countersign/core";
import { Agent, type Dispatcher, ProxyAgent, request } from "undici";
import { guardedLookup, isLoopbackHost } from "./addresses.ts";
import { limits } from "./limits.ts";

/** How the network is reached; from the configuration and nowhere else. */
export interface Network {
  /** Extra certificate authorities, PEM. */
  readonly ca: readonly string[];
  /** `http(s)://host:port` of a forward proxy. Behind one, the proxy resolves names: the address guard cannot see them. */
  readonly proxy: string | null;
  /** Allow http and loopback addresses: profiles demo and test only. */
  readonly loopback: boolean;
  readonly callDeadlineMs: number;
  /** Only public addresses: for what people describe themselves. */
  readonly publicOnly?: boolean;
  /** Trust `ca` alone: for a server with an authority of its own. */
  readonly caOnly?: boolean;
  /** Longest answer that is read. */
  readonly bodyBytesMax?: number;
}

/** One request as it goes out. */
export interface Outgoing {
  readonly method: Dispatcher.HttpMethod;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** Sent on a connection of its own, so that a keep-alive connection that just died leaves no doubt. */
  readonly freshConnection: boolean;
  readonly signal: AbortSignal;
}

/** One answer as it came in. */
export interface Incoming {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly text: string;
}

/** Errors of connection set-up: the request itself never left. */
const neverSent =
  /^(ECONNREFUSED|ENOTFOUND|EAI_|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|UND_ERR_CONNECT_TIMEOUT|CERT_|ERR_TLS_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_SSL_|HOST_REFUSED|EPROTO)/;

/** Nobody is asked for a compressed answer; gateways that send one all the same are understood. */
const unpacked: Readonly<Record<string, (bytes: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>>> = {
  gzip: promisify(gunzip),
  "x-gzip": promisify(gunzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
};

/** The sockets: no redirects, no retries of their own. */
export class Wire {
  readonly #network: Network;
  readonly #reused: Dispatcher;
  readonly #fresh: Dispatcher;
  readonly #openProxied: (() => Dispatcher) | null;
  readonly #proxied: Dispatcher | null;

  constructor(network: Network) {
    this.#network = network;
    const ca =
      network.ca.length === 0
        ? undefined
        : [...(network.caOnly === true ? [] : getCACertificates("default")), ...network.ca];
    const tls = ca === undefined ? {} : { ca };
    const connect = {
      ...tls,
      lookup: guardedLookup(network.loopback, network.publicOnly),
      timeout: network.callDeadlineMs,
    };
    const times = { headersTimeout: network.callDeadlineMs, bodyTimeout: network.callDeadlineMs };
    this.#reused = new Agent({ ...times, connect, connections: limits.inFlightMax });
    this.#fresh = new Agent({ ...times, connect, pipelining: 0 });
    const { proxy } = network;
    this.#openProxied =
      proxy === null ? null : () => new ProxyAgent({ ...times, uri: proxy, requestTls: tls, proxyTls: tls });
    this.#proxied = this.#openProxied?.() ?? null;
  }

  /** One exchange. Never throws: what went wrong is an answer too. */
  async send(out: Outgoing): Promise<Incoming | NoAnswer> {
    const deadline = AbortSignal.timeout(this.#network.callDeadlineMs);
    const signal = AbortSignal.any([out.signal, deadline]);
    const { dispatcher, after } = this.#dispatcher(out);
    try {
      const answer = await request(out.url, {
        method: out.method,
        headers: out.headers,
        body: out.body,
        signal,
        dispatcher,
      });
      const chunks: Buffer[] = [];
      const bytesMax = this.#network.bodyBytesMax ?? limits.bodyBytesMax;
      let bytes = 0;
      for await (const chunk of answer.body as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if (bytes > bytesMax) return { noAnswer: "too-large", errorCode: null };
        chunks.push(chunk);
      }
      const headers = single(answer.headers);
      const sent = Buffer.concat(chunks);
      const unpack = bytes === 0 ? undefined : unpacked[headers["content-encoding"]?.toLowerCase() ?? ""];
      const whole = unpack === undefined ? sent : await unpack(sent, { maxOutputLength: bytesMax });
      return { status: answer.statusCode, headers, text: whole.toString("utf8") };
    } catch (error) {
      if (out.signal.aborted) return { noAnswer: "aborted", errorCode: null };
      const code = codeOf(error);
      if (code === "ERR_BUFFER_TOO_LARGE") return { noAnswer: "too-large", errorCode: null };
      if (code !== null && neverSent.test(code)) return { noAnswer: "not-sent", errorCode: code };
      return { noAnswer: deadline.aborted ? "deadline" : "lost", errorCode: code };
    } finally {
      await after?.destroy();
    }
  }

  /** Which sockets to take; `after` is to be closed once the answer is in. */
  #dispatcher(out: Outgoing): { readonly dispatcher: Dispatcher; readonly after?: Dispatcher } {
    if (this.#proxied === null || this.#openProxied === null || isLoopbackHost(out.url.hostname)) {
      return { dispatcher: out.freshConnection ? this.#fresh : this.#reused };
    }
    if (!out.freshConnection) return { dispatcher: this.#proxied };
    const own = this.#openProxied();
    return { dispatcher: own, after: own };
  }

  /** Closes all connections at once. */
  async close(): Promise<void> {
    await Promise.all([this.#reused.destroy(), this.#fresh.destroy(), this.#proxied?.destroy()]);
  }
}

function single(headers: Record<string, string | string[] | undefined>): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value[0] : value]),
  );
}

function codeOf(error: unknown): string | null {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" && /^[A-Z0-9_]{2,60}$/.test(code) ? code : null;
}
