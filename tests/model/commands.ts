import fc from "fast-check";
import type { Login } from "../crash/stage/names.ts";

/** Where the product dies: at a position of an outside call, or of a journaled attempt (`{row}` is the row's name). */
export type KillPoint =
  | {
      readonly call: CallName;
      readonly position: "after-send" | "after-effect";
      readonly verdict: "drop" | "land-late";
    }
  | { readonly attempt: string; readonly position: "before-intent" | "after-intent" | "after-answer" | "after-commit" };

/** Outside calls of the product that change something, or that a decision hangs on. */
export const calls = {
  "create the secret": { op: "application.addPassword", match: { appId: "{app}", caller: "{writer}" } },
  "remove a secret": { op: "application.removePassword", match: { appId: "{app}", caller: "{writer}" } },
  "read the application": { op: "application.get", match: { appId: "{app}" } },
  "write the record": { op: "secret.set", match: { vault: "{main}", secret: "{row}", caller: "{vault}" } },
  "write the copy": { op: "secret.set", match: { vault: "{partner}", secret: "{row}", caller: "{vault}" } },
  "read the record": { op: "secret.get", match: { vault: "{main}", secret: "{row}", caller: "{vault}" } },
} as const;
export type CallName = keyof typeof calls;
const callNames = Object.keys(calls) as CallName[];

/** One thing that somebody does to a product that is at rest, or that time does. */
export type Command =
  /** `anyway`: also while a run is open, to be refused. */
  | { readonly do: "request"; readonly anyway: boolean }
  | { readonly do: "approve"; readonly who: Login }
  | { readonly do: "reject"; readonly who: Login }
  | { readonly do: "withdraw" }
  | { readonly do: "roll back" }
  | { readonly do: "decide on the hold"; readonly choice: "retry" | "roll-forward" | "roll-back" }
  | { readonly do: "ask to close it as it stands" }
  | { readonly do: "confirm the close" }
  | { readonly do: "freeze" }
  | { readonly do: "lift the freeze" }
  | { readonly do: "wait"; readonly seconds: number | "event" }
  | {
      readonly do: "fault";
      readonly call: CallName;
      readonly position: "before-effect" | "after-effect";
      readonly kind: string;
      readonly times: 1 | "always";
    }
  | { readonly do: "mend" }
  | { readonly do: "add a foreign key" }
  /** Somebody else rotates by hand: a key of his own, and its value in the record. */
  | { readonly do: "overwrite the record" }
  | { readonly do: "kill"; readonly at: KillPoint | null };
export type CommandName = Command["do"];

/** Every command by name, so that one that is never reached is seen. */
export const commandNames: readonly CommandName[] = [
  "request",
  "approve",
  "reject",
  "withdraw",
  "roll back",
  "decide on the hold",
  "ask to close it as it stands",
  "confirm the close",
  "freeze",
  "lift the freeze",
  "wait",
  "fault",
  "mend",
  "add a foreign key",
  "overwrite the record",
  "kill",
];

const hour = 3_600;
const day = 24 * hour;
const only = <T extends Command>(command: T) => fc.constant<Command>(command);
const steps = ["create", "prove", "store", "update:{row}-batch", "update:{row}-partner"];
const attempts = [
  ...steps.map((step) => `do:${step}`),
  "do:confirm:{row}-web",
  "do:retire",
  "undo:store",
  "undo:update:{row}-batch",
  "discard:create",
];

