import { createHmac } from "node:crypto";
import type { SecretValue } from "@countersign/core";

/** Where notices go: one signed webhook (Standard Webhooks 1.0.0). More channels come as further kinds. */
export interface WebhookSink {
  readonly name: string;
  readonly url: string;
  readonly secret: SecretValue;
}

/** What came of one attempt to deliver. `status` is null when no answer came. */
export interface Delivery {
  readonly delivered: boolean;
  readonly status: number | null;
}

const deadlineMs = 10_000;

/**
 * Signs as Standard Webhooks 1.0.0 says: base64 HMAC-SHA256 over `id.timestamp.body`. The secret is base64, with or
 * without the prefix `whsec_`; receivers decode it, so the key is the decoded bytes.
 */
export function signWebhook(secret: SecretValue, id: string, timestamp: number, body: string): string {
  const key = Buffer.from(secret.reveal().replace(/^whsec_/, ""), "base64");
  return `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64")}`;
}

/**
 * Posts one notice. `id` is the same for every attempt, so that a receiver drops copies; `nowMs` is the clock's time.
 * Never throws: a dead channel must not block a roll back.
 */
export async function deliver(sink: WebhookSink, id: string, nowMs: number, payload: object): Promise<Delivery> {
  const body = JSON.stringify(payload);
  const timestamp = Math.floor(nowMs / 1_000);
  try {
    const answer = await fetch(sink.url, {
      method: "POST",
      redirect: "error",
      signal: AbortSignal.timeout(deadlineMs),
      headers: {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": String(timestamp),
        "webhook-signature": signWebhook(sink.secret, id, timestamp, body),
      },
      body,
    });
    await answer.body?.cancel();
    return { delivered: answer.status >= 200 && answer.status < 300, status: answer.status };
  } catch {
    return { delivered: false, status: null };
  }
}
