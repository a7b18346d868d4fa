import { ENTRY_DATA, type EntryType, type Json, RUN_STATES } from "@countersign/evidence";
import { z } from "zod";
import { row } from "./sql.ts";

const time = z.int().nonnegative();
const json = z.custom<Json>(() => true);
const facts = z.record(z.string(), json);
const bytes = z.instanceof(Uint8Array);
const digest = z.string();

/** A run's states, in the words of evidence. */
export const RunState = z.enum(RUN_STATES);
export type RunState = z.infer<typeof RunState>;

/** A person's newest word that the executor has not answered; `directives` names person and reason. */
export const Asked = z.enum(["roll-back", "hold", "resume", "look-again"]).nullable();

/** The row of a run. Times are domain milliseconds. */
export const RunRow = row({
  id: z.string(),
  tenant: z.string(),
  environment: z.string(),
  targetKey: z.string(),
  target: z.record(z.string(), z.string()),
  procedure: z.string(),
  trigger: z.enum(["due", "event", "compromise", "leaver", "policy", "manual"]),
  requester: z.string(),
  reasonDigest: digest.nullable(),
  state: RunState,
  /** The only counter; bumped by every claim and every move. */
  fence: z.int(),
  notBefore: time.nullable(),
  worker: z.string().nullable(),
  /** Claims since the last move. */
  attempts: z.int(),
  planDigest: digest.nullable(),
  policyDigest: digest.nullable(),
  /** Small working data of the executor. */
  data: facts,
  asked: Asked,
  replaces: z.string().nullable(),
  createdAt: time,
  updatedAt: time,
});
export type RunRow = z.output<typeof RunRow>;

/** A run that was just claimed, and from whom when it was taken over. */
export const ClaimedRun = row({
  run: RunRow,
  previousWorker: z.string().nullable(),
  /** null: it was free. false: its holder is silent, but may still be alive. */
  provenDead: z.boolean().nullable(),
  /** Since the holder's last accepted beat, real milliseconds. */
  silentMs: z.int().nullable(),
});
export type ClaimedRun = z.output<typeof ClaimedRun>;

/** One journaled attempt of a step. */
export const StepRow = row({
  runId: z.string(),
  step: z.string(),
  direction: z.enum(["do", "undo", "discard"]),
  attempt: z.int(),
  seq: z.int(),
  verb: z.string(),
  call: z.string(),
  fence: z.int(),
  nonce: z.string(),
  /** Facts committed with the intent. */
  intent: facts,
  intentAt: time,
  outcome: z.enum(["done", "failed", "unknown"]).nullable(),
  outcomeData: z
    .object({
      error: z.object({ code: z.string(), status: z.int().optional() }).nullable(),
      facts,
      objectIds: facts,
      requestIds: z.array(z.string()),
      verified: z.enum(["accepted", "metadata-changed", "value-matched", "used"]).nullable(),
    })
    .nullable(),
  outcomeAt: time.nullable(),
  resolvedAt: time.nullable(),
});
export type StepRow = z.output<typeof StepRow>;

/** A person's decision with the bytes that prove it (null once erased). */
export const ApprovalRow = row({
  runId: z.string(),
  person: z.string(),
  planDigest: digest,
  role: z.string(),
  decision: z.enum(["approve", "reject"]),
  level: z.enum(["session", "idp", "passkey"]),
  statementDigest: digest,
  evidenceDigest: digest,
  statement: bytes.nullable(),
  envelope: bytes.nullable(),
  at: time,
});
export type ApprovalRow = z.output<typeof ApprovalRow>;

/** A person's word that a step was done by hand; it stands until it is withdrawn. */
export const ConfirmationRow = row({
  runId: z.string(),
  step: z.string(),
  direction: z.enum(["do", "undo"]),
  person: z.string(),
  level: z.enum(["session", "idp", "passkey"]),
  at: time,
  withdrawnAt: time.nullable(),
});
export type ConfirmationRow = z.output<typeof ConfirmationRow>;