const killPoints: fc.Arbitrary<KillPoint | null> = fc.oneof(
  { weight: 1, arbitrary: fc.constant(null) },
  {
    weight: 2,
    arbitrary: fc.record({
      call: fc.constantFrom(...callNames),
      position: fc.constantFrom("after-send" as const, "after-effect" as const),
      verdict: fc.constantFrom("drop" as const, "land-late" as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      attempt: fc.constantFrom(...attempts),
      position: fc.constantFrom(
        "before-intent" as const,
        "after-intent" as const,
        "after-answer" as const,
        "after-commit" as const,
      ),
    }),
  },
);

const faults: fc.Arbitrary<Command> = fc.record({
  do: fc.constant("fault" as const),
  call: fc.constantFrom(...callNames),
  position: fc.constantFrom("before-effect" as const, "after-effect" as const),
  kind: fc.constantFrom("reset", "403", "409", "429", "503", "504", "malformed"),
  times: fc.constantFrom(1 as const, "always" as const),
});

/** What there is to do, and how often it comes up beside the rest. */
export const weighted: readonly { readonly weight: number; readonly arbitrary: fc.Arbitrary<Command> }[] = [
  {
    weight: 4,
    arbitrary: fc.constantFrom(false, false, false, true).map((anyway): Command => ({ do: "request", anyway })),
  },
  {
    weight: 8,
    arbitrary: fc.constantFrom<Command>(
      { do: "approve", who: "ada" },
      { do: "approve", who: "ben" },
      { do: "approve", who: "ada" },
      { do: "approve", who: "ben" },
      { do: "approve", who: "cleo" },
    ),
  },
  { weight: 1, arbitrary: fc.constantFrom<Command>({ do: "reject", who: "ada" }, { do: "reject", who: "ben" }) },
  { weight: 1, arbitrary: only({ do: "withdraw" }) },
  { weight: 1, arbitrary: only({ do: "roll back" }) },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom("retry" as const, "roll-forward" as const, "roll-back" as const)
      .map((choice): Command => ({ do: "decide on the hold", choice })),
  },
  { weight: 2, arbitrary: only({ do: "ask to close it as it stands" }) },
  { weight: 2, arbitrary: only({ do: "confirm the close" }) },
  { weight: 1, arbitrary: only({ do: "freeze" }) },
  { weight: 3, arbitrary: only({ do: "lift the freeze" }) },
  {
    weight: 8,
    arbitrary: fc
      .constantFrom<number | "event">("event", "event", "event", 60, 60, 900, hour, 3 * hour, 3 * hour, 2 * day)
      .map((seconds): Command => ({ do: "wait", seconds })),
  },
  { weight: 2, arbitrary: faults },
  { weight: 2, arbitrary: only({ do: "mend" }) },
  {
    weight: 2,
    arbitrary: fc.constantFrom<Command>({ do: "add a foreign key" }, { do: "overwrite the record" }),
  },
  { weight: 2, arbitrary: killPoints.map((at): Command => ({ do: "kill", at })) },
];

const approved: readonly Command[] = [
  { do: "request", anyway: false },
  { do: "approve", who: "ada" },
  { do: "approve", who: "ben" },
];
const always = (call: CallName): Command => ({
  do: "fault",
  call,
  position: "before-effect",
  kind: "403",
  times: "always",
});

/** Whose copy is refused goes back, and cannot remove what it made: a person must decide. */
const held: readonly Command[] = [
  always("write the copy"),
  always("remove a secret"),
  ...approved,
  { do: "wait", seconds: 2 * day },
];

/**
 * What a sequence begins with, drawn like the rest: chance alone seldom brings a run to where it is held, or to where somebody
 * rotates by hand between two signatures. What comes after is drawn command by command.
 */
export const openings: fc.Arbitrary<readonly Command[]> = fc.oneof(
  { weight: 5, arbitrary: fc.constant([]) },
  { weight: 2, arbitrary: fc.constant([...approved, { do: "wait", seconds: 60 }]) },
  {
    weight: 2,
    arbitrary: fc.constant([...approved.slice(0, 2), { do: "overwrite the record" }, { do: "approve", who: "ben" }]),
  },
  { weight: 1, arbitrary: fc.constant([...approved.slice(0, 2), { do: "reject", who: "ben" }]) },
  { weight: 3, arbitrary: fc.constant(held) },
  {
    weight: 1,
    arbitrary: fc.constant([...held, { do: "ask to close it as it stands" }, { do: "confirm the close" }]),
  },
);

/** The command as a person would say it. */
export function wordsOf(command: Command): string {
  switch (command.do) {
    case "approve":
    case "reject":
      return `${command.who} ${command.do}s`;
    case "decide on the hold":
      return `${command.do}: ${command.choice}`;
    case "wait":
      return command.seconds === "event" ? "wait for the next event" : `wait ${command.seconds} s`;
    case "fault":
      return `fault: ${command.call} ${command.times === 1 ? "once" : "for ever"} ${command.kind} ${command.position}`;
    case "kill":
      return command.at === null ? "kill" : `kill at ${pointName(command.at)}`;
    default:
      return command.do;
  }
}

function pointName(at: KillPoint): string {
  return "call" in at ? `${at.call} ${at.position}, ${at.verdict}` : `${at.attempt} ${at.position}`;
}
