-- The truth about runs and credentials. Domain times (from the Clock) are bigint milliseconds and only ever compared with
-- parameters; real times (liveness) are timestamptz and only ever compared with clock_timestamp(). The types keep them apart.
alter default privileges revoke execute on functions from public;

create table cs.person (
  id text primary key check (id ~ '^p_[0-9a-f]{16}$'),
  iss text, sub text, name text, email text,
  erased_at bigint,
  unique (iss, sub)
);

-- What may be personal, by digest; an erased one keeps its row.
create table cs.attachment (
  digest text primary key check (digest ~ '^sha256:[0-9a-f]{64}$'),
  kind text not null check (kind ~ '^[a-z-]{1,40}$'),
  bytes bytea check (octet_length(bytes) <= 4194304),
  stored_at bigint not null,
  erased_at bigint,
  erased_by text
);

create table cs.run (
  id text primary key check (id ~ '^run_[0-9a-hjkmnp-tv-z]{26}$'),
  tenant text not null check (octet_length(tenant) between 1 and 200),
  environment text not null check (octet_length(environment) between 1 and 200),
  -- The application or database whose credential is rotated; one open run each, unless an emergency supersedes.
  target_key text not null check (octet_length(target_key) between 1 and 500),
  target jsonb not null,
  procedure text not null check (procedure ~ '^[a-z][a-z0-9-]{0,90}@[1-9][0-9]{0,3}$'),
  trigger text not null check (trigger in ('due', 'event', 'compromise', 'leaver', 'policy', 'manual')),
  requester text not null check (requester ~ '^(p_[0-9a-f]{16}|system:[a-z][a-z-]{0,30})$'),
  reason_digest text,
  state text not null check (state in ('requested', 'blocked', 'planned', 'awaiting_approval', 'approved', 'scheduled',
    'executing', 'overlapping', 'retiring', 'completed', 'held', 'rolling_back', 'rolled_back', 'rejected', 'expired',
    'withdrawn', 'superseded')),
  -- The only counter: bumped by every claim and every move.
  fence bigint not null,
  not_before bigint,
  worker uuid,
  -- Claims since the last move.
  attempts integer not null,
  plan_digest text,
  policy_digest text,
  -- Small working data of the executor.
  data jsonb not null check (octet_length(data::text) <= 16384),
  -- A person's newest word that the executor has not answered.
  asked text check (asked in ('roll-back', 'hold', 'resume', 'look-again')),
  replaces text,
  created_at bigint not null,
  updated_at bigint not null
) with (fillfactor = 70);
create index run_due on cs.run (tenant, not_before, id) where worker is null and not_before is not null;
create index run_next on cs.run (not_before) where worker is null and not_before is not null;
create index run_held on cs.run (worker, tenant) where worker is not null;
create index run_held_tenant on cs.run (tenant) where worker is not null;
create index run_listed on cs.run (created_at desc, id desc);
create index run_by_state on cs.run (state, created_at desc, id desc);
create index run_by_target on cs.run (target_key, created_at desc);

create table cs.run_lock (
  key text primary key check (octet_length(key) between 1 and 500),
  run_id text not null references cs.run,
  held text not null check (held in ('run', 'effects'))
);
create index run_lock_run on cs.run_lock (run_id);

create table cs.plan (
  digest text primary key check (digest ~ '^sha256:[0-9a-f]{64}$'),
  run_id text not null references cs.run,
  body bytea not null check (octet_length(body) <= 1048576),
  frozen_at bigint not null
);

create table cs.finding (
  id bigint generated always as identity primary key,
  run_id text references cs.run,
  scan_id text,
  code text not null,
  result text not null check (result in ('pass', 'warn', 'block')),
  observed text, required text,
  target jsonb not null,
  at bigint not null
);
create index finding_run on cs.finding (run_id, id);
create index finding_scan on cs.finding (scan_id, id);

-- One decision per person and run. Statement and envelope are attachments.
create table cs.approval (
  run_id text not null references cs.run,
  person text not null,
  plan_digest text not null,
  role text not null,
  decision text not null check (decision in ('approve', 'reject')),
  level text not null check (level in ('session', 'idp', 'passkey')),
  statement_digest text not null references cs.attachment,
  evidence_digest text not null references cs.attachment,
  at bigint not null,
  primary key (run_id, person)
);

