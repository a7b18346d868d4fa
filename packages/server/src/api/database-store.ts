import type { Credential } from "@countersign/contract";
import {
  CountersignError,
  closedStates,
  fleetCodes,
  type InventoryRow,
  type RunState,
  runStates,
} from "@countersign/core";
import {
  type CredentialRow,
  type FleetFindingRow,
  type KeptCounts,
  type LedgerTarget,
  type RunRow,
  requestRun,
  type Store,
} from "@countersign/engine";
import { checkpointRef, digestOf, parseStatement, readCheckpointUnverified } from "@countersign/evidence";
import { z } from "zod";
import type { ApiStore, RunFilter, RunRecord, StoredFinding } from "./ports.ts";
import { channelView, deliveryView } from "./views/notices.ts";
import { failedScanView, hookEventView, reachViews, scanView } from "./views/outside.ts";
import { iso } from "./views/time.ts";

const openStates = runStates.filter((state) => !closedStates.has(state));
/** Sorts after every time. */
const never = "9999";
/** Where a page of the ledger ended. The database takes no NUL in a text. */
const text = z
  .string()
  .max(500)
  .refine((value) => !value.includes("\u0000"));
const Place = z.object({ expiresAt: z.int().nullable(), tenant: text, objectId: text, id: text });
const ChangeAt = z.object({
  at: z.int().min(0),
  tenant: text,
  entry: text,
  credential: text,
  act: z.enum(["added", "removed", "unreadable"]),
});
const FindingPlace = z.object({ rank: z.int().min(0).max(1_000), folded: text, id: z.int().min(0) });

/** A cursor comes back from outside: whatever is no place of ours is refused. */
function placeOf<T>(form: z.ZodType<T>, cursor: string): T {
  let read: unknown;
  try {
    read = JSON.parse(cursor);
  } catch {
    read = null;
  }
  const place = form.safeParse(read);
  if (!place.success)
    throw new CountersignError("INPUT_INVALID", "expected a cursor from an earlier answer, got something else");
  return place.data;
}
const countedMax = 1_000;

/**
 * {@link ApiStore} over our tables, as the login `cs_api`: what that login may not do, this cannot either. `counted`: what
 * counts the ledger, the store itself or one that keeps counts.
 */
