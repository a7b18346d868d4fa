import { timingSafeEqual } from "node:crypto";
import { z } from "zod";
import type { Incoming, Operation, Outcome, Reply, Surface } from "../http/exchange.ts";
import type { World } from "../world.ts";
import type { ChatRoom } from "./model.ts";

const MESSAGES_MAX = 1_000;
/** Teams docs, webhooks: a message may have 28 KB. */
const TEAMS_BYTES_MAX = 28 * 1024;

const words = (max: number) =>
  z.union([
    z.object({ type: z.literal("plain_text"), text: z.string().min(1).max(max) }),
    z.object({ type: z.literal("mrkdwn"), text: z.string().min(1).max(max) }),
  ]);
/** The part of Block Kit that is checked: kinds, lengths and counts. */
const SlackPayload = z.object({
  text: z.string().min(1).max(40_000),
  blocks: z
    .array(
      z.discriminatedUnion("type", [
        z.object({
          type: z.literal("header"),
          text: z.object({ type: z.literal("plain_text"), text: z.string().min(1).max(150) }),
        }),
        z
          .object({
            type: z.literal("section"),
            text: words(3_000).optional(),
            fields: z.array(words(2_000)).min(1).max(10).optional(),
          })
          .refine((block) => block.text !== undefined || block.fields !== undefined),
        z.object({ type: z.literal("divider") }),
      ]),
    )
    .max(50)
    .optional(),
});
const TeamsPayload = z.object({
  type: z.literal("message"),
  attachments: z
    .array(
      z.object({
        contentType: z.literal("application/vnd.microsoft.card.adaptive"),
        content: z.object({
          type: z.literal("AdaptiveCard"),
          version: z.string(),
          body: z.array(z.object({ type: z.string() })),
        }),
      }),
    )
    .min(1),
});

/** The receiver of one room. */
export function createChatSurface(world: World, room: ChatRoom): Surface {
  return {
    name: `chat ${room.name}`,
    resolve: (incoming) => resolve(world, room, incoming),
    fail: ({ status, retryAfterSeconds }) => ({
      ...text(status, status === 429 ? "rate_limited" : status >= 500 ? "service_unavailable" : "action_prohibited"),
      headers: {
        "content-type": "text/plain",
        ...(retryAfterSeconds === null ? {} : { "retry-after": String(retryAfterSeconds) }),
      },
    }),
  };
}

/** Path and query of a room's address. */
export function roomPath(room: ChatRoom): string {
  return room.kind === "slack"
    ? `/services/${room.token}`
    : `/workflows/${room.name}/triggers/manual/paths/invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=${room.token}`;
}

function resolve(world: World, room: ChatRoom, incoming: Incoming): Operation {
  const given = room.kind === "slack" ? incoming.path.replace("/services/", "") : (incoming.query.get("sig") ?? "");
  return {
    op: `${room.kind}.post`,
    write: true,
    caller: null,
    target: { room: room.name },
    carryOut(): Outcome {
      if (incoming.method !== "POST") return refuse(405, "method_not_allowed");
      if (!same(given, room.token)) return refuse(room.kind === "slack" ? 404 : 401, "no_service");
      return room.kind === "slack" ? takeSlack(world, room, incoming) : takeTeams(world, room, incoming);
    },
  };
}

function takeSlack(world: World, room: ChatRoom, { body }: Incoming): Outcome {
  const payload = parse(body);
  if (payload === undefined) return refuse(400, "invalid_payload");
  if (!SlackPayload.safeParse(payload).success) return refuse(400, "invalid_blocks");
  keep(world, room, payload);
  return { reply: text(200, "ok"), effect: true };
}

function takeTeams(world: World, room: ChatRoom, { body }: Incoming): Outcome {
  if (Buffer.byteLength(body) > TEAMS_BYTES_MAX) return refuse(413, "RequestEntityTooLarge");
  const payload = parse(body);
  // Message cards of the retired connectors are taken by no flow.
  if (!TeamsPayload.safeParse(payload).success) return refuse(400, "InvalidRequestContent");
  keep(world, room, payload);
  return { reply: { status: 202 }, effect: true };
}

function keep(world: World, room: ChatRoom, payload: unknown): void {
  room.messages.push({ atMs: world.clock.nowMs, payload });
  if (room.messages.length > MESSAGES_MAX) room.messages.shift();
}

function refuse(status: number, code: string): Outcome {
  return { reply: text(status, code), effect: false, code };
}

function text(status: number, body: string): Reply {
  return { status, headers: { "content-type": "text/plain" }, body };
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return undefined;
  }
}

function same(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
