import { type ChannelView, type Credential, closedStates, type Plan, type Reach } from "@countersign/contract";
import { type AcceptanceState, CountersignError, canMove, type FleetCode, type RunState } from "@countersign/core";
import type { Expiry, ListedChangeRow } from "@countersign/engine";
import { canonicalize, digestOf, type Json } from "@countersign/evidence";
import type {
  ApiStore,
  NewAttachment,
  RunRecord,
  StoredApproval,
  StoredEntry,
  StoredFinding,
} from "../../src/api/index.ts";
import type { SessionRow, SessionStore } from "../../src/signin/index.ts";

const dayMs = 86_400_000;
const filters = ["state", "kind", "tenant", "expiry", "managed"] as const;

function expiryOf(expiresAt: string | null, now: number): Expiry {
  if (expiresAt === null) return "never";
  const days = (Date.parse(expiresAt) - now) / dayMs;
  return days <= 0 ? "expired" : days <= 7 ? "7-days" : days <= 30 ? "30-days" : days <= 90 ? "90-days" : "later";
}

type StoredUse = NonNullable<Awaited<ReturnType<ApiStore["breakGlass"]>>>;
type WordOnUse = Parameters<ApiStore["sayOnUse"]>[0];
type Terms = NonNullable<Plan["breakGlass"]>;

/** What {@link ApiStore} promises, in memory: the reference that tests of the API run against without a database. */
export class MemoryStore implements ApiStore {
  readonly log: StoredEntry[] = [];
  readonly records = new Map<string, RunRecord>();
  readonly plans = new Map<string, string>();
  readonly attachments = new Map<string, Uint8Array>();
  readonly given = new Map<string, StoredApproval[]>();
  readonly credentials: Credential[] = [];
  readonly said: StoredFinding[] = [];
  readonly changes: ListedChangeRow[] = [];
  readonly uses = new Map<string, StoredUse>();
  frozen: { since: number; by: string | null } | null = null;
  asks: unknown[] = [];

  append(at: number, type: string, data: Json, run: string | null = null): void {
    const runSeq = run === null ? null : this.log.filter((entry) => entry.run === run).length;
    const text = canonicalize({
      at: new Date(at).toISOString(),
      data,
      prevRunLeaf: null,
      run,
      runSeq,
      salt: "AAAAAAAAAAAAAAAAAAAAAA",
      type,
      v: 1,
    });
    this.log.push({ index: this.log.length, run, text });
  }

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

