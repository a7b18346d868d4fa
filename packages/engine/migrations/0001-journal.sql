-- The evidence log. Everything here belongs to cs_log, a role nobody logs in as; entries are made by journal.append only.
create schema journal authorization cs_log;
set local role cs_log;
alter default privileges for role cs_log revoke execute on functions from public;

-- Which login may write which type of entry. `direct`: also through cs.append; else only by the function that makes the
-- state change of which the entry tells.
create table journal.may (
  role name not null,
  type text not null,
  direct boolean not null,
  primary key (role, type)
);

insert into journal.may (role, type, direct) values
  ('cs_api', 'approval.given', false), ('cs_api', 'attachment.erased', false), ('cs_api', 'run.closed', false),
  ('cs_api', 'run.moved', false), ('cs_api', 'run.requested', false),
  ('cs_api', 'service.started', true), ('cs_api', 'service.stopped', true),
  ('cs_scanner', 'run.requested', false), ('cs_scanner', 'scan.completed', false),
  ('cs_scanner', 'service.started', true), ('cs_scanner', 'service.stopped', true),
  ('cs_notifier', 'notice.sent', false),
  ('cs_notifier', 'service.started', true), ('cs_notifier', 'service.stopped', true),
  ('cs_executor', 'approval.voided', true), ('cs_executor', 'gate.checked', true),
  ('cs_executor', 'inventory.accepted', true), ('cs_executor', 'log.genesis', true),
  ('cs_executor', 'plan.frozen', true), ('cs_executor', 'policy.activated', true),
  ('cs_executor', 'recovery.started', true), ('cs_executor', 'run.authorised', true),
  ('cs_executor', 'run.closed', false), ('cs_executor', 'run.moved', false),
  ('cs_executor', 'run.requested', false), ('cs_executor', 'run.validated', true),
  ('cs_executor', 'service.started', true), ('cs_executor', 'service.stopped', true),
  ('cs_executor', 'step.intent', false), ('cs_executor', 'step.outcome', false),
  ('cs_executor', 'sweep.intent', true), ('cs_executor', 'sweep.outcome', true);

-- One row: how many entries there are and the roots of the perfect subtrees that cover them, 32 bytes each, largest first.
create table journal.log_state (
  id smallint primary key check (id = 1),
  size bigint not null check (size >= 0),
  frontier bytea not null
) with (fillfactor = 20);
insert into journal.log_state values (1, 0, '');

create table journal.log_entry (
  idx bigint primary key,
  leaf_hash bytea not null,
  run_id text,
  run_seq integer,
  type text not null,
  entry bytea not null,
  unique (run_id, run_seq)
);

-- Head of each run's own chain; a closed chain takes no further entry.
create table journal.log_chain (
  run_id text primary key,
  next_seq integer not null,
  head bytea not null,
  closed boolean not null
) with (fillfactor = 50);

create table journal.log_checkpoint (
  size bigint primary key check (size > 0),
  note text not null,
  stored_at timestamptz not null default clock_timestamp()
);

-- RFC 8785 restricted to ASCII keys and safe integers. jsonb drops duplicate keys and white space, so text that differs
-- from this in any byte was not canonical.
create function journal.canonical(p_value jsonb) returns text language plpgsql immutable as $$
declare
  v_text text;
begin
  case jsonb_typeof(p_value)
  when 'object' then
    if exists (select from jsonb_object_keys(p_value) k where k collate "C" !~ '^[\x20\x21\x23-\x5b\x5d-\x7e]{1,128}$') then
      raise exception 'expected printable ASCII keys in an entry' using errcode = '22023';
    end if;
    select string_agg(to_json(e.key)::text || ':' || journal.canonical(e.value), ',' order by e.key collate "C")
      into v_text from jsonb_each(p_value) e;
    return '{' || coalesce(v_text, '') || '}';
  when 'array' then
    select string_agg(journal.canonical(e.value), ',' order by e.ordinality)
      into v_text from jsonb_array_elements(p_value) with ordinality e;
    return '[' || coalesce(v_text, '') || ']';
  when 'number' then
    if p_value::text !~ '^(0|-?[1-9][0-9]{0,15})$' or abs(p_value::text::bigint) > 9007199254740991 then
      raise exception 'expected a safe integer in an entry, got another number' using errcode = '22023';
    end if;
    return p_value::text;
  else
    return p_value::text;
  end case;
end $$;

