import { violationsOf } from "@countersign/core";
import type fc from "fast-check";
import { laneHistory } from "../crash/judge.ts";
import { provenBundle } from "../crash/observe.ts";
import type { Lane } from "../crash/stage/lane.ts";
import type { Row } from "../crash/stage/names.ts";
import { noticeOf } from "../faults/judge.ts";
import { desksCount, readTold } from "../faults/told.ts";
import type { Sink } from "../scenarios/sink.ts";
import { type Command, type CommandName, wordsOf } from "./commands.ts";
import type { Stranger } from "./elsewhere.ts";
import { type NormalHistory, normalHistory } from "./look.ts";
import { type Broken, Model } from "./model.ts";
import { World } from "./world.ts";

/** One installation in its tenant, and who else is there. */
export interface Place {
  readonly lane: Lane;
  readonly stranger: Stranger;
  /** Where the product's webhook goes. */
  readonly sink: Sink;
}

/** What came of one sequence. */
export interface Played {
  /** Every command that was carried out, with what was answered. */
  readonly said: readonly string[];
  readonly did: readonly CommandName[];
  readonly states: readonly string[];
  readonly history: NormalHistory;
}

/** A promise that was broken on the way. */
export class BrokenError extends Error {
  readonly broken: readonly Broken[];
  readonly said: readonly string[];

  constructor(broken: readonly Broken[], said: readonly string[]) {
    super(broken.map(({ rule, sentence }) => `${rule}: ${sentence}`).join("\n"));
    this.broken = broken;
    this.said = said;
  }
}

/** Once everything is mended a run has this long to come to rest, in steps that grow: a day of absence has to pass. */
const restSteps = [60, 600, 3_600, 3_600, 6 * 3_600, 24 * 3_600, 24 * 3_600];

/** One sequence on one fresh row: the commands act on the world, and after each the model says what may be. */
export class Play {
  readonly world: World;
  readonly model: Model;
  readonly #sink: Sink;
  readonly #said: string[] = [];
  readonly #did: CommandName[] = [];
  #judges = true;

  private constructor(world: World, model: Model, sink: Sink) {
    this.world = world;
    this.model = model;
    this.#sink = sink;
  }

  static async begin({ lane, stranger, sink }: Place, row: Row): Promise<Play> {
    const world = await World.begin(lane, stranger, row);
    return new Play(world, new Model(await world.look(), world.madeElsewhere), sink);
  }

  /** What was done so far, and what was answered. */
  get said(): readonly string[] {
    return this.#said;
  }

  async step(command: Command): Promise<void> {
    const { model, world } = this;
    const frozen = model.frozen;
    const may = model.mayBeAsked(command);
    // Whatever disturbs is known before it does so.
    const disturbs =
      command.do === "fault" ||
      command.do === "kill" ||
      command.do === "add a foreign key" ||
      command.do === "overwrite the record";
    if (disturbs) model.done(command);
    const answer = await world.do(command);
    this.#said.push(`${wordsOf(command)} -> ${answer}`);
    this.#did.push(command.do);
    model.aimed = world.isAimed;
    if (!disturbs && (answer === "done" || answer === "cut")) model.done(command);
    const wrong =
      may === null || answer === "cut" || (answer === "done") === may
        ? []
        : [
            {
              rule: "answer",
              sentence: `expected "${wordsOf(command)}" to be ${may ? "done" : "refused"}, got ${answer}`,
            },
          ];
    this.#demand([...wrong, ...model.compare(await world.look(), frozen && model.frozen)]);
  }

  /** Mends everything, lets time pass until every run has come to rest; a person decides what is held. */
  async #rest(): Promise<void> {
    const { model, world } = this;
    await world.mendAll();
    model.done({ do: "mend" });
    model.done({ do: "lift the freeze" });
    let held = 0;
    for (const seconds of restSteps) {
      this.#demand(model.compare(await world.look(), false));
      if (model.state === null || model.isOver) return;
      if (model.state === "held") {
        this.#demand(await this.#toldOfHold());
        // What cannot be taken back is closed as it stands, by two.
        const tried = held;
        held += 1;
        if (tried === 0) await this.step({ do: "decide on the hold", choice: "roll-back" });
        else
          for (const word of ["ask to close it as it stands", "confirm the close"] as const)
            await this.step({ do: word });
      }
      await world.wait(seconds);
    }
  }

  /** Ends a sequence in which something was broken, so that it disturbs none that comes after it. */
  async abandon(): Promise<void> {
    this.#judges = false;
    await this.#rest();
  }

  /** Judges how each run ended once everything was mended. */
  async finish(): Promise<Played> {
    const { model, world } = this;
    await this.#rest();
    // Orphans are counted after a minute, and every consumer has read and signed in again by then.
    await world.wait(900);
    const last = await world.look();
    this.#demand([...model.compare(last, false), ...model.judgeEnd()]);
    const { lane, row, after } = world;
    const runs = last.runs.map(({ id }) => id);
    const history = await laneHistory(lane, runs, after);
    this.#demand(violationsOf(history).map(({ invariant, sentence }) => ({ rule: invariant, sentence })));
    for (const run of runs) {
      const verdict = await provenBundle(lane, run);
      this.#demand(
        verdict === "proven" ? [] : [{ rule: "evidence", sentence: `expected a proven bundle, got ${verdict}` }],
      );
    }
    return {
      said: this.#said,
      did: this.#did,
      states: last.runs.flatMap(({ entries }) => [
        "requested",
        ...entries.flatMap(({ type, data }) => (type === "run.moved" ? [String(data.to)] : [])),
      ]),
      history: await normalHistory(lane, row, after),
    };
  }

  async #toldOfHold(): Promise<Broken[]> {
    const { lane, row } = this.world;
    const run = this.model.newest?.id ?? "";
    const told = (await readTold(lane, this.#sink))(run, row.name);
    const broken: Broken[] = [];
    if (!told.notices.includes(noticeOf("held")))
      broken.push({
        rule: "notice",
        sentence: `expected people to be told of a hold, got ${told.notices.join(", ") || "nothing"}`,
      });
    if (told.tickets.length !== desksCount)
      broken.push({
        rule: "ticket",
        sentence: `expected a ticket at both desks, got ${told.tickets.join(", ") || "none"}`,
      });
    return broken;
  }

  #demand(broken: readonly Broken[]): void {
    if (broken.length > 0 && this.#judges) throw new BrokenError(broken, this.#said);
  }
}

/** The command as fast-check drives it: only where it makes sense, against the model and the world of one {@link Play}. */
export class Step implements fc.AsyncCommand<Model, Play> {
  readonly command: Command;

  constructor(command: Command) {
    this.command = command;
  }

  check(model: Readonly<Model>): boolean {
    return model.makesSense(this.command);
  }

  run(_model: Model, play: Play): Promise<void> {
    return play.step(this.command);
  }

  toString(): string {
    return wordsOf(this.command);
  }
}
