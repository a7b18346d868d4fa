import { setTimeout as delay } from "node:timers/promises";
import { ProblemError } from "@countersign/contract";
import { Blows } from "../crash/blows.ts";
import { matchFor } from "../crash/points.ts";
import type { Lane } from "../crash/stage/lane.ts";
import type { Login, Row } from "../crash/stage/names.ts";
import { startWorkloads, stopWorkloads } from "../crash/stage/tenant.ts";
import { type Command, calls, type KillPoint } from "./commands.ts";
import type { Stranger } from "./elsewhere.ts";
import { type Look, look } from "./look.ts";

/** What became of a command: done, refused with the problem's code, or cut off by a kill. */
export type Answer = "done" | "cut" | (string & {});

const roles = { ada: "app-owner", ben: "platform", cleo: "security" } as const;
/** Between two commands everybody does what is due; time moves no further. */
const settleSeconds = 1;
const dayMs = 86_400_000;
const eventSecondsMax = 3_600;
/** Backoffs and the spacing of proofs; longer waits are rows. */
const inMemoryMsMax = 60_000;
/** An answer that has left before its sender was killed has come by then, real time. */
const cutMs = 500;

/** One application of the tenant with the product that rotates its secret, for one sequence of commands. */
export class World {
  readonly lane: Lane;
  readonly row: Row;
  /** Where the effect log stood when the sequence began. */
  readonly after: number;
  readonly stranger: Stranger;
  /** Ids of the keys that somebody else made. */
  readonly madeElsewhere = new Set<string>();
  #run: string | null = null;
  #blows: Blows | null = null;
  readonly #faults: string[] = [];

  private constructor(lane: Lane, stranger: Stranger, row: Row, after: number) {
    this.lane = lane;
    this.row = row;
    this.after = after;
    this.stranger = stranger;
  }

  static async begin(lane: Lane, stranger: Stranger, row: Row): Promise<World> {
    await lane.untilReady();
    await untilMorning(lane);
    const world = new World(lane, stranger, row, await lane.simulator.cursor());
    await startWorkloads(lane, [row]);
    await world.#advance(10);
    return world;
  }

  /** The product is to die at a point that it has not come to yet. */
  get isAimed(): boolean {
    return this.#blows !== null && !this.#blows.done;
  }

  async do(command: Command): Promise<Answer> {
    if (this.lane.product.fenced()) await this.lane.untilReady();
    const answer = await this.#act(command);
    if (command.do !== "wait") await this.#advance(settleSeconds);
    return answer;
  }

  async look(): Promise<Look> {
    const seen = await look(this.lane, this.row);
    this.#runIs(seen.runs.at(-1)?.id ?? null);
    return seen;
  }

  /** Everything that was armed is gone, nothing is frozen, and the product runs. */
  async mendAll(): Promise<void> {
    await this.#blows?.end();
    this.#blows = null;
    await this.lane.simulator.clear();
    await this.lane.untilReady();
    await this.#ask("cleo", (client) => client.liftFreeze({}));
    await this.#advance(settleSeconds);
  }

  async wait(seconds: number): Promise<void> {
    await this.#advance(seconds);
  }

  async end(): Promise<void> {
    await this.#blows?.end();
    // A sequence that was broken off in the middle of a kill has left time standing still.
    await this.lane.clock.thaw();
    await this.lane.simulator.clear();
    await stopWorkloads(this.lane.simulator, this.row);
  }

