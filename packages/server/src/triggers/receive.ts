import {
  type HookConfig,
  type HookEvent,
  hookRouter,
  type InventoryRow,
  type Routed,
  readGridEvents,
  readStandardEvent,
  type SecretValue,
} from "@countersign/core";
import { jsonDepth, jsonDepthMax } from "../api/body.ts";
import { presentedKey, signedBy } from "./signature.ts";

/** Largest delivery. */
export const deliveryBytesMax = 262_144;
/** Header in which Event Grid presents the key: a delivery attribute that the subscription sets. */
export const gridKeyHeader = "x-countersign-key";

/** A delivery as it came in. Header names in lower case. */
export interface Delivery {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Uint8Array;
}

/** What a delivery is, before anything is done about it. */
export type Received =
  /** Nobody we know sent it: nothing is said about why. */
  | { readonly kind: "unverified" }
  | { readonly kind: "malformed" }
  /** Event Grid asks whether we want its deliveries (Azure docs, endpoint validation). */
  | { readonly kind: "handshake"; readonly code: string }
  | {
      readonly kind: "events";
      /** Position of the key that signed. */
      readonly key: number;
      readonly events: readonly { readonly event: HookEvent; readonly routed: Routed }[];
    };

/** One way in: verifies a delivery and routes what it says. Changes nothing. */
export interface Hook {
  readonly config: HookConfig;
  receive(delivery: Delivery, rows: readonly InventoryRow[], realNowMs: number): Received;
}

/** Reads keys and compiles rules once. */
export function openHook(config: HookConfig, secret: (reference: string) => SecretValue): Hook {
  const keys = config.keys.map(secret);
  const route = hookRouter(config.rules);
  return {
    config,
    receive({ headers, body }, rows, realNowMs) {
      const key =
        config.kind === "standard"
          ? signedBy(headers, body, keys, realNowMs)
          : presentedKey(headers[gridKeyHeader], keys);
      if (key === null) return { kind: "unverified" };
      const json = jsonOf(body);
      if (json === undefined) return { kind: "malformed" };
      if (config.kind === "event-grid" && headers["aeg-event-type"] === "SubscriptionValidation") {
        const code = validationCode(json);
        return code === null ? { kind: "malformed" } : { kind: "handshake", code };
      }
      const events = config.kind === "standard" ? standardEvents(headers["webhook-id"], json) : readGridEvents(json);
      if (events === null) return { kind: "malformed" };
      return { kind: "events", key, events: events.map((event) => ({ event, routed: route(event, rows) })) };
    },
  };
}

function standardEvents(id: Delivery["headers"][string], json: unknown): readonly HookEvent[] | null {
  const event = typeof id === "string" ? readStandardEvent(id, json) : null;
  return event === null ? null : [event];
}

function jsonOf(body: Uint8Array): unknown {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(body);
    return jsonDepth(text) > jsonDepthMax ? undefined : (JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}

function validationCode(json: unknown): string | null {
  const [first] = readGridEvents(json) ?? [];
  const code = first?.type === "Microsoft.EventGrid.SubscriptionValidationEvent" ? first.data.validationCode : null;
  return typeof code === "string" && /^[\x21-\x7e]{1,200}$/.test(code) ? code : null;
}