-- A person's word to the executor about a run it works on; the executor decides what follows.
create table cs.directive (
  id bigint generated always as identity primary key,
  run_id text not null references cs.run,
  kind text not null check (kind in ('roll-back', 'hold', 'resume', 'look-again')),
  person text not null,
  reason_digest text,
  at bigint not null,
  taken_at bigint
);
create index directive_open on cs.directive (run_id, id) where taken_at is null;

-- The step journal: intent before, outcome after. `seq` gives the order of intents.
create table cs.step (
  run_id text not null references cs.run,
  step text not null check (octet_length(step) between 1 and 100),
  direction text not null check (direction in ('do', 'undo', 'discard')),
  attempt integer not null check (attempt >= 1),
  seq bigint generated always as identity,
  verb text not null,
  call text not null,
  fence bigint not null,
  nonce text not null check (nonce ~ '^[0-9a-f]{32}$'),
  intent jsonb not null,
  intent_at bigint not null,
  outcome text check (outcome in ('done', 'failed', 'unknown')),
  outcome_data jsonb,
  outcome_at bigint,
  resolved_at bigint,
  primary key (run_id, step, direction, attempt)
);
create unique index step_nonce on cs.step (nonce, direction);
create index step_unresolved on cs.step (outcome_at) where outcome = 'unknown' and resolved_at is null;

create table cs.credential (
  tenant text not null,
  object_id text not null,
  id text not null,
  app_id text not null,
  application text not null,
  kind text not null,
  state text not null check (state in ('ours-active', 'ours-retiring', 'ours-unpublished', 'foreign', 'orphan', 'unknown')),
  run_id text,
  marker jsonb,
  starts_at bigint,
  expires_at bigint,
  seen_at bigint not null,
  gone_at bigint,
  primary key (tenant, object_id, id)
) with (fillfactor = 80);
-- The ledger's order: soonest expiry first, none last; the number is 2^53-1.
create index credential_expiry on cs.credential (coalesce(expires_at, 9007199254740991), tenant, object_id, id);
create index credential_expiry_tenant on cs.credential (tenant, coalesce(expires_at, 9007199254740991), object_id, id);
create index credential_state on cs.credential (state, tenant, object_id, id) where gone_at is null;
create index credential_run on cs.credential (run_id) where run_id is not null;

create table cs.worker (
  id uuid primary key,
  role text not null,
  host text not null,
  boot_id text not null,
  pid integer not null,
  pid_started text not null,
  started_at timestamptz not null,
  beat_at timestamptz not null,
  -- Set once; a worker that is gone never comes back. `lease`: silent, but not shown to be dead.
  gone_at timestamptz,
  gone_as text check (gone_as in ('stopped', 'proven', 'lease')),
  -- When a beat of a worker that is gone was refused: from then on it knows.
  refused_at timestamptz
);
create index worker_live on cs.worker (beat_at) where gone_at is null;

create table cs.notice (
  id bigint generated always as identity primary key,
  run_id text references cs.run,
  kind text not null,
  channel text not null,
  key text not null unique,
  payload jsonb not null check (octet_length(payload::text) <= 65536),
  state text not null check (state in ('due', 'sent', 'failed')),
  attempts integer not null,
  not_before bigint not null,
  created_at bigint not null,
  updated_at bigint not null
);
create index notice_due on cs.notice (not_before) where state = 'due';

create table cs.scan (
  id text primary key,
  tenant text not null,
  due_at bigint not null,
  state text not null check (state in ('running', 'done', 'failed')),
  worker uuid not null,
  attempts integer not null,
  started_at bigint not null,
  finished_at bigint,
  applications integer,
  findings integer,
  unique (tenant, due_at)
);

create table cs.session (
  hash bytea primary key check (octet_length(hash) = 32),
  person text not null,
  data jsonb not null check (octet_length(data::text) <= 16384),
  created_at bigint not null,
  expires_at bigint not null
);

-- Scope `all` or `tenant:<name>`.
create table cs.control (
  scope text primary key,
  frozen boolean not null,
  person text not null,
  at bigint not null
);
