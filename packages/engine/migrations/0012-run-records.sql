-- The signed summary that each bundle carries. Only the executor has the key; it signs when a run closes and when
-- somebody asks, so that whoever exports a bundle needs no key.

-- The newest one of each run, and the log size it was made at.
create table cs.run_record (
  run_id text primary key references cs.run,
  size bigint not null check (size > 0),
  envelope bytea not null check (octet_length(envelope) <= 4194304)
);
-- A summary that somebody waits for; it is to cover at least the first size_min entries of the log.
create table cs.record_ask (
  run_id text primary key references cs.run,
  size_min bigint not null
);

insert into cs.permission (role, act) values ('cs_api', 'record_ask'), ('cs_executor', 'record');
set local role cs_log;
create function journal.size() returns bigint
language sql stable security definer set search_path = journal, pg_temp as $$ select size from log_state $$;
grant execute on function journal.size to cs_migrator;
reset role;

create function cs.ask_record(p_run text) returns bigint language plpgsql as $$
declare
  v_size bigint := journal.size();
begin
  insert into cs.record_ask as a (run_id, size_min) values (p_run, v_size)
    on conflict (run_id) do update set size_min = greatest(a.size_min, excluded.size_min);
  perform pg_notify('cs_record', p_run);
  return v_size;
end $$;

-- Asks for a summary of everything the log holds now; returns how many entries that is.
create function cs.record_ask(p_run text) returns bigint
language plpgsql security definer set search_path = cs, journal, pg_temp as $$
begin
  perform cs.must('record_ask');
  if not exists (select from run where id = p_run) then
    raise exception 'expected run %, got none', p_run using errcode = 'CS004';
  end if;
  return cs.ask_record(p_run);
end $$;

-- Keeps a summary unless a newer one is there; what asked for no more is answered.
create function cs.record_put(p_run text, p_size bigint, p_envelope bytea) returns void
language plpgsql security definer set search_path = cs, journal, pg_temp as $$
begin
  perform cs.must('record');
  insert into run_record as r (run_id, size, envelope) values (p_run, p_size, p_envelope)
    on conflict (run_id) do update set size = excluded.size, envelope = excluded.envelope where r.size <= excluded.size;
  delete from record_ask where run_id = p_run and size_min <= p_size;
end $$;

create function cs.on_run_closed() returns trigger
language plpgsql security definer set search_path = cs, journal, pg_temp as $$
begin
  perform cs.ask_record(new.id);
  return null;
end $$;
-- At commit the move's own entries are in the log, and its lock keeps others out until then.
create constraint trigger run_closed after update on cs.run deferrable initially deferred
  for each row when (cs.is_final(new.state) and not cs.is_final(old.state)) execute function cs.on_run_closed();

grant execute on function cs.record_ask to cs_api;
grant execute on function cs.record_put to cs_executor;
grant select on cs.run_record to cs_api;
grant select on cs.record_ask to cs_executor;