/** A run that one person started alone, with the bytes that prove it (null once erased). */
export const BreakGlassRow = row({
  runId: z.string(),
  targetKey: z.string(),
  planDigest: digest,
  person: z.string(),
  role: z.string(),
  level: z.enum(["session", "idp", "passkey"]),
  statementDigest: digest,
  evidenceDigest: digest,
  at: time,
  confirmUntil: time,
  reviewUntil: time,
  confirmedBy: z.string().nullable(),
  confirmedRole: z.string().nullable(),
  confirmedStatement: digest.nullable(),
  confirmedAt: time.nullable(),
  statement: bytes.nullable(),
  envelope: bytes.nullable(),
  confirmedStatementBytes: bytes.nullable(),
  confirmedEnvelopeBytes: bytes.nullable(),
});
export type BreakGlassRow = z.output<typeof BreakGlassRow>;

/** What somebody else said of a break-glass use. */
export const ReviewRow = row({
  runId: z.string(),
  person: z.string(),
  role: z.string(),
  result: z.enum(["accepted", "objected"]),
  statementDigest: digest,
  at: time,
  statement: bytes.nullable(),
  envelope: bytes.nullable(),
});
export type ReviewRow = z.output<typeof ReviewRow>;

export const FindingRow = row({
  id: z.int(),
  runId: z.string().nullable(),
  scanId: z.string().nullable(),
  code: z.string(),
  result: z.enum(["pass", "warn", "block"]),
  observed: json,
  required: json,
  target: facts,
  at: time,
});
export type FindingRow = z.output<typeof FindingRow>;

export const DirectiveRow = row({
  id: z.int(),
  runId: z.string(),
  kind: z.enum(["roll-back", "hold", "resume", "look-again"]),
  person: z.string(),
  reasonDigest: digest.nullable(),
  at: time,
  takenAt: time.nullable(),
});
export type DirectiveRow = z.output<typeof DirectiveRow>;

export const LockRow = row({ key: z.string(), runId: z.string(), held: z.enum(["run", "effects"]) });
export type LockRow = z.output<typeof LockRow>;

const marker = z.object({ run: z.string(), attempt: z.int(), nonce: z.string() });

export const credentialKinds = ["client-secret", "certificate", "role"] as const;
export const credentialStates = [
  "ours-active",
  "ours-retiring",
  "ours-unpublished",
  "foreign",
  "orphan",
  "unknown",
] as const;

export const CredentialRow = row({
  tenant: z.string(),
  objectId: z.string(),
  id: z.string(),
  appId: z.string(),
  application: z.string(),
  kind: z.enum(credentialKinds),
  state: z.enum(credentialStates),
  runId: z.string().nullable(),
  marker: marker.nullable(),
  startsAt: time.nullable(),
  expiresAt: time.nullable(),
  seenAt: time,
  goneAt: time.nullable(),
});
export type CredentialRow = z.output<typeof CredentialRow>;

/** A process of the product. Its times are real, of the database. */
export const WorkerRow = row({
  id: z.string(),
  role: z.string(),
  host: z.string(),
  bootId: z.string(),
  pid: z.int(),
  pidStarted: z.string(),
  startedAt: z.date(),
  beatAt: z.date(),
  goneAt: z.date().nullable(),
  goneAs: z.enum(["stopped", "proven", "lease"]).nullable(),
  refusedAt: z.date().nullable(),
});
export type WorkerRow = z.output<typeof WorkerRow>;

/** What happened and people are to hear of; see {@link DeliveryRow} for how. */
export const NoticeRow = row({
  id: z.int(),
  runId: z.string().nullable(),
  kind: z.string(),
  channel: z.string(),
  key: z.string(),
  payload: facts,
  /** What is told, fixed when the notice was routed. */
  facts: facts.nullable().default(null),
  state: z.enum(["due", "routed", "sent", "failed", "void"]),
  /** Times that routing it failed. */
  attempts: z.int(),
  notBefore: time,
  createdAt: time,
  updatedAt: time,
});
export type NoticeRow = z.output<typeof NoticeRow>;

/** A notice on its way over one channel to one recipient. */
export const DeliveryRow = row({
  id: z.int(),
  noticeId: z.int(),
  channel: z.string(),
  /** Opaque id of a person, `to-<n>` for an address of the configuration, or empty. */
  recipient: z.string(),
  ticketId: z.int().nullable(),
  state: z.enum(["due", "bundled", "digested", "sent", "failed"]),
  digestId: z.int().nullable(),
  attempts: z.int(),
  notBefore: time,
  code: z.string().nullable(),
  status: z.int().nullable(),
  createdAt: time,
  updatedAt: time,
});
export type DeliveryRow = z.output<typeof DeliveryRow>;