-- RFC 3339, UTC, milliseconds.
create function journal.time_text(p_at bigint) returns text language sql immutable as $$
  select to_char(timestamp 'epoch' + (p_at / 1000) * interval '1 second' + (p_at % 1000) * interval '1 millisecond',
    'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

-- 128 random bits, base64url. A version 4 UUID has 122 random bits, so two are folded.
create function journal.salt() returns text language sql volatile as $$
  select translate(rtrim(encode(substr(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 1, 16),
    'base64'), '='), '+/', '-_')
$$;

-- Appends one entry in the caller's transaction and returns its index. The row lock on log_state orders all writers until
-- they commit: callers append last. p_data: canonical JSON object. p_at: domain time in milliseconds.
create function journal.append(p_run text, p_type text, p_data text, p_at bigint) returns bigint
language plpgsql security definer set search_path = journal, pg_temp as $$
declare
  v_size bigint;
  v_frontier bytea;
  v_seq integer := 0;
  v_head bytea;
  v_closed boolean;
  v_entry bytea;
  v_hash bytea;
  v_rest bigint;
begin
  if not exists (select from may where role = session_user and type = p_type) then
    raise exception 'expected a login that may write %, got %', p_type, session_user using errcode = '42501';
  end if;
  if p_run !~ '^run_[0-9a-hjkmnp-tv-z]{26}$' or p_at is null or p_at < 0 then
    raise exception 'expected a run id and a time' using errcode = '22023';
  end if;
  if octet_length(p_data) > 65000 then
    raise exception 'expected an entry of at most 65000 bytes of data, got %', octet_length(p_data) using errcode = 'CS006';
  end if;
  if left(p_data, 1) is distinct from '{' or p_data is distinct from canonical(p_data::jsonb) then
    raise exception 'expected canonical data in a % entry', p_type using errcode = '22023';
  end if;

  select size, frontier into strict v_size, v_frontier from log_state where id = 1 for update;
  if p_type = 'log.genesis' and v_size <> 0 then
    raise exception 'expected log.genesis as the first entry, got it at index %', v_size using errcode = 'CS003';
  end if;
  if p_run is not null then
    select next_seq, head, closed into v_seq, v_head, v_closed from log_chain where run_id = p_run;
    v_seq := coalesce(v_seq, 0);
    if v_closed then
      raise exception 'expected an open run, got % which is closed', p_run using errcode = 'CS003';
    end if;
  end if;

  v_entry := convert_to('{"at":"' || time_text(p_at) || '","data":' || p_data
    || ',"prevRunLeaf":' || coalesce('"' || encode(v_head, 'hex') || '"', 'null')
    || ',"run":' || coalesce('"' || p_run || '"', 'null')
    || ',"runSeq":' || case when p_run is null then 'null' else v_seq::text end
    || ',"salt":"' || salt() || '","type":"' || p_type || '","v":1}', 'UTF8');
  v_hash := sha256('\x00'::bytea || v_entry);
  insert into log_entry values (v_size, v_hash, p_run, case when p_run is not null then v_seq end, p_type, v_entry);
  if p_run is not null then
    insert into log_chain values (p_run, v_seq + 1, v_hash, p_type = 'run.closed')
      on conflict (run_id) do update set next_seq = excluded.next_seq, head = excluded.head, closed = excluded.closed;
  end if;

  v_rest := v_size;
  while v_rest & 1 = 1 loop
    v_hash := sha256('\x01'::bytea || substr(v_frontier, length(v_frontier) - 31) || v_hash);
    v_frontier := substr(v_frontier, 1, length(v_frontier) - 32);
    v_rest := v_rest >> 1;
  end loop;
  update log_state set size = v_size + 1, frontier = v_frontier || v_hash where id = 1;
  return v_size;
end $$;

-- Stores a signed checkpoint; sizes only grow and never pass the log.
create function journal.checkpoint_store(p_size bigint, p_note text) returns void
language plpgsql security definer set search_path = journal, pg_temp as $$
begin
  if session_user <> 'cs_executor' then
    raise exception 'expected the executor to store a checkpoint, got %', session_user using errcode = '42501';
  end if;
  if p_size > (select size from log_state) or octet_length(p_note) > 8192 then
    raise exception 'expected a checkpoint within the log' using errcode = '22023';
  end if;
  if p_size <= (select coalesce(max(size), 0) from log_checkpoint) then
    raise exception 'expected a checkpoint beyond the last one' using errcode = 'CS005';
  end if;
  insert into log_checkpoint (size, note) values (p_size, p_note);
end $$;

-- How many entries a run has so far.
create function journal.run_length(p_run text) returns integer
language sql stable security definer set search_path = journal, pg_temp as $$
  select coalesce((select next_seq from log_chain where run_id = p_run), 0)
$$;

create function journal.may_direct(p_type text) returns boolean
language sql stable security definer set search_path = journal, pg_temp as $$
  select exists (select from may where role = session_user and type = p_type and direct)
$$;

create function journal.is_closed(p_run text) returns boolean
language sql stable security definer set search_path = journal, pg_temp as $$
  select coalesce((select closed from log_chain where run_id = p_run), false)
$$;

-- cs_migrator owns the functions of schema cs, which append in the name of the login that called them.
grant usage on schema journal to cs_migrator, cs_api, cs_executor;
grant execute on function journal.append, journal.run_length, journal.may_direct, journal.is_closed to cs_migrator;
grant execute on function journal.checkpoint_store to cs_executor;
grant select on journal.log_state, journal.log_entry, journal.log_checkpoint to cs_api, cs_executor;
reset role;
