import type { Incoming, Outcome } from "../http/exchange.ts";
import { isoTime, parseTime } from "../time.ts";
import type { World } from "../world.ts";
import { refuseArm } from "./errors.ts";
import type { ArmCall } from "./surface.ts";

/** Writes a line of the activity log; it is to be seen after the delay of audits. Answers its correlation id. */
export function writeActivity({ world, resourceId, caller, appId }: ArmCall, operation: string): string {
  const random = world.random("activity-log");
  const correlationId = random.uuid();
  world.tenant.activities.push({
    id: random.uuid(),
    atMs: world.clock.nowMs,
    visibleMs: world.clock.nowMs + random.between(world.knobs.auditLagSeconds) * 1000,
    caller,
    appId,
    resourceId,
    operation,
    correlationId,
  });
  return correlationId;
}

/** GET the activity log: `$filter=eventTimestamp ge '…' and eventTimestamp le '…' and resourceUri eq '…'`. */
export function listActivity(world: World, incoming: Incoming, subscription: string): Outcome {
  if (subscription !== world.tenant.subscription)
    return refuseArm(404, "SubscriptionNotFound", "The subscription could not be found.");
  const filter = incoming.query.get("$filter") ?? "";
  const part = (expression: RegExp): string | undefined => expression.exec(filter)?.[1];
  const from = parseTime(part(/eventTimestamp ge '([^']+)'/));
  const to = parseTime(part(/eventTimestamp le '([^']+)'/)) ?? Number.POSITIVE_INFINITY;
  const resource = part(/resourceUri eq '([^']+)'/)?.toLowerCase();
  if (from === null || resource === undefined)
    return refuseArm(400, "BadRequest", "The filter needs eventTimestamp and resourceUri.");
  const { nowMs } = world.clock;
  const events = world.tenant.activities.filter(
    (item) =>
      item.visibleMs <= nowMs && item.atMs >= from && item.atMs <= to && item.resourceId.toLowerCase() === resource,
  );
  return {
    reply: {
      status: 200,
      body: {
        value: events.toReversed().map((item) => ({
          eventDataId: item.id,
          eventTimestamp: isoTime(item.atMs),
          correlationId: item.correlationId,
          resourceId: item.resourceId,
          operationName: { value: item.operation, localizedValue: item.operation },
          status: { value: "Succeeded", localizedValue: "Succeeded" },
          claims: { appid: item.appId, "http://schemas.microsoft.com/identity/claims/objectidentifier": item.caller },
        })),
      },
    },
    effect: false,
  };
}
