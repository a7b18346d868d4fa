import { type CheckCode, type Json, canonicalBytes } from "@countersign/evidence";
import {
  OWNER,
  PLATFORM,
  REQUESTER,
  type Run,
  approved,
  begin,
  type CloseOptions,
  closing,
  executed,
  leftAsIs,
  remainsNow,
  stuck,
} from "./builder.ts";

/* Closing a held run as it stands takes two people over one true list of what remains, and nothing in between. */

async function held(): Promise<Run> {
  const run = begin();
  await stuck(run);
  return run;
}

const ask = (run: Run, options: CloseOptions = {}, person = OWNER, role = "app-owner") =>
  closing(run, "close.asked", person, role, options);
const confirm = (run: Run, options: CloseOptions = {}, role = "security") =>
  closing(run, "close.confirmed", PLATFORM, role, options);

/** The list with one entry kept silent about. */
function shortened(run: Run): Uint8Array {
  const list = JSON.parse(Buffer.from(remainsNow(run)).toString()) as { left: unknown[] };
  return canonicalBytes({ ...list, left: list.left.slice(1) } as Json);
}

export const CLOSE_FORGERIES: readonly [string, CheckCode, () => Promise<Run>][] = [
  ["a run left as it is that nobody asked to close", "left-as-is", async () => {
    const run = await held();
    await leftAsIs(run);
    return run;
  }],
  ["a run closed as it stands by one person alone", "left-as-is", async () => {
    const run = await held();
    await ask(run);
    await leftAsIs(run);
    return run;
  }],
  ["a close that was confirmed and never asked for", "left-as-is", async () => {
    const run = await held();
    await confirm(run);
    await leftAsIs(run);
    return run;
  }],
  ["a close whose second person is the first", "left-as-is", async () => {
    const run = await held();
    await ask(run, {}, PLATFORM, "platform");
    await confirm(run);
    await leftAsIs(run);
    return run;
  }],
  ["a close confirmed by somebody who is not security", "approvals", async () => {
    const run = await held();
    await ask(run);
    await confirm(run, {}, "platform");
    return run;
  }],
  ["a close asked for by the owner of another application", "approvals", async () => {
    const run = await held();
    await ask(run, {}, REQUESTER);
    return run;
  }],
  ["a close without a reason", "approvals", async () => {
    const run = await held();
    await ask(run, { change: (s) => ({ ...s, reasonDigest: null }) });
    return run;
  }],
  ["a close signed over the plan alone", "approvals", async () => {
    const run = await held();
    await ask(run, { change: (s) => ({ ...s, subjects: s.subjects.slice(0, 1) }) });
    return run;
  }],
  ["what remains signed as if it were the plan", "approvals", async () => {
    const run = await held();
    await ask(run, { change: (s) => ({ ...s, subjects: s.subjects.map(({ digest }) => ({ digest, kind: "plan" as const })) }) });
    return run;
  }],
  ["a list that keeps a credential silent", "approvals", async () => {
    const run = await held();
    await ask(run, { remains: shortened(run) });
    return run;
  }],
  ["another word taken for the confirmation of a close", "approvals", async () => {
    const run = await held();
    await ask(run);
    await confirm(run, { change: (s) => ({ ...s, decision: "confirm" }) });
    return run;
  }],
  ["a close that lives longer than the plan allows", "approvals", async () => {
    const run = await held();
    await ask(run, { change: (s) => ({ ...s, expiresAt: "2026-11-09T08:00:00.000Z" }) });
    return run;
  }],
  ["a close below the plan's level", "approvals", async () => {
    const run = begin();
    await approved(run, (p) => { p["approvals"] = { ...(p["approvals"] as object), minLevel: "passkey" }; });
    executed(run);
    run.move("held", "consumer-refuted");
    await ask(run);
    return run;
  }],
  ["two people who signed different lists", "left-as-is", async () => {
    const run = await held();
    await ask(run);
    run.step("create", { attempt: 2, direction: "discard" });
    await confirm(run);
    await leftAsIs(run);
    return run;
  }],
  ["something begun after the close was asked for", "left-as-is", async () => {
    const run = await held();
    await ask(run);
    run.step("prove", { attempt: 2 });
    await confirm(run);
    await leftAsIs(run);
    return run;
  }],
  ["a close used after it expired", "left-as-is", async () => {
    const run = await held();
    await ask(run);
    await confirm(run);
    run.log.pass(3_700);
    await leftAsIs(run);
    return run;
  }],
  ["a close asked for before the run was held", "left-as-is", async () => {
    const run = begin();
    await approved(run);
    executed(run);
    await ask(run);
    run.move("held", "consumer-refuted");
    await confirm(run);
    await leftAsIs(run);
    return run;
  }],
  ["the words of an earlier hold", "left-as-is", async () => {
    const run = await held();
    await ask(run);
    await confirm(run);
    run.move("overlapping", "asked-for");
    run.move("held", "consumer-refuted");
    await leftAsIs(run);
    return run;
  }],
  ["a run left as it is while it overlapped", "state-moves", async () => {
    const run = begin();
    await approved(run);
    executed(run);
    await ask(run);
    await confirm(run);
    await leftAsIs(run);
    return run;
  }],
];