export function databaseStore(
  store: Store,
  inventory: () => { readonly rows: readonly InventoryRow[] },
  counted: Pick<KeptCounts, "ledgerCounts"> = store,
): ApiStore {
  const runs = async ({ state, open, row, before, limit }: RunFilter): Promise<RunRecord[]> => {
    const states =
      state !== undefined ? [state] : open === undefined ? undefined : open ? openStates : [...closedStates];
    const found = await store.runs({
      limit,
      ...(states === undefined ? {} : { states }),
      ...(row === undefined ? {} : { targetKey: row }),
      ...(before === undefined ? {} : { after: { createdAt: before.requestedAt, id: before.id } }),
    });
    return found.map((run) => recordOf(run));
  };
  return {
    runs,
    async run(id) {
      const run = await store.run(id);
      if (run === null) return null;
      const later = run.state === "superseded" ? await store.runs({ targetKey: run.targetKey, limit: 50 }) : [];
      return { ...recordOf(run), replacedBy: later.find((other) => other.replaces === id)?.id ?? null };
    },
    async countRuns({ state, open, row }) {
      if (row !== undefined)
        return (
          await runs({
            row,
            limit: countedMax,
            ...(state === undefined ? {} : { state }),
            ...(open === undefined ? {} : { open }),
          })
        ).length;
      const counts = await store.runCounts();
      const counted: readonly RunState[] =
        state !== undefined ? [state] : open === undefined ? runStates : open ? openStates : [...closedStates];
      return counted.reduce((sum, name) => sum + (counts[name] ?? 0), 0);
    },
    async plan(digest) {
      const bytes = await store.plan(digest);
      return bytes === null ? null : new TextDecoder().decode(bytes);
    },
    async approvals(run, planDigest) {
      const found = (await store.approvals(run)).filter((approval) => approval.planDigest === planDigest);
      return found.map(({ person, role, decision, statementDigest, level, at, statement }) => ({
        person,
        role,
        decision,
        statementDigest,
        level,
        at,
        reasonDigest: statement === null ? null : parseStatement(statement).reasonDigest,
      }));
    },
    attachment: async (digest) => (await store.attachment(digest))?.bytes ?? null,
    async entries(from, limit) {
      return (await store.entries(from, limit)).map(({ idx, runId, entry }) => ({
        index: idx,
        run: runId,
        text: new TextDecoder().decode(entry),
      }));
    },
    async runEntries(run, fromSeq, limit) {
      const found = (await store.entriesOfRun(run)).slice(fromSeq, fromSeq + limit);
      return found.map(({ idx, runId, entry }) => ({ index: idx, run: runId, text: new TextDecoder().decode(entry) }));
    },
    logSize: async () => (await store.logState()).size,
    async checkpoint() {
      const newest = await store.checkpoint();
      if (newest === null) return null;
      // Signed by the executor, whose key this process does not need: whoever relies on it verifies it himself.
      const read = checkpointRef(readCheckpointUnverified(new TextEncoder().encode(newest.note)));
      return { ...read, note: newest.note };
    },
    async credentialsOf(rows, withRetired) {
      const naming = namesOf(rows);
      const found = await store.credentialsOf(targetsOf(rows), withRetired);
      return found
        .map((row) => credentialOf(row, naming))
        .filter(({ application }) => application !== null)
        .sort((a, b) => ((a.expiresAt ?? never) < (b.expiresAt ?? never) ? -1 : 1));
    },
    async ledger({ filter, now, after, limit }) {
      const { rows } = inventory();
      const view = { filter, now, managed: targetsOf(rows) };
      const [found, counts] = await Promise.all([
        store.ledger(view, { limit: limit + 1, ...(after === null ? {} : { after: placeOf(Place, after) }) }),
        counted.ledgerCounts(view),
      ]);
      const naming = namesOf(rows);
      const shown = found.slice(0, limit);
      const last = shown.at(-1);
      return {
        items: shown.map((row) => credentialOf(row, naming)),
        next: found.length > limit && last !== undefined ? JSON.stringify(Place.parse(last)) : null,
        counts,
      };
    },
    async expiryWeeks(now, weeks) {
      const { rows } = inventory();
      const naming = namesOf(rows);
      const found = await store.expiryWeeks({ now, managed: targetsOf(rows) }, weeks);
      return found.map(({ week, tenant, objectId, count }) => ({
        week,
        row: objectId === null ? null : (naming.objects.get(`${tenant} ${objectId}`) ?? null),
        count,
      }));
    },
    async fleetFindings({ filter, now, after, limit }) {
      const place = after === null ? {} : { after: placeOf(FindingPlace, after) };
      const within = { ...filter, found: await store.findingsFound(filter) };
      const [found, counts, unread] = await Promise.all([
        store.fleetFindings(within, { limit: limit + 1, now, ...place }),
        store.fleetFindingCounts(within, now),
        store.unread(),
      ]);
      const shown = found.slice(0, limit);
      const last = shown.at(-1);
      return {
        items: shown.map(findingOf),
        next: found.length > limit && last !== undefined ? JSON.stringify(FindingPlace.parse(last)) : null,
        counts,
        unread: unread.map(({ available, readAt, ...of }) => ({ ...of, refused: !available, readAt: iso(readAt) })),
      };
    },
    inventoryCompared: store.inventoryCompared,
    inventoryCounts: store.inventoryCounts,
    inventoryStandings: store.inventoryStandings,
    usesFound: store.usesFound,
    vaultReadings: store.vaultReadings,
    async unlisted(now) {
      const counts = (await store.fleetFindingCounts({}, now)).filter(
        ({ code, acceptance }) => code === "unmanaged" && acceptance !== "accepted",
      );
      return new Map(
        [...Map.groupBy(counts, ({ tenant }) => tenant)].map(([tenant, of]) => [
          tenant,
          of.reduce((sum, { count }) => sum + count, 0),
        ]),
      );
    },
    async auditChanges({ filter, after, limit }) {
      const place = after === null ? {} : { after: placeOf(ChangeAt, after) };
      const [found, counts] = await Promise.all([
        store.changeList(filter, { limit: limit + 1, ...place }),
        store.changeCounts(filter),
      ]);
      const items = found.slice(0, limit);
      const last = items.at(-1);
      const next = found.length > limit && last !== undefined ? JSON.stringify(ChangeAt.parse(last)) : null;
      return { items, next, counts };
    },
    auditChange: (of) => store.change(of),
    explainChange: ({ reason, ...of }) => store.changeExplain({ ...of, reason: reason.bytes }),
    lateScans: () => store.lateTenants(),
    failedScans: async (tenants) => (await store.scansFailed(tenants)).map(failedScanView),
    async freeze() {
      const frozen = (await store.frozen()).find((control) => control.scope === "all");
      return frozen === undefined ? null : { since: frozen.at, by: frozen.person };
    },
    undeliveredNotices: () => store.undelivered(),
    deliveries: async (of) => (await store.deliveries(of)).map(deliveryView),
    channels: async () => (await store.channels()).map(channelView),
    reaches: async () => reachViews(await store.reaches()),
    scans: async (limit) => (await store.scans(limit)).map(scanView),
    hookEvents: async (limit) => (await store.hookEvents(limit)).map(hookEventView),
    hookCounts: (since) => store.hookCounts(since),
    nextDue: () => store.nextDue(),
    lastScanAt: () => store.lastScanDone(),

    async request({ id, row, person, reason, at, compromised, named }) {
      const shared = { id, requester: person, reason: reason.bytes, at };
      const filed = await requestRun(
        store,
        row,
        compromised === null
          ? { ...shared, trigger: "manual", ...(named === null ? {} : { named }) }
          : { ...shared, trigger: "compromise", compromised },
      );
      // Two people, or one who clicks twice: the database takes one of the requests.
      if (filed !== id)
        throw new CountersignError("STATE_CONFLICT", `expected no open run of ${row.name}, ${filed} is open`);
    },
    async decide(decision) {
      const bytesOf = (kind: string) => {
        const found = decision.attachments.find((attachment) => attachment.kind === kind);
        if (found === undefined)
          throw new CountersignError("UNEXPECTED", `expected the decision to carry its ${kind}, got none`);
        return found.bytes;
      };
      // The reason first: the statement names its digest, and a decision must never name what is not there.
      if (decision.reasonDigest !== null) await store.attachmentPut(bytesOf("reason"), "reason", decision.at);
      await store.decide({
        run: decision.run,
        planDigest: decision.planDigest,
        person: decision.person,
        role: decision.role,
        decision: decision.decision,
        level: decision.level,
        statement: bytesOf("statement"),
        envelope: bytesOf("envelope"),
        at: decision.at,
        quorum: (earlier) => ({ complete: decision.isComplete(earlier), notBefore: decision.notBefore }),
      });
    },
    async breakGlass(run) {
      const use = await store.breakGlass(run);
      if (use === null) return null;
      const reasonOf = (statement: Uint8Array | null) =>
        statement === null ? null : parseStatement(statement).reasonDigest;
      return {
        run,
        person: use.person,
        role: use.role,
        at: use.at,
        reasonDigest: reasonOf(use.statement),
        confirmUntil: use.confirmUntil,
        confirmed:
          use.confirmedBy === null || use.confirmedAt === null
            ? null
            : {
                person: use.confirmedBy,
                role: use.confirmedRole ?? "",
                at: use.confirmedAt,
                reasonDigest: reasonOf(use.confirmedStatementBytes),
              },
        reviewUntil: use.reviewUntil,
        reviews: (await store.breakGlassReviews(run)).map(({ person, role, at, result, statement }) => ({
          person,
          role,
          at,
          result,
          reasonDigest: reasonOf(statement),
        })),
      };
    },
    async unreviewed() {
      // The newest first, so that the oldest of each stays.
      return new Map(
        (await store.breakGlassUses({ waiting: true })).map(({ targetKey, runId, person, at, reviewUntil }) => [
          targetKey,
          { run: runId, person, at, reviewUntil },
        ]),
      );
    },
    async sayOnUse({ word, reason, planDigest, notBefore, ...said }) {
      // The reason first: the statement names its digest, and a word must never name what is not there.
      if (reason !== null) await store.attachmentPut(reason.bytes, "reason", said.at);
      if (word === "break-glass") await store.breakGlassGrant({ ...said, planDigest, notBefore });
      else if (word === "confirm") await store.breakGlassConfirm(said);
      else await store.breakGlassReview({ ...said, result: word === "accept" ? "accepted" : "objected" });
      return digestOf(said.statement);
    },
    async closeWords(run) {
      return (await store.closeWords(run)).map(({ person, role, at, statementDigest, statement }) => {
        const signed = statement === null ? null : parseStatement(statement);
        const expiresAt = signed === null ? 0 : Date.parse(signed.expiresAt);
        return { person, role, at, statementDigest, expiresAt, reasonDigest: signed?.reasonDigest ?? null };
      });
    },
    async sayOnClose({ reason, ...said }) {
      if (reason !== null) await store.attachmentPut(reason.bytes, "reason", said.at);
      await store.closeSay(said);
      return digestOf(said.statement);
    },
    withdraw: ({ run, person, at }) => store.withdraw(run, person, at),
    // The executor tries again on `look-again` and goes on where it was held on `resume`.
    ask: ({ run, what, person, reason, at }) =>
      store.direct(
        run,
        what === "retry" ? "look-again" : what === "roll-forward" ? "resume" : what,
        person,
        at,
        reason.bytes,
      ),
    // Whoever is signed in with a session says so with that; a passkey would say more.
    confirm: (confirmation) => store.confirmStep({ ...confirmation, level: "session" }),
    async testChannel({ channel, person, at }) {
      const key = `test:${channel}:${at}`;
      const payload = { channel, only: channel, askedBy: person };
      await store.noticePut({ run: null, kind: "channel.test", channel: "operators", key, payload, notBefore: at, at });
    },
    askAcceptances: store.acceptanceAsk,
    confirmAcceptances: store.acceptanceConfirm,
    withdrawAcceptances: store.acceptanceWithdraw,
    acceptancesAskedBy: store.acceptancesAskedBy,
    setFreeze: ({ person, at }) => store.freeze("all", true, person, at),
    liftFreeze: ({ person, at }) => store.freeze("all", false, person, at),
  };
}

