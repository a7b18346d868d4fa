import { drawMischief } from "../faults/chance.ts";
import type { HoldPosition } from "../faults/holds.ts";
import type { FaultKind, Rule } from "../faults/rules.ts";
import type { World } from "../world.ts";
import type { Incoming, Operation, Outcome, Reply, Surface } from "./exchange.ts";

/** How a body is damaged on its way out. */
export type Damage = "malformed" | "truncated" | "empty" | "wrong-types" | "oversized" | "hostile";

/** What the listener has to do with the connection. */
export type Disposition =
  | { type: "reply"; reply: Reply; damage: Damage | null; afterSent: (() => void) | null }
  | { type: "reset" }
  | { type: "silence" };

const DAMAGES: readonly string[] = ["malformed", "truncated", "empty", "wrong-types", "oversized", "hostile"];

/** Carries a request out: holds, faults, the effect, the log. */
export async function runExchange(world: World, surface: Surface, incoming: Incoming): Promise<Disposition> {
  const operation = surface.resolve(incoming);
  const firing = world.rules.fire({
    op: operation.op,
    path: incoming.path,
    caller: operation.caller,
    target: operation.target,
  });
  const fault = firing.find((rule) => rule.action.type === "fault");
  /** The request as the hold at this position shows it; null where none is armed. */
  const heldAt = (position: HoldPosition) => {
    const hold = firing.find((rule) => rule.action.type === "hold" && rule.action.position === position);
    const { requestId } = incoming;
    return hold === undefined
      ? null
      : { rule: hold.id, op: operation.op, position, requestId, target: operation.target };
  };

  const sent = heldAt("after-send");
  if (sent !== null && (await world.holds.wait(sent)) === "drop") {
    record(world, incoming, operation, null, "hold:dropped before effect");
    return { type: "reset" };
  }

  const before = await runBefore(world, surface, incoming, operation, fault);
  if (before !== null) return before;

  const mischief = fault === undefined ? drawMischief(world, operation) : null;
  if (mischief !== null) {
    await sleepReal(mischief.delayMs);
    if (mischief.before !== null) {
      const reply = surface.fail(mischief.before, incoming);
      record(world, incoming, operation, reply, `before-effect:${mischief.before.status}`);
      return plain(reply);
    }
  }

  const outcome = operation.carryOut();
  const lost = mischief?.lost ?? null;
  const after = fault?.action.type === "fault" && fault.action.position === "after-effect" ? fault.action : null;
  recordOutcome(world, incoming, operation, outcome, after === null ? lost && `after-effect:${lost}` : label(fault));

  if (outcome.effect) world.persist();

  const done = heldAt("after-effect");
  if (done !== null && (await world.holds.wait(done)) === "drop") return { type: "reset" };
  if (lost === "reset") return { type: "reset" };
  if (lost === "504") return plain(surface.fail({ status: 504, retryAfterSeconds: null, variant: "plain" }, incoming));
  const answered = heldAt("after-answer");
  const afterSent = answered === null ? null : () => world.holds.announce(answered);
  if (after !== null) {
    await sleepReal(after.delayMs);
    return spoil(surface, incoming, after.kind, after.retryAfterSeconds, outcome.reply, afterSent);
  }
  return { type: "reply", reply: outcome.reply, damage: null, afterSent };
}

/** A fault that keeps the effect from happening; null to go on. */
async function runBefore(
  world: World,
  surface: Surface,
  incoming: Incoming,
  operation: Operation,
  fault: Rule | undefined,
): Promise<Disposition | null> {
  if (fault?.action.type !== "fault" || fault.action.position !== "before-effect") return null;
  await sleepReal(fault.action.delayMs);
  const { kind } = fault.action;
  if (kind === "slow") return null;
  // A damaged answer needs an answer: the call is refused as unavailable and that refusal is damaged.
  const base = DAMAGES.includes(kind)
    ? surface.fail({ status: 503, retryAfterSeconds: null, variant: "plain" }, incoming)
    : { status: 503 };
  const disposition = spoil(surface, incoming, kind, fault.action.retryAfterSeconds, base, null);
  record(world, incoming, operation, disposition.type === "reply" ? disposition.reply : null, label(fault));
  return disposition;
}

function spoil(
  surface: Surface,
  incoming: Incoming,
  kind: FaultKind,
  retryAfterSeconds: number | null,
  reply: Reply,
  afterSent: (() => void) | null,
): Disposition {
  if (kind === "timeout") return { type: "silence" };
  if (kind === "reset") return { type: "reset" };
  if (kind === "slow") return { type: "reply", reply, damage: null, afterSent };
  if (DAMAGES.includes(kind)) return { type: "reply", reply, damage: kind as Damage, afterSent };
  const variant = kind === "409" || kind.endsWith("-concurrency") ? "concurrency" : "plain";
  return plain(surface.fail({ status: Number(kind.slice(0, 3)), retryAfterSeconds, variant }, incoming));
}

function plain(reply: Reply): Disposition {
  return { type: "reply", reply, damage: null, afterSent: null };
}

function label(rule: Rule | undefined): string | null {
  return rule?.action.type === "fault" ? `${rule.action.position}:${rule.action.kind}` : null;
}

function recordOutcome(
  world: World,
  incoming: Incoming,
  operation: Operation,
  outcome: Outcome,
  fault: string | null,
): void {
  world.effects.append({
    op: operation.op,
    caller: outcome.caller ?? operation.caller,
    workload: null,
    target: { ...operation.target, ...outcome.target },
    effect: outcome.effect,
    status: outcome.reply.status,
    code: outcome.code ?? null,
    fault,
    requestId: incoming.requestId,
    clientRequestId: incoming.clientRequestId,
    userAgent: incoming.userAgent,
  });
}

function record(
  world: World,
  incoming: Incoming,
  operation: Operation,
  reply: Reply | null,
  fault: string | null,
): void {
  world.effects.append({
    op: operation.op,
    caller: operation.caller,
    workload: null,
    target: operation.target,
    effect: false,
    status: reply?.status ?? null,
    code: null,
    fault,
    requestId: incoming.requestId,
    clientRequestId: incoming.clientRequestId,
    userAgent: incoming.userAgent,
  });
}

function sleepReal(ms: number): Promise<void> {
  return ms > 0 ? new Promise((resolve) => setTimeout(resolve, ms)) : Promise.resolve();
}
