import { randomUUID } from "node:crypto";
import { connect, type Socket } from "node:net";
import type { HoldPosition } from "../faults/holds.ts";
import type { FaultKind, Rule } from "../faults/rules.ts";
import type { Target } from "../http/exchange.ts";
import type { PostgresDatabase } from "../tenant/model.ts";
import type { World } from "../world.ts";
import {
  blankSecrets,
  CANCEL_REQUEST,
  errorCode,
  type Frame,
  Framer,
  fatalError,
  GSS_REQUEST,
  SSL_REQUEST,
  sqlText,
  startupParameters,
  statementError,
} from "./framing.ts";
import { applyRoleChanges, type RoleChange, readRoleChanges } from "./roles.ts";
import { readWorkloadName } from "./workload-name.ts";

const READS =
  /^(SELECT|SHOW|SET|RESET|BEGIN|START|ROLLBACK|SAVEPOINT|RELEASE|DISCARD|FETCH|CLOSE|DECLARE|EXPLAIN|LISTEN)/;
const ACTING_READ = /pg_(terminate|cancel)_backend|set_config|pg_notify/i;

/** Statements that the server answers with one ReadyForQuery. */
interface Cycle {
  requestId: string;
  target: Target;
  /** Set when the answer is kept back until its end. */
  kept: Buffer[] | null;
  firing: Rule[];
  lost: boolean;
  tags: string[];
  error: string | null;
  roleChanges: RoleChange[];
}

/** One client connection through the proxy to the real server. */
export class PostgresSession {
  readonly #world: World;
  readonly #database: PostgresDatabase;
  readonly #client: Socket;
  /** Tells sessions of one role apart in the effect log. */
  readonly #id = randomUUID();
  #server: Socket | null = null;
  readonly #fromClient = new Framer(false);
  readonly #fromServer = new Framer(true);
  #role: string | null = null;
  #workload: { name: string; atMs: number } | null = null;
  #startup: "waiting" | "authenticating" | "ready" = "waiting";
  #batch: Frame[] = [];
  /** Forwarded and not yet answered, oldest first: a client may send on before it has its answer. */
  readonly #cycles: Cycle[] = [];
  #uncommitted: RoleChange[] = [];
  /** The server's last word: I = outside a transaction. */
  #status = "I";
  /** Messages are handled one after another, since a hold may stop any of them. */
  #turn: Promise<void> = Promise.resolve();

  constructor(world: World, database: PostgresDatabase, client: Socket) {
    this.#world = world;
    this.#database = database;
    this.#client = client;
    // Messages are forwarded one by one; waiting to join them would cost 40 ms each time.
    client.setNoDelay(true);
    client.on("data", (chunk: Buffer) => this.#read(this.#fromClient, chunk, (frame) => this.#onClient(frame)));
    client.on("error", () => client.destroy());
    client.on("close", () => this.#onClientClose());
  }

  #read(framer: Framer, chunk: Buffer, handle: (frame: Frame) => Promise<void>): void {
    framer.push(chunk);
    this.#turn = this.#turn
      .then(async () => {
        for (let frame = framer.next(); frame !== null; frame = framer.next()) await handle(frame);
      })
      .catch(() => this.#end());
  }

  /** A client that is gone does not take back what it has sent: a statement under way goes on to its end. */
  #onClientClose(): void {
    this.#turn = this.#turn.then(() => void this.#server?.end());
  }

  async #onClient(frame: Frame): Promise<void> {
    if (frame.type === "") {
      await this.#onStartup(frame);
      return;
    }
    const copying = this.#cycles.length > 0 && "dcf".includes(frame.type);
    if (this.#startup !== "ready" || copying || frame.type === "X") {
      this.#server?.write(frame.bytes);
      return;
    }
    this.#batch.push(frame);
    if (frame.type === "Q" || frame.type === "S" || frame.type === "F") await this.#startCycle();
    else if (frame.type === "H") this.#forwardBatch();
  }

