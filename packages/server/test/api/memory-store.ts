import { type ChannelView, closedStates, type Plan, type Reach } from "@countersign/contract";
import { CountersignError, canMove, type RunState } from "@countersign/core";
import { digestOf, type Json } from "@countersign/evidence";
import type { ApiStore, NewAttachment, RunRecord, StoredApproval } from "../../src/api/index.ts";
import { MemoryFleet } from "./memory-fleet.ts";

type StoredUse = NonNullable<Awaited<ReturnType<ApiStore["breakGlass"]>>>;
type WordOnUse = Parameters<ApiStore["sayOnUse"]>[0];
type Terms = NonNullable<Plan["breakGlass"]>;

/** What {@link ApiStore} promises, in memory: the reference that tests of the API run against without a database. */
export class MemoryStore extends MemoryFleet implements ApiStore {
  readonly records = new Map<string, RunRecord>();
  readonly plans = new Map<string, string>();
  readonly given = new Map<string, StoredApproval[]>();
  readonly uses = new Map<string, StoredUse>();
  frozen: { since: number; by: string | null } | null = null;
  asks: unknown[] = [];

  move(
    id: string,
    to: RunState,
    at: number,
    change: Partial<RunRecord> = {},
    because: RunRecord["because"] = null,
  ): void {
    const run = this.records.get(id);
    if (run === undefined || !canMove(run.state, to))
      throw new CountersignError("STATE_CONFLICT", `expected a run that can become ${to}`);
    this.append(at, "run.moved", { because: because as Json, fence: 1, from: run.state, to }, id);
    this.records.set(id, { ...run, state: to, changedAt: at, because, ...change });
    if (closedStates.has(to)) this.append(at, "run.closed", { entries: 0, state: to }, id);
  }

  /** A reason as a person gives it, ready to be kept. */
  reasonOf(text: string): NewAttachment {
    const bytes = new TextEncoder().encode(JSON.stringify({ salt: "AAAAAAAAAAAAAAAAAAAAAA", text }));
    return { digest: digestOf(bytes), kind: "reason", bytes };
  }

