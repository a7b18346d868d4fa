import { CountersignError } from "@countersign/core";
import type { Handler } from "../handler.ts";
import { newReason } from "../views/reason.ts";
import { detailOf } from "../views/run.ts";
import { runOf } from "./runs.ts";

function demand(permission: { readonly allowed: boolean; readonly why: string | null }): void {
  if (!permission.allowed)
    throw new CountersignError("STATE_CONFLICT", permission.why ?? "expected another state of the run");
}

export const withdraw: Handler<"withdraw"> = async ({ api, params, person }) => {
  const run = await runOf(api, params.id);
  demand((await detailOf(api.store, run, person, api.now())).actions.withdraw);
  await api.store.withdraw({ run: run.id, person: person.person, at: api.now() });
  return { run: run.id, state: "withdrawn" };
};

export const rollBack: Handler<"rollBack"> = async ({ api, params, body, person }) => {
  const run = await runOf(api, params.id);
  demand((await detailOf(api.store, run, person, api.now())).actions.rollBack);
  await api.store.ask({
    run: run.id,
    what: "roll-back",
    person: person.person,
    reason: newReason(body.reason),
    at: api.now(),
  });
  return { run: run.id, state: run.state };
};

export const confirmStep: Handler<"confirmStep"> = async ({ api, params, body, person }) => {
  const run = await runOf(api, params.id);
  const { hand } = await detailOf(api.store, run, person, api.now());
  const step = hand.find((candidate) => candidate.step === body.step && candidate.direction === body.direction);
  if (step === undefined)
    throw new CountersignError("STATE_CONFLICT", `expected a step that waits for a person, got ${body.step}`);
  if (!step.you.allowed) throw new CountersignError("FORBIDDEN", step.you.why ?? "expected an owner");
  const { step: id, direction, confirmation } = body;
  const given = confirmation === "given";
  await api.store.confirm({ run: run.id, step: id, direction, person: person.person, given, at: api.now() });
  return { run: run.id, state: run.state };
};

export const decideHold: Handler<"decideHold"> = async ({ api, params, body, person }) => {
  const run = await runOf(api, params.id);
  const { actions } = await detailOf(api.store, run, person, api.now());
  demand(actions.holdDecision);
  if (body.choice === "roll-back") demand(actions.rollBack);
  await api.store.ask({
    run: run.id,
    what: body.choice,
    person: person.person,
    reason: newReason(body.reason),
    at: api.now(),
  });
  return { run: run.id, state: run.state };
};