  keep(attachments: readonly NewAttachment[]): void {
    for (const { digest, bytes } of attachments) this.attachments.set(digest, bytes);
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
  async credentialsOf(rows: Parameters<ApiStore["credentialsOf"]>[0]) {
    return this.credentials.filter(({ application }) => rows.some(({ name }) => name === application));
  }
  async ledger({ filter, now, after, limit }: Parameters<ApiStore["ledger"]>[0]) {
    const found = this.credentials
      .filter(({ name, id }) => filter.search === undefined || id === filter.search || name.includes(filter.search))
      .map((credential) => ({
        credential,
        word: {
          state: credential.state,
          kind: credential.kind,
          tenant: credential.tenant,
          expiry: expiryOf(credential.expiresAt, now),
          managed: credential.application !== null,
        },
      }));
    const fitting = found
      .filter(({ word }) => filters.every((key) => filter[key] === undefined || filter[key] === word[key]))
      .map(({ credential }) => credential)
      .toSorted((a, b) => ((a.expiresAt ?? "9999") < (b.expiresAt ?? "9999") ? -1 : 1));
    const start = after === null ? 0 : fitting.findIndex(({ id }) => id === after) + 1;
    const items = fitting.slice(start, start + limit);
    return {
      items,
      next: start + limit < fitting.length ? (items.at(-1)?.id ?? null) : null,
      counts: found.map(({ word }) => ({ ...word, count: 1 })),
    };
  }
  async expiryWeeks(now: number, weeks: number) {
    return this.credentials.flatMap(({ expiresAt, application }) => {
      const week = Math.floor((Date.parse(expiresAt ?? "9999-01-01") - now) / (7 * dayMs));
      return week >= 0 && week < weeks ? [{ week, row: application, count: 1 }] : [];
    });
  }
  async fleetFindings({ filter, now, after, limit }: Parameters<ApiStore["fleetFindings"]>[0]) {
    const stateOf = ({ acceptance }: StoredFinding): AcceptanceState =>
      acceptance === null
        ? "none"
        : acceptance.confirmedAt === null
          ? "asked"
          : Date.parse(acceptance.until) <= now
            ? "expired"
            : "accepted";
    const words = this.said
      .map((finding): StoredFinding => {
        const state = stateOf(finding);
        const { acceptance } = finding;
        return { ...finding, acceptance: acceptance === null || state === "none" ? null : { ...acceptance, state } };
      })
      .filter(
        ({ name, objectId, clearedAt }) =>
          (clearedAt !== null) === (filter.cleared === true) &&
          (filter.search === undefined || name?.includes(filter.search) === true) &&
          (filter.objectId === undefined || objectId === filter.objectId),
      )
      .map((finding) => ({
        finding,
        word: {
          code: finding.code as FleetCode,
          tenant: finding.tenant ?? "",
          environment: finding.environment ?? "",
          listed: finding.application !== null,
          acceptance: stateOf(finding),
        },
      }));
    const fitting = words
      .filter(({ word: { acceptance: is } }) =>
        filter.acceptance === "counting"
          ? is !== "accepted"
          : filter.acceptance === undefined || is === filter.acceptance,
      )
      .filter(({ word }) =>
        (["code", "tenant", "environment", "listed"] as const).every(
          (key) => filter[key] === undefined || filter[key] === word[key],
        ),
      )
      .map(({ finding }) => finding);
    const start = after === null ? 0 : Number(after);
    return {
      items: fitting.slice(start, start + limit),
      next: start + limit < fitting.length ? String(start + limit) : null,
      counts: words.map(({ word }) => ({ ...word, count: 1 })),
    };
  }
  async auditChanges({ filter, after, limit }: Parameters<ApiStore["auditChanges"]>[0]) {
    const found = this.changes
      .filter(({ objectId, credential, actor, at }) => {
        const isOf = filter.objectId === undefined || filter.objectId === objectId;
        const has = filter.id === undefined || [objectId, credential, actor].includes(filter.id);
        return isOf && has && at >= (filter.since ?? 0);
      })
      .toSorted((a, b) => b.at - a.at);
    const fitting = found.filter(
      ({ tenant, verdict, stands }) =>
        (filter.tenant === undefined || filter.tenant === tenant) &&
        (filter.verdict === undefined || filter.verdict === verdict) &&
        (filter.standing === undefined || filter.standing === stands),
    );
    const start = after === null ? 0 : Number(after);
    return {
      items: fitting.slice(start, start + limit),
      next: start + limit < fitting.length ? String(start + limit) : null,
      counts: found.map(({ tenant, verdict, stands }) => ({ tenant, verdict, standing: stands, count: 1 })),
    };
  }
  async auditChange(of: Parameters<ApiStore["auditChange"]>[0]) {
    return (
      this.changes.find((one) => one.entry === of.entry && one.credential === of.credential && one.act === of.act) ??
      null
    );
  }
  async explainChange(of: Parameters<ApiStore["explainChange"]>[0]) {
    const change = await this.auditChange(of);
    const place = this.changes.findIndex((one) => one === change);
    if (change === null) throw new CountersignError("NOT_FOUND", "expected a change");
    if (change.explainedAt !== null) throw new CountersignError("STATE_CONFLICT", "expected a change that waits");
    this.keep([of.reason]);
    const said = { explainedBy: of.person, explainedAt: of.at, explanation: of.reason.digest, stands: false };
    this.changes[place] = { ...this.changes[place]!, ...said };
    this.append(of.at, "audit.explained", {});
  }
  async lateScans() {
    return this.said.flatMap(({ code, tenant }) => (code === "scan-late" && tenant !== null ? [tenant] : []));
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
  /** Acceptances are numbered as the findings that they are of. */
  async askAcceptances({ findings, until, person, reason, at }: Parameters<ApiStore["askAcceptances"]>[0]) {
    const reasonDigest = digestOf(reason);
    this.attachments.set(reasonDigest, reason);
    for (const id of findings) {
      const acceptance = {
        id,
        state: "asked" as const,
        until: new Date(until).toISOString(),
        askedBy: person,
        askedAt: new Date(at).toISOString(),
        reasonDigest,
        confirmedBy: null,
        confirmedAt: null,
      };
      this.#accept(id, () => acceptance);
    }
    this.append(at, "acceptance.asked", {});
    return [...findings];
  }
  async confirmAcceptances({ acceptances, person, at }: Parameters<ApiStore["confirmAcceptances"]>[0]) {
    const confirmedAt = new Date(at).toISOString();
    for (const id of acceptances)
      this.#accept(id, (was) => (was === null ? null : { ...was, confirmedBy: person, confirmedAt }));
    this.append(at, "acceptance.confirmed", {});
  }
  async withdrawAcceptances({ acceptances, at }: Parameters<ApiStore["withdrawAcceptances"]>[0]) {
    for (const id of acceptances) this.#accept(id, () => null);
    this.append(at, "acceptance.withdrawn", {});
  }
  async acceptancesAskedBy(ids: readonly number[]) {
    return this.said.flatMap(({ id, acceptance }) =>
      acceptance !== null && ids.includes(id ?? -1) ? [acceptance.askedBy] : [],
    );
  }
  #accept(id: number, change: (was: StoredFinding["acceptance"]) => StoredFinding["acceptance"]): void {
    const index = this.said.findIndex((finding) => finding.id === id);
    const finding = this.said[index];
    if (finding === undefined) throw new CountersignError("NOT_FOUND", `expected a finding of the fleet, got ${id}`);
    this.said[index] = { ...finding, acceptance: change(finding.acceptance) };
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

export function memorySessions(): SessionStore & { readonly rows: Map<string, SessionRow> } {
  const rows = new Map<string, SessionRow>();
  return {
    rows,
    create: async (row) => void rows.set(row.idHash, row),
    find: async (idHash) => rows.get(idHash) ?? null,
    touch: async (idHash, usedAt) => {
      const row = rows.get(idHash);
      if (row !== undefined) rows.set(idHash, { ...row, usedAt });
    },
    end: async (idHash) => void rows.delete(idHash),
  };
}
