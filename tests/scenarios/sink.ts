import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A notice as the sink received it. */
export interface Notice {
  readonly id: string;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** Whether its signature is the one that Standard Webhooks 1.0.0 asks for. */
  readonly signed: boolean;
}

/** A webhook receiver that checks what Standard Webhooks 1.0.0 says a receiver must check. */
export interface Sink {
  readonly url: string;
  readonly secret: string;
  readonly notices: readonly Notice[];
  /** Every body as it came. */
  readonly bodies: readonly string[];
  /** Resolves with the first notice, past or to come, that fits. */
  until(fits: (notice: Notice) => boolean): Promise<Notice>;
  close(): Promise<void>;
}

export async function openSink(): Promise<Sink> {
  const secret = "c3RhZ2Utd2ViaG9vay1zZWNyZXQtb2YtMzItYnl0ZXM=";
  const notices: Notice[] = [];
  const bodies: string[] = [];
  const waiting = new Set<() => void>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString("utf8");
      bodies.push(body);
      const { type, data } = JSON.parse(body) as Pick<Notice, "type" | "data">;
      const id = String(request.headers["webhook-id"]);
      const signed = isSigned(secret, {
        id,
        timestamp: String(request.headers["webhook-timestamp"]),
        signatures: String(request.headers["webhook-signature"]),
        body,
      });
      notices.push({ id, type, data, signed });
      response.writeHead(204).end();
      for (const look of waiting) look();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    secret,
    notices,
    bodies,
    until: (fits) =>
      new Promise((resolve) => {
        const look = () => {
          const found = notices.find(fits);
          if (found === undefined) return;
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
      }),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** HMAC-SHA256 over `id.timestamp.body` with the base64-decoded secret; any of several `v1,` signatures may fit. */
function isSigned(
  secret: string,
  message: { id: string; timestamp: string; signatures: string; body: string },
): boolean {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const wanted = createHmac("sha256", key).update(`${message.id}.${message.timestamp}.${message.body}`).digest();
  return message.signatures.split(" ").some((one) => {
    const [version, signature] = one.split(",");
    const given = Buffer.from(signature ?? "", "base64");
    return version === "v1" && given.length === wanted.length && timingSafeEqual(given, wanted);
  });
}