  async #onStartup(frame: Frame): Promise<void> {
    const code = frame.bytes.readInt32BE(4);
    if (code === SSL_REQUEST || code === GSS_REQUEST) {
      this.#client.write("N");
      return;
    }
    if (code === CANCEL_REQUEST) {
      this.#openServer().end(frame.bytes);
      return;
    }
    const parameters = startupParameters(frame.bytes);
    this.#role = parameters.get("user") ?? null;
    this.#workload = readWorkloadName(parameters.get("application_name") ?? "");
    this.#fromClient.startTyped();
    const firing = this.#fire("postgres.connect", this.#target());
    const requestId = randomUUID();
    if (!(await this.#passHold(firing, "after-send", "postgres.connect", requestId, this.#target()))) return;
    const stopped = await this.#runFault(faultAt(firing, "before-effect"));
    if (stopped !== null) {
      this.#log("postgres.connect", requestId, this.#target(), false, null, null, stopped);
      return;
    }
    this.#startup = "authenticating";
    this.#openServer().write(frame.bytes);
  }

  #openServer(): Socket {
    // A host that is a folder is that of a unix socket, as everywhere in PostgreSQL's own tools.
    const { host, port } = this.#database;
    const server = host.startsWith("/") ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
    this.#server = server;
    server.setNoDelay(true);
    server.on("data", (chunk: Buffer) => this.#read(this.#fromServer, chunk, (frame) => this.#onServer(frame)));
    server.on("error", () => {
      if (this.#startup === "authenticating") {
        this.#log("postgres.connect", randomUUID(), this.#target(), false, null, "08006", null);
        this.#client.write(fatalError("57P03", "the database system is not available"));
      }
      this.#end();
    });
    server.on("close", () => {
      this.#turn = this.#turn.then(() => void this.#client.end());
    });
    return server;
  }

  async #startCycle(): Promise<void> {
    const sql = this.#batch
      .filter((frame) => frame.type === "Q" || frame.type === "P")
      .map(sqlText)
      .join("; ");
    const text = blankSecrets(sql);
    const target = { ...this.#target(), text };
    const requestId = randomUUID();
    const firing = this.#fire("postgres.query", target);
    const fault = faultAt(firing, "before-effect");
    if (!(await this.#passHold(firing, "after-send", "postgres.query", requestId, target))) return;
    const mischief = fault === null && !firing.some((rule) => rule.action.type === "fault") ? this.#draw() : null;
    const stopped = mischief === "before" ? await this.#stop("reset", 0) : await this.#runFault(fault);
    if (stopped !== null) {
      this.#log("postgres.query", requestId, target, false, null, null, stopped);
      return;
    }
    const keeps = firing.some((rule) => rule.action.position === "after-effect") || mischief === "after";
    this.#cycles.push({
      requestId,
      target,
      kept: keeps ? [] : null,
      firing,
      lost: mischief === "after",
      tags: [],
      error: null,
      roleChanges: readRoleChanges(sql),
    });
    this.#forwardBatch();
  }

  #forwardBatch(): void {
    for (const frame of this.#batch) this.#server?.write(frame.bytes);
    this.#batch = [];
  }

  async #onServer(frame: Frame): Promise<void> {
    if (this.#startup === "authenticating") this.#onAuthentication(frame);
    const cycle = this.#cycles[0];
    if (cycle === undefined || this.#startup !== "ready") {
      this.#client.write(frame.bytes);
      return;
    }
    if (frame.type === "E") cycle.error = errorCode(frame);
    if (frame.type === "C") cycle.tags.push(frame.bytes.subarray(5, -1).toString("utf8"));
    if (cycle.kept === null) this.#client.write(frame.bytes);
    else cycle.kept.push(frame.bytes);
    if (frame.type !== "Z") return;
    this.#noteRoles(cycle, String.fromCharCode(frame.bytes[5] ?? 0));
    await this.#endCycle(cycle);
  }

  #onAuthentication(frame: Frame): void {
    if (frame.type === "E") {
      this.#log("postgres.connect", randomUUID(), this.#target(), false, "failed", errorCode(frame), null);
      return;
    }
    if (frame.type !== "Z") return;
    this.#startup = "ready";
    this.#log("postgres.connect", randomUUID(), this.#target(), true, "ok", null, null);
  }

  /** Role changes count once they are committed: `status` is the server's own word, I = outside a transaction. */
  #noteRoles(cycle: Cycle, status: string): void {
    this.#status = status;
    if (cycle.error === null) this.#uncommitted.push(...cycle.roleChanges);
    if (status !== "I") return;
    const kept = cycle.error === null && !cycle.tags.includes("ROLLBACK");
    if (kept) applyRoleChanges(this.#database.roles, this.#uncommitted, this.#world.clock.nowMs);
    this.#uncommitted = [];
  }