  async run(id: string) {
    return this.records.get(id) ?? null;
  }
  async runs({ state, open, row, before, limit }: Parameters<ApiStore["runs"]>[0]) {
    return [...this.records.values()]
      .filter((run) => (state === undefined || run.state === state) && (row === undefined || run.row === row))
      .filter(
        (run) =>
          (open === undefined || open !== closedStates.has(run.state)) && (before === undefined || run.id < before.id),
      )
      .sort((a, b) => (a.id < b.id ? 1 : -1))
      .slice(0, limit);
  }
  async countRuns(filter: Parameters<ApiStore["countRuns"]>[0]) {
    return (await this.runs({ ...filter, limit: 1_000_000 })).length;
  }
  async plan(digest: string) {
    return this.plans.get(digest) ?? null;
  }
  async approvals(run: string) {
    return this.given.get(run) ?? [];
  }
  async attachment(digest: string) {
    return this.attachments.get(digest) ?? null;
  }
  async entries(from: number, limit: number) {
    return this.log.slice(from, from + limit);
  }
  async runEntries(run: string, fromSeq: number, limit: number) {
    return this.log.filter((entry) => entry.run === run).slice(fromSeq, fromSeq + limit);
  }
  async logSize() {
    return this.log.length;
  }
  async checkpoint() {
    return {
      origin: "demo.countersign.invalid/log",
      size: 1,
      root: `${"A".repeat(43)}=`,
      note: "demo.countersign.invalid/log\n1\n…\n",
    };
  }
  async freeze() {
    return this.frozen;
  }
  async undeliveredNotices() {
    return 0;
  }
  async deliveries() {
    return [];
  }
  async channels(): Promise<ChannelView[]> {
    return [
      {
        name: "room",
        kind: "slack",
        state: "failing",
        failures: 2,
        failingSince: "2026-11-20T10:00:00.000Z",
        lastSentAt: "2026-11-20T10:00:00.000Z",
        lastFailedAt: "2026-11-20T10:00:00.000Z",
        lastCode: "OUTSIDE_UNAVAILABLE",
        lastStatus: 503,
        pausedUntil: null,
      },
    ];
  }
  async reaches(): Promise<Reach[]> {
    const at = "2026-11-20T10:00:00.000Z";
    return [
      {
        address: "https://graph.example",
        state: "answers",
        answeredAt: at,
        failedAt: at,
        failingSince: null,
        code: "OUTSIDE_RATE_LIMITED",
      },
      {
        address: "https://vault.example",
        state: "failing",
        answeredAt: at,
        failedAt: at,
        failingSince: at,
        code: "OUTSIDE_FORBIDDEN",
      },
    ];
  }
  async scans() {
    return [];
  }
  async hookEvents() {
    return [];
  }
  async hookCounts() {
    return [];
  }
  async testChannel() {}
  async nextDue() {
    const due = [...this.records.values()].flatMap((run) =>
      run.notBefore === null || closedStates.has(run.state) ? [] : [run.notBefore],
    );
    return due.length === 0 ? null : Math.min(...due);
  }
  async breakGlass(run: string) {
    return this.uses.get(run) ?? null;
  }
  async unreviewed() {
    const open = [...this.uses.values()].filter(({ reviews }) => !reviews.some(({ result }) => result === "accepted"));
    return new Map(open.toSorted((a, b) => b.at - a.at).map((use) => [this.records.get(use.run)?.row ?? "", use]));
  }
  async sayOnUse({ run: id, planDigest, person, role, word, level, statement, envelope, reason, ...said }: WordOnUse) {
    const run = this.records.get(id);
    const use = this.uses.get(id);
    const terms = (JSON.parse(this.plans.get(planDigest) ?? "{}") as { breakGlass?: Terms }).breakGlass;
    const begins = word === "break-glass";
    if (terms === undefined || run === undefined || (use === undefined) !== begins)
      throw new CountersignError("NOT_FOUND", "expected a break-glass use, got none");
    const [statementDigest, evidenceDigest] = [digestOf(statement), digestOf(envelope)];
    const signed = { evidenceDigest, level, person, role, statementDigest };
    const spoken = { person, role, at: said.at, reasonDigest: reason?.digest ?? null };
    if (begins) {
      if (run.planDigest !== planDigest) throw new CountersignError("STATE_CONFLICT", "expected the current plan");
      this.move(id, "approved", said.at, { notBefore: said.notBefore }, { code: "break-glass", person });
      const until = (seconds: number) => said.at + seconds * 1_000;
      const [confirmUntil, reviewUntil] = [until(terms.confirmWithinSeconds), until(terms.reviewWithinSeconds)];
      this.uses.set(id, { ...spoken, run: id, confirmUntil, reviewUntil, confirmed: null, reviews: [] });
      this.append(said.at, "breakglass.granted", signed, id);
    } else if (use !== undefined && word === "confirm") {
      if (use.confirmed !== null || closedStates.has(run.state))
        throw new CountersignError("STATE_CONFLICT", "expected an open run that nobody has confirmed");
      this.uses.set(id, { ...use, confirmed: spoken });
      this.append(said.at, "breakglass.confirmed", signed, id);
    } else if (use !== undefined) {
      const result = word === "accept" ? ("accepted" as const) : ("objected" as const);
      this.uses.set(id, { ...use, reviews: [...use.reviews, { ...spoken, result }] });
      this.append(said.at, "breakglass.reviewed", { ...signed, of: id, result });
    }
    this.keep([
      { digest: statementDigest, kind: "statement", bytes: statement },
      { digest: evidenceDigest, kind: "envelope", bytes: envelope },
      ...(reason === null ? [] : [reason]),
    ]);
    return statementDigest;
  }
  async closeWords() {
    return [];
  }
  sayOnClose(): Promise<string> {
    return Promise.reject(new CountersignError("STATE_CONFLICT", "expected a held run, got none"));
  }
  async lastScanAt() {
    return Date.parse("2026-11-22T06:00:00.000Z");
  }

