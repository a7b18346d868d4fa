import { CountersignError } from "@countersign/core";
import type { Handler } from "../handler.ts";
import { waitsFor } from "../views/run.ts";
import { iso } from "../views/time.ts";
import { allApplications } from "./applications.ts";
import { allFindings } from "./findings.ts";

const runsMax = 1_000;

export const getStatus: Handler<"getStatus"> = async ({ api, person }) => {
  const { store } = api;
  const now = api.now();
  const [
    readiness,
    freeze,
    undelivered,
    channels,
    size,
    checkpoint,
    nextDue,
    lastScanAt,
    lateScans,
    failedScans,
    waiting,
    applications,
    findings,
  ] = await Promise.all([
    api.readiness(),
    store.freeze(),
    store.undeliveredNotices(),
    store.channels(),
    store.logSize(),
    store.checkpoint(),
    store.nextDue(),
    store.lastScanAt(),
    store.lateScans(),
    store.failedScans(api.outside.directories.map(({ name }) => name)),
    store.runs({ state: "awaiting_approval", limit: runsMax }),
    allApplications(api),
    allFindings(api),
  ]);
  const yours = await Promise.all(waiting.map((run) => waitsFor(store, run, person, now)));
  const open = await store.countRuns({ open: true });
  const { profile, clock, separation, build, origin } = api.installation;
  const { digest, policyDigest } = api.inventory();
  return {
    installation: { profile, clock, separation, build, origin },
    now: iso(now),
    clock: { kind: clock, advance: api.advance !== null, nextEventAt: iso(nextDue) },
    readiness: { mode: readiness.mode, reasons: readiness.reasons.map((reason) => ({ ...reason })) },
    freeze: freeze === null ? null : { since: iso(freeze.since), by: freeze.by },
    notices: { undelivered, channels: [...channels] },
    log: {
      size,
      checkpoint:
        checkpoint === null ? null : { origin: checkpoint.origin, size: checkpoint.size, root: checkpoint.root },
    },
    policyDigest,
    inventoryDigest: digest,
    counts: {
      applications: applications.length,
      expired: applications.filter((row) => row.expiresAt !== null && Date.parse(row.expiresAt) <= now).length,
      expiring: applications.filter(
        (row) =>
          row.expiresAt !== null &&
          Date.parse(row.expiresAt) > now &&
          Date.parse(row.expiresAt) - now <= 30 * 86_400_000,
      ).length,
      waitingForYou: yours.filter(Boolean).length,
      running: open,
      held: await store.countRuns({ state: "held" }),
      findings: findings.length,
    },
    lastScanAt: iso(lastScanAt),
    lateScans: [...lateScans],
    failedScans: [...failedScans],
  };
};

export const freeze: Handler<"freeze"> = async ({ api, person }) => {
  const at = api.now();
  await api.store.setFreeze({ person: person.person, at });
  return { since: iso(at), by: person.person };
};

export const liftFreeze: Handler<"liftFreeze"> = async ({ api, person }) => {
  await api.store.liftFreeze({ person: person.person, at: api.now() });
  return null;
};

export const scan: Handler<"scan"> = async ({ api, person }) => {
  await api.askScan(person.person);
  return { accepted: true };
};

export const advanceClock: Handler<"advanceClock"> = async ({ api, body }) => {
  if (api.advance === null)
    throw new CountersignError("NOT_FOUND", "expected a virtual clock, this installation has the system's");
  if (body.by !== "next") return { now: iso(await api.advance(body.by)) };
  const next = await api.store.nextDue();
  if (next === null)
    throw new CountersignError("STATE_CONFLICT", "expected something that waits for a time, nothing does");
  return { now: iso(await api.advance(Math.max(1, Math.ceil((next - api.now()) / 1_000)))) };
};
