/**
 * What a webhook says has happened. It is only a hint: whatever it leads to is validated, planned and approved by people, from the
 * world as we read it ourselves.
 */
import { z } from "zod";

/** One event, whoever sent it. */
export interface HookEvent {
  /** The sender's own id of it: the same twice is one event. */
  readonly id: string;
  readonly type: string;
  /** Where it comes from, e.g. the resource id of a vault; empty where the form has no such field. */
  readonly source: string;
  /** What it is about, e.g. the name of a secret; empty where the form has no such field. */
  readonly subject: string;
  /** What else it says, as JSON. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** Events of one delivery. */
export const eventsMax = 100;
const textCharsMax = 500;

const id = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[\x21-\x7e]+$/);
const text = z.string().max(textCharsMax);
const data = z.record(z.string(), z.unknown());

/** The body of Standard Webhooks as its specification recommends it; the id stands in a header. */
const Standard = z.object({ type: text.min(1), timestamp: text.optional(), data: data.default({}) });

/** Event Grid's own schema (Azure docs, event schema): an array. */
const GridEvent = z.object({
  id,
  topic: text.nullish(),
  subject: text.nullish(),
  eventType: text.min(1),
  data: data.nullish(),
});
/** CloudEvents 1.0, as Event Grid sends them: one, or an array. */
const CloudEvent = z.object({
  specversion: z.literal("1.0"),
  id,
  source: text.min(1),
  subject: text.nullish(),
  type: text.min(1),
  data: data.nullish(),
});

/** Reads the body of a Standard Webhooks delivery; null: not in that form. */
export function readStandardEvent(deliveryId: string, body: unknown): HookEvent | null {
  const parsed = Standard.safeParse(body);
  if (!id.safeParse(deliveryId).success || !parsed.success) return null;
  return { id: deliveryId, type: parsed.data.type, source: "", subject: "", data: parsed.data.data };
}

/** Reads a delivery of Event Grid in either schema; null: in neither. */
export function readGridEvents(body: unknown): readonly HookEvent[] | null {
  const list = Array.isArray(body) ? body : [body];
  if (list.length === 0 || list.length > eventsMax) return null;
  const events: HookEvent[] = [];
  for (const item of list) {
    const grid = GridEvent.safeParse(trimmed(item));
    const cloud = grid.success ? null : CloudEvent.safeParse(trimmed(item));
    if (grid.success) {
      const { topic, subject, eventType } = grid.data;
      events.push({
        id: grid.data.id,
        type: eventType,
        source: topic ?? "",
        subject: subject ?? "",
        data: grid.data.data ?? {},
      });
    } else if (cloud?.success === true) {
      const { source, subject, type } = cloud.data;
      events.push({ id: cloud.data.id, type, source, subject: subject ?? "", data: cloud.data.data ?? {} });
    } else return null;
  }
  return events;
}

/** The vendor's own samples have stray blanks around keys and values (Azure docs, Key Vault as Event Grid source). */
function trimmed(value: unknown, depth = 0): unknown {
  if (typeof value === "string") return value.trim();
  if (typeof value !== "object" || value === null || depth > 3) return value;
  if (Array.isArray(value)) return value.map((item) => trimmed(item, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key.trim(), trimmed(item, depth + 1)]));
}