  async request(input: Parameters<ApiStore["request"]>[0]) {
    const { compromised, named } = input;
    const trigger = compromised === null ? "manual" : "compromise";
    const isInTheWay = (run: RunRecord) =>
      run.row === input.row.name &&
      !closedStates.has(run.state) &&
      (compromised === null || run.trigger === "compromise");
    if ([...this.records.values()].some(isInTheWay)) {
      throw new CountersignError("STATE_CONFLICT", "expected no open run of this application, there is one");
    }
    this.keep([input.reason]);
    const { name, procedure, environment } = input.row;
    this.records.set(input.id, {
      ...newRecord(input.id, name, procedure, environment, input.person, input.at),
      trigger,
    });
    this.append(
      input.at,
      "run.requested",
      {
        procedure: input.row.procedure,
        reasonDigest: input.reason.digest,
        replaces: null,
        requester: input.person,
        target: { ...compromised, ...(named === null ? {} : { credential: named }) },
        trigger,
      },
      input.id,
    );
  }
  async decide(decision: Parameters<ApiStore["decide"]>[0]) {
    const run = this.records.get(decision.run);
    const given = this.given.get(decision.run) ?? [];
    if (run?.state !== "awaiting_approval" || run.planDigest !== decision.planDigest)
      throw new CountersignError("STATE_CONFLICT", "expected the run to wait");
    if (given.some((approval) => approval.person === decision.person))
      throw new CountersignError("CONFLICT", "expected one decision per person");
    this.keep(decision.attachments);
    this.given.set(decision.run, [...given, decision]);
    const { evidenceDigest, level, person, role, statementDigest } = decision;
    this.append(
      decision.at,
      "approval.given",
      { decision: decision.decision, evidenceDigest, level, person, role, statementDigest },
      decision.run,
    );
    const to = decision.decision === "reject" ? "rejected" : decision.isComplete(given) ? "approved" : null;
    if (to !== null)
      this.move(decision.run, to, decision.at, { notBefore: to === "approved" ? decision.notBefore : null });
  }
  async withdraw(input: Parameters<ApiStore["withdraw"]>[0]) {
    this.move(input.run, "withdrawn", input.at, { notBefore: null }, { code: "withdrawn-by-person" });
  }
  async ask(input: Parameters<ApiStore["ask"]>[0]) {
    const run = this.records.get(input.run);
    if (run === undefined) throw new CountersignError("NOT_FOUND", "expected a run");
    this.keep([input.reason]);
    this.asks.push(input);
    this.records.set(run.id, { ...run, asked: input.what });
    this.append(input.at, "run.asked", { what: input.what }, run.id);
  }
  async confirm({ run, step, direction, person, given, at }: Parameters<ApiStore["confirm"]>[0]) {
    this.append(
      at,
      "step.confirmed",
      { confirmation: given ? "given" : "withdrawn", direction, level: "session", person, step },
      run,
    );
  }
  async setFreeze(input: Parameters<ApiStore["setFreeze"]>[0]) {
    this.frozen = { since: input.at, by: input.person };
    this.append(input.at, "freeze.set", {});
  }
  async liftFreeze(input: Parameters<ApiStore["liftFreeze"]>[0]) {
    this.frozen = null;
    this.append(input.at, "freeze.lifted", {});
  }

  /** Everything that a refused call must leave as it was. */
  fingerprint(): string {
    return digestOf(
      new TextEncoder().encode(
        JSON.stringify([
          this.log.length,
          [...this.records],
          [...this.given],
          [...this.uses],
          this.frozen,
          this.asks.length,
          this.attachments.size,
          this.changes,
        ]),
      ),
    );
  }
}

export function newRecord(
  id: string,
  row: string,
  procedure: string,
  environment: string,
  requester: string,
  at: number,
): RunRecord {
  return {
    id,
    row,
    procedure,
    tenant: "contoso",
    environment,
    state: "requested",
    trigger: requester.startsWith("p_") ? "manual" : "due",
    requester,
    requestedAt: at,
    changedAt: at,
    notBefore: null,
    because: null,
    planDigest: null,
    approvalExpiresAt: null,
    asked: null,
    replaces: null,
    replacedBy: null,
  };
}