function recordOf(run: RunRow): RunRecord {
  const held = run.data.held as { code?: string; step?: string } | null | undefined;
  const approveUntil = run.data.approveUntil;
  return {
    id: run.id,
    row: run.targetKey,
    procedure: run.procedure.replace(/@\d+$/, ""),
    tenant: run.tenant,
    environment: run.environment,
    state: run.state,
    trigger: run.trigger,
    requester: run.requester,
    requestedAt: run.createdAt,
    changedAt: run.updatedAt,
    notBefore: run.notBefore,
    because: run.state === "held" && held?.code !== undefined ? { ...held, code: held.code } : null,
    planDigest: run.planDigest,
    approvalExpiresAt: run.state === "awaiting_approval" && typeof approveUntil === "number" ? approveUntil : null,
    asked: run.asked,
    replaces: run.replaces,
    replacedBy: null,
  };
}

/** Names of rows by what they list: an object of the directory, a role of a database. */
interface Naming {
  readonly objects: ReadonlyMap<string, string>;
  readonly roles: ReadonlyMap<string, string>;
}

function namesOf(rows: readonly InventoryRow[]): Naming {
  const objects = new Map<string, string>();
  const roles = new Map<string, string>();
  for (const row of rows) {
    if (row.procedure === "entra-client-secret") objects.set(`${row.tenant} ${row.objectId}`, row.name);
    else
      for (const role of row.roles)
        for (const place of [row.connection, row.name]) roles.set(`${place} ${role}`, row.name);
  }
  return { objects, roles };
}