/** A word about closing a held run as it stands; statement and envelope are null once erased. */
export const CloseWordRow = row({
  runId: z.string(),
  kind: z.enum(["asked", "confirmed"]),
  person: z.string(),
  role: z.string(),
  at: time,
  statementDigest: digest,
  remainsDigest: digest,
  statement: bytes.nullable(),
  envelope: bytes.nullable(),
});
export type CloseWordRow = z.output<typeof CloseWordRow>;

/** One matter in one ticket system; the row is there before the ticket is. */
export const TicketRow = row({
  id: z.int(),
  channel: z.string(),
  targetKey: z.string(),
  /** Correlation key: what the ticket is found by. */
  key: z.string(),
  runId: z.string(),
  /** What people call the ticket before it, which was closed by hand. */
  follows: z.string().nullable(),
  noticeId: z.int(),
  /** `left`: somebody closed it by hand. */
  state: z.enum(["wanted", "open", "closed", "left"]),
  intents: z.int(),
  intentAt: time.nullable(),
  externalId: z.string().nullable(),
  externalKey: z.string().nullable(),
  url: z.string().nullable(),
  createdAt: time,
  updatedAt: time,
});
export type TicketRow = z.output<typeof TicketRow>;

/** A channel of the configuration and how it fares. */
export const ChannelRow = row({
  name: z.string(),
  kind: z.string(),
  configured: z.boolean(),
  failures: z.int(),
  failingSince: time.nullable(),
  /** When the other channels were told that it is dead. */
  reportedAt: time.nullable(),
  pausedUntil: time.nullable(),
  lastSentAt: time.nullable(),
  lastFailedAt: time.nullable(),
  lastCode: z.string().nullable(),
  lastStatus: z.int().nullable(),
});
export type ChannelRow = z.output<typeof ChannelRow>;

/** `full`: a whole listing; `delta`: what has changed since; `details`: what a second pass reads of each. */
export const scanKind = z.enum(["full", "delta", "details"]);

export const ScanRow = row({
  id: z.string(),
  tenant: z.string(),
  kind: scanKind,
  dueAt: time,
  state: z.enum(["running", "done", "failed"]),
  worker: z.string(),
  attempts: z.int(),
  startedAt: time,
  finishedAt: time.nullable(),
  applications: z.int().nullable(),
  findings: z.int().nullable(),
  /** Why it failed, as a code; kept while it is tried again. */
  error: z.string().nullable(),
});
export type ScanRow = z.output<typeof ScanRow>;

export const PersonRow = row({
  id: z.string(),
  iss: z.string().nullable(),
  sub: z.string().nullable(),
  name: z.string().nullable(),
  email: z.string().nullable(),
  erasedAt: time.nullable(),
});
export type PersonRow = z.output<typeof PersonRow>;

export const AttachmentRow = row({
  digest,
  kind: z.string(),
  bytes: bytes.nullable(),
  storedAt: time,
  erasedAt: time.nullable(),
  erasedBy: z.string().nullable(),
});
export type AttachmentRow = z.output<typeof AttachmentRow>;

export const SessionRow = row({ person: z.string(), data: facts, createdAt: time, expiresAt: time });
export type SessionRow = z.output<typeof SessionRow>;

export const ControlRow = row({ scope: z.string(), frozen: z.boolean(), person: z.string(), at: time });
export type ControlRow = z.output<typeof ControlRow>;

/** One entry of the log: its index and the exact bytes that were hashed. */
export const LogEntryRow = row({
  idx: z.int(),
  leafHash: bytes,
  runId: z.string().nullable(),
  runSeq: z.int().nullable(),
  type: z.enum(Object.keys(ENTRY_DATA) as [EntryType, ...EntryType[]]),
  entry: bytes,
});
export type LogEntryRow = z.output<typeof LogEntryRow>;

export const CheckpointRow = row({ size: z.int(), note: z.string() });
export type CheckpointRow = z.output<typeof CheckpointRow>;

/** A signed summary of a run as of a log size. */
export const RunRecordRow = row({ size: z.int(), envelope: z.instanceof(Uint8Array) });
export type RunRecordRow = z.output<typeof RunRecordRow>;