  async #endCycle(cycle: Cycle): Promise<void> {
    const text = String(cycle.target.text ?? "");
    const acted = cycle.tags.some((tag) => !READS.test(tag)) || ACTING_READ.test(text);
    const fault = faultAt(cycle.firing, "after-effect");
    const label = cycle.lost ? "after-effect:reset" : fault === null ? null : `after-effect:${fault.kind}`;
    this.#log(
      "postgres.query",
      cycle.requestId,
      cycle.target,
      cycle.error === null && acted,
      cycle.error ?? "ok",
      cycle.error,
      label,
    );
    this.#cycles.shift();
    if (!(await this.#passHold(cycle.firing, "after-effect", "postgres.query", cycle.requestId, cycle.target))) return;
    if (cycle.lost) {
      this.#end();
      return;
    }
    if (fault !== null && (await this.#stop(fault.kind, fault.delayMs)) !== null) return;
    if (cycle.kept !== null) this.#client.write(Buffer.concat(cycle.kept));
    const answered = cycle.firing.find(({ action }) => action.type === "hold" && action.position === "after-answer");
    if (answered !== undefined) {
      this.#world.holds.announce({
        rule: answered.id,
        op: "postgres.query",
        position: "after-answer",
        requestId: cycle.requestId,
        target: cycle.target,
      });
    }
  }

  /** Workloads are never faulted: they are what is measured. */
  #fire(op: string, target: Target): Rule[] {
    if (this.#workload !== null) return [];
    return this.#world.rules.fire({ op, path: "", caller: this.#role, target });
  }

  #draw(): "before" | "after" | null {
    if (this.#workload !== null) return null;
    const random = this.#world.random("fault:postgres.query");
    return random.chance(this.#world.knobs.postgresReset) ? random.pick(["before", "after"] as const) : null;
  }

  /** False if the connection was dropped instead of going on. */
  async #passHold(
    firing: Rule[],
    position: HoldPosition,
    op: string,
    requestId: string,
    target: Target,
  ): Promise<boolean> {
    const hold = firing.find(({ action }) => action.type === "hold" && action.position === position);
    if (hold === undefined) return true;
    if ((await this.#world.holds.wait({ rule: hold.id, op, position, requestId, target })) === "release") return true;
    if (position === "after-send") this.#log(op, requestId, target, false, null, null, "hold:dropped before effect");
    this.#end();
    return false;
  }

  #runFault(fault: { kind: FaultKind; delayMs: number } | null): Promise<string | null> {
    return fault === null
      ? Promise.resolve(null)
      : this.#stop(fault.kind, fault.delayMs).then((name) => (name === null ? null : `before-effect:${name}`));
  }

  /** Ends the connection as the fault says; null for a fault that only costs time. */
  async #stop(kind: FaultKind, delayMs: number): Promise<string | null> {
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
    if (kind === "slow") return null;
    if (kind === "timeout") {
      // The statement is not answered and, before the effect, not forwarded; the caller's deadline has to end it.
      this.#batch = [];
      return kind;
    }
    if (kind === "cancelled") {
      this.#batch = [];
      const status = this.#status === "I" ? "I" : "E";
      this.#client.write(statementError("57014", "canceling statement due to user request", status));
      return kind;
    }
    if (/^\d/.test(kind)) {
      this.#client.write(
        fatalError(
          kind.endsWith("-concurrency") || kind === "409" ? "40001" : "57P01",
          "terminating connection due to administrator command",
        ),
      );
    }
    this.#end();
    return kind;
  }

  #end(): void {
    this.#batch = [];
    this.#client.destroySoon();
    this.#server?.destroy();
  }

  #target(): Target {
    return { database: this.#database.name, role: this.#role, session: this.#id };
  }

  #log(
    op: string,
    requestId: string,
    target: Target,
    effect: boolean,
    status: string | null,
    code: string | null,
    fault: string | null,
  ): void {
    this.#world.effects.append(
      {
        op,
        caller: this.#role,
        workload: this.#workload?.name ?? null,
        target,
        effect,
        status,
        code,
        fault,
        requestId,
        clientRequestId: null,
        userAgent: null,
      },
      this.#workload?.atMs ?? this.#world.clock.nowMs,
    );
    if (effect && this.#workload === null) this.#world.persist();
  }
}

function faultAt(
  firing: Rule[],
  position: "before-effect" | "after-effect",
): { kind: FaultKind; delayMs: number } | null {
  const rule = firing.find((item) => item.action.type === "fault" && item.action.position === position);
  return rule?.action.type === "fault" ? { kind: rule.action.kind, delayMs: rule.action.delayMs } : null;
}