function targetsOf(rows: readonly InventoryRow[]): LedgerTarget[] {
  return rows.flatMap((row) =>
    row.procedure === "entra-client-secret" ? [{ tenant: row.tenant, objectId: row.objectId }] : [],
  );
}

function findingOf(row: FleetFindingRow): StoredFinding {
  const time = (ms: number) => new Date(ms).toISOString();
  const orNull = (text: string) => (text === "" ? null : text);
  return {
    code: row.code,
    result: "warn",
    sentence: fleetCodes[row.code],
    observed: row.observed,
    required: row.required,
    application: row.rowName,
    run: null,
    at: time(row.firstSeen),
    tenant: row.tenant,
    environment: row.environment,
    name: orNull(row.name),
    objectId: orNull(row.objectId),
    appId: orNull(row.appId),
    credential: orNull(row.credential),
    firstSeenAt: time(row.firstSeen),
    lastSeenAt: time(row.lastSeen),
    clearedAt: row.clearedAt === null ? null : time(row.clearedAt),
    id: row.id,
    acceptance: acceptanceOf(row),
  };
}

function acceptanceOf(row: FleetFindingRow): StoredFinding["acceptance"] {
  const {
    acceptance: state,
    acceptanceId: id,
    askedBy,
    askedAt,
    reasonDigest,
    untilAt,
    confirmedBy,
    confirmedAt,
  } = row;
  if (state === "none" || id === null || askedBy === null || askedAt === null) return null;
  if (reasonDigest === null || untilAt === null) return null;
  const time = (ms: number) => new Date(ms).toISOString();
  const confirmed = { confirmedBy, confirmedAt: confirmedAt === null ? null : time(confirmedAt) };
  return { id, state, until: time(untilAt), askedBy, askedAt: time(askedAt), reasonDigest, ...confirmed };
}

function credentialOf(row: CredentialRow, { objects, roles }: Naming): Credential {
  const of =
    row.kind === "role" ? roles.get(`${row.application} ${row.id}`) : objects.get(`${row.tenant} ${row.objectId}`);
  const time = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
  return {
    application: of ?? null,
    name: row.application,
    tenant: row.tenant,
    objectId: row.objectId,
    appId: row.appId,
    id: row.id,
    kind: row.kind,
    state: row.goneAt === null ? row.state : "retired",
    startsAt: time(row.startsAt),
    expiresAt: time(row.expiresAt),
    run: row.runId,
    seenAt: time(row.seenAt),
  };
}
