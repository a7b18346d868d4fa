-- Everything of a period, for whoever doubts that it is everything: each change of a credential names the entry of the log that
-- has counted it, so that none can be left out of a list later.

alter table cs.audit_change
  -- Index in the log of the audit.read that counted it; null: none has yet.
  add column read_in bigint;
create index audit_change_read_in on cs.audit_change (read_in);
create index audit_change_uncounted on cs.audit_change (tenant) where read_in is null;

-- What was read before this: counted by the first look at that tenant's log that had ended since.
set local role cs_log;
create function journal.looks() returns table (idx bigint, tenant text, at bigint)
language sql stable security definer set search_path = journal, pg_temp as $$
  select idx, e -> 'data' ->> 'tenant', (extract(epoch from (e ->> 'at')::timestamptz) * 1000)::bigint
  from (select idx, convert_from(entry, 'UTF8')::jsonb as e from log_entry where type = 'audit.read') r
$$;
-- Index of the first entry after an instant; null: there is none. Each begins with its time.
create function journal.first_after(p_time text) returns bigint
language sql stable security definer set search_path = journal, pg_temp as $$
  select min(idx) from log_entry where convert_from(substring(entry from 8 for 24), 'UTF8') > p_time
$$;
grant execute on function journal.looks to cs_migrator;
grant execute on function journal.first_after to cs_api;
insert into journal.may (role, type, direct) values ('cs_api', 'population.exported', false);
reset role;
update cs.audit_change a set read_in = (
  select min(l.idx) from journal.looks() l where l.tenant = a.tenant and l.at >= a.read_at);
set local role cs_log;
drop function journal.looks;
reset role;

-- As in 0024, and: the entry counts what no other has counted, also what a look that came to nothing had read.
create or replace function cs.audit_end(
  p_tenant text, p_worker uuid, p_read boolean, p_deep boolean, p_late_ms bigint, p_data text, p_at bigint
) returns void language plpgsql security definer set search_path = cs, journal, pg_temp as $$
declare
  v_poll cs.audit_poll%rowtype;
  v_index bigint;
  v_count bigint;
begin
  perform cs.must('audit');
  v_poll := cs.audit_own(p_tenant, p_worker);
  delete from audit_poll where tenant = p_tenant;
  insert into audit_source as s (tenant, read_at, deep_at, refused_at)
    values (p_tenant, case when p_read then p_at end, case when p_read and p_deep then p_at end, case when not p_read then p_at end)
    on conflict (tenant) do update set read_at = coalesce(excluded.read_at, s.read_at),
      deep_at = coalesce(excluded.deep_at, s.deep_at),
      refused_at = case when p_read then null else coalesce(s.refused_at, excluded.refused_at) end;
  if p_read then
    perform cs.audit_cover(p_tenant, false, v_poll.from_at, v_poll.to_at);
    perform cs.audit_cover(p_tenant, true, v_poll.from_at, least(v_poll.to_at, v_poll.asked_at - p_late_ms));
  end if;
  perform pg_notify('cs_changed', '');
  if p_data is not null then
    v_index := journal.append(null, 'audit.read', p_data, p_at);
    update audit_change set read_in = v_index where tenant = p_tenant and read_in is null;
    get diagnostics v_count = row_count;
    if v_count <> (p_data::jsonb ->> 'new')::bigint then
      raise exception 'expected the entry to count % changes, got %', v_count, p_data::jsonb ->> 'new' using errcode = 'CS003';
    end if;
  end if;
end $$;

-- Writes down that the list of a period was given to somebody. p_data: canonical data of population.exported.
create function cs.population_export(p_data text, p_at bigint) returns bigint
language plpgsql security definer set search_path = cs, journal, pg_temp as $$
begin
  perform cs.must('export');
  return journal.append(null, 'population.exported', p_data, p_at);
end $$;
insert into cs.permission (role, act) values ('cs_api', 'export');
grant execute on function cs.population_export to cs_api;
