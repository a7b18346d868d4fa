import { createHmac } from "node:crypto";
import type { SecretValue } from "@countersign/core";
import type { Outside } from "../outside.ts";
import { arrived, type Channel, notArrived } from "./channel.ts";

/**
 * Signs as Standard Webhooks 1.0.0 says: base64 HMAC-SHA256 over `id.timestamp.body`. The secret is base64, with or
 * without the prefix `whsec_`; receivers decode it, so the key is the decoded bytes.
 */
function signWebhook(secret: SecretValue, id: string, timestamp: number, body: string): string {
  const key = Buffer.from(secret.reveal().replace(/^whsec_/, ""), "base64");
  return `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64")}`;
}

/** A receiver of Standard Webhooks 1.0.0. The id is the same for every attempt, so that it can drop copies. */
export function webhookChannel(options: {
  readonly name: string;
  readonly url: string;
  readonly secret: () => SecretValue;
  readonly outside: Outside;
  readonly callDeadlineMs: number;
}): Channel {
  const { name, outside } = options;
  return {
    name,
    kind: "webhook",
    busyMsMax: options.callDeadlineMs,
    async send({ taken, facts, now, signal }) {
      const { notice } = taken;
      const id = `notice_${notice.id}`;
      const timestamp = Math.floor(now / 1_000);
      const body = JSON.stringify({
        type: notice.kind,
        timestamp: new Date(notice.createdAt).toISOString(),
        data: facts,
      });
      const answer = await outside.send({
        method: "POST",
        url: outside.base(options.url),
        headers: {
          "content-type": "application/json",
          "webhook-id": id,
          "webhook-timestamp": String(timestamp),
          "webhook-signature": signWebhook(options.secret(), id, timestamp, body),
        },
        body,
        signal,
      });
      const ok = "status" in answer && answer.status >= 200 && answer.status < 300;
      return ok ? { ...arrived, status: answer.status } : notArrived(answer, now, [400, 413, 422]);
    },
  };
}