  async #act(command: Command): Promise<Answer> {
    const run = this.#run ?? "";
    const params = { id: run };
    switch (command.do) {
      case "request":
        return this.#ask("cleo", async (client) => {
          this.#runIs((await client.requestRun({ body: { row: this.row.name, reason: "model" } })).run);
        });
      case "approve":
      case "reject":
        return this.#decide(command.who, command.do, run);
      case "withdraw":
        return this.#ask("cleo", (client) => client.withdraw({ params, body: {} }));
      case "roll back":
        return this.#ask("ben", (client) => client.rollBack({ params, body: { reason: "model" } }));
      case "decide on the hold":
        return this.#ask("ada", (client) =>
          client.decideHold({ params, body: { choice: command.choice, reason: "model" } }),
        );
      case "ask to close it as it stands":
        return this.#sayClose("ada", "close", run);
      case "confirm the close":
        return this.#sayClose("cleo", "close-confirm", run);
      case "freeze":
        return this.#ask("ben", (client) => client.freeze({ body: {} }));
      case "lift the freeze":
        return this.#ask("cleo", (client) => client.liftFreeze({}));
      case "wait":
        await this.#advance(command.seconds === "event" ? await this.#untilEvent() : command.seconds);
        return "done";
      case "fault": {
        const { position, kind, times } = command;
        const shape = calls[command.call];
        const match = matchFor(shape, this.row, this.lane.directory);
        const armed = await this.lane.simulator.post("/faults", { op: shape.op, match, position, kind, times });
        this.#faults.push((armed as { readonly id: string }).id);
        return "done";
      }
      case "mend":
        for (const id of this.#faults.splice(0)) await this.lane.simulator.delete(`/faults/${id}`);
        return "done";
      case "add a foreign key":
      case "overwrite the record": {
        const { keyId, secretText } = await this.stranger.addKey(this.row);
        this.madeElsewhere.add(keyId);
        if (command.do === "overwrite the record") await this.stranger.overwrite(this.row, secretText);
        return "done";
      }
      case "kill":
        if (command.at === null) await this.#killNow();
        else await this.#aim(command.at);
        return "done";
    }
  }

  #decide(who: Login, decision: "approve" | "reject", id: string): Promise<Answer> {
    return this.#ask(who, async (client) => {
      const reason = decision === "reject" ? { reason: "model" } : {};
      const asked = { decision, role: roles[who], ...reason };
      const { statement, planDigest, reasonAttachment } = await client.makeStatement({ params: { id }, body: asked });
      await client.decide({
        params: { id },
        body: { statement, planDigest, reasonAttachment },
        headers: { "if-match": `"${planDigest}"` },
      });
    });
  }

  #sayClose(who: Login, decision: "close" | "close-confirm", id: string): Promise<Answer> {
    return this.#ask(who, async (client) => {
      const reason = decision === "close" ? { reason: "model" } : {};
      const asked = { decision, role: roles[who], ...reason };
      const said = await client.makeCloseStatement({ params: { id }, body: asked });
      const { statement, planDigest, reasonAttachment } = said;
      const headers = { "if-match": `"${planDigest}"` };
      await client.sayOnClose({ params: { id }, body: { statement, planDigest, reasonAttachment }, headers });
    });
  }

  /** A call of a person, which a kill may cut off. */
  async #ask(
    who: Login,
    call: (client: Awaited<ReturnType<Lane["people"]["of"]>>) => Promise<unknown>,
  ): Promise<Answer> {
    const blows = this.#blows;
    const answered = this.lane.people
      .of(who)
      .then(call)
      .then(
        () => "done",
        (error: unknown) => {
          if (error instanceof ProblemError) return error.problem.code;
          throw error;
        },
      );
    if (blows === null || blows.done) return answered;
    const cut = blows.reached.then(() => delay(cutMs, "cut"));
    const orCut = answered.catch((error: unknown) => {
      if (blows.due) return "cut";
      throw error;
    });
    return Promise.race([orCut, cut]);
  }

  /** Moves the clock; on the way the product dies where it was aimed at, and is started again. */
  async #advance(seconds: number): Promise<void> {
    const moving = this.lane.simulator.post("/clock/advance", { by: seconds, limitMs: 60_000 });
    const moved = moving.then(() => "moved");
    for (;;) {
      const blows = this.#blows;
      const reached = blows === null || blows.done ? [] : [blows.reached];
      const what = await Promise.race([moved, ...reached.map((one) => one.then(() => "reached"))]);
      if (blows?.due === true) await blows.strike();
      if (what === "moved") return;
    }
  }

  /** Seconds until something comes due: a wait that the product keeps in memory, or one that stands in the run's row. */
  async #untilEvent(): Promise<number> {
    const { lane, row } = this;
    const others = new Set(await lane.clock.others());
    const { clients } = (await lane.simulator.get("/clock/clients")) as {
      readonly clients: readonly { readonly client: string; readonly idleUntil: string | null }[];
    };
    const { now } = (await lane.simulator.get("/clock")) as { readonly now: string };
    const { rows } = await lane.server.admin.query<{ due: string | null }>(
      "select not_before::text as due from cs.run where target_key = $1 order by created_at desc, id desc limit 1",
      [row.name],
    );
    const inMs = (time: string | number) => Number(new Date(time)) - Date.parse(now);
    const soon = clients.flatMap(({ client, idleUntil }) =>
      others.has(client) && idleUntil !== null && inMs(idleUntil) <= inMemoryMsMax ? [inMs(idleUntil)] : [],
    );
    // What the product waits for otherwise is not all about this run: a daily look, for one.
    const stored = rows.flatMap(({ due }) => (due === null ? [] : [inMs(Number(due))]));
    const ms = Math.min(...(soon.length > 0 ? soon : stored.filter((wait) => wait > 0)), eventSecondsMax * 1_000);
    return Math.max(1, Math.ceil(ms / 1_000));
  }

  /** Nothing is under way: the process is gone between two of its works. */
  async #killNow(): Promise<void> {
    const { lane } = this;
    const blows = this.#blows;
    await lane.clock.freeze();
    await lane.product.kill();
    lane.start();
    await Promise.race([lane.untilReady(), ...(blows === null || blows.done ? [] : [blows.reached])]);
    if (blows?.due === true) await blows.strike();
    await lane.clock.thaw();
  }

  async #aim(at: KillPoint): Promise<void> {
    const { row } = this;
    const spot =
      "call" in at
        ? { kind: "call" as const, shape: calls[at.call], nth: 1, position: at.position }
        : { kind: "journal" as const, call: at.attempt, nth: 1, position: at.position };
    const point = { name: "model", procedure: row.procedure, course: row.course, at: spot, fresh: false, instant: "" };
    const verdict = "call" in at ? at.verdict : "land-late";
    this.#blows = new Blows(this.lane, [{ row, blows: [{ point, how: "kill", verdict }] }], this.after);
    this.#runIs(this.#run);
    await this.#blows.arm();
  }

  #runIs(run: string | null): void {
    this.#run = run;
    if (run !== null) this.#blows?.runIs(this.row, run);
  }
}

/** Every sequence begins at the same time of day: what the product does daily falls at the same place in each. */
async function untilMorning({ simulator }: Lane): Promise<void> {
  const { now } = (await simulator.get("/clock")) as { readonly now: string };
  const to = new Date(Math.ceil((Date.parse(now) + 1) / dayMs) * dayMs).toISOString();
  await simulator.post("/clock/advance", { to, limitMs: 60_000 });
}
