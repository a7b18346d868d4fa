-- One scan of a tenant at a time over all workers, of whatever kind. The second pass that a scan asks for is owed until one has
-- come through, whoever is killed meanwhile. What failed says why, and what a person asks for is not lost when nobody listens.

-- Why it failed, as a code of the closed list; kept while it is tried again.
alter table cs.scan add column error text check (length(error) <= 64);
update cs.scan set state = 'failed', finished_at = started_at where state = 'running';
create unique index scan_running on cs.scan (tenant) where state = 'running';

-- What has been scanned since the last second pass that came through.
create table cs.pass_due (
  tenant text primary key,
  -- What the pass is due at, for every worker; no two are the same.
  since bigint not null,
  -- After a whole listing, or after changes only.
  whole boolean not null,
  -- After how many scans; one, unless a pass has failed.
  scans integer not null
);
-- The pass that read it last: one that is taken up again does not read it twice.
alter table cs.detail_reading add column pass text;

-- When a person last asked for a scan. Only a hint: a scan reads, whoever asks for it.
create table cs.scan_asked (
  id boolean primary key default true check (id),
  at bigint not null
);
drop function cs.scan_ask;
create function cs.scan_ask(p_at bigint) returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('direct');
  insert into scan_asked as a (at) values (p_at) on conflict (id) do update set at = greatest(a.at, excluded.at);
  perform pg_notify('cs_scan', '');
end $$;

-- The scan due at p_due_at for the one worker that does it, as {id, cursor}; null for everybody else, and while any scan of the
-- tenant is done by a worker that is alive. What a dead worker has left goes on where it stood; three that died over it without
-- progress are enough. A worker does one scan of a tenant at a time: what is its own and running is one that it could not end.
create or replace function cs.scan_open(
  p_id text, p_tenant text, p_kind text, p_due_at bigint, p_worker uuid, p_lease_ms integer, p_at bigint
) returns jsonb language plpgsql security definer set search_path = cs, pg_temp as $$
declare
  v_scan scan%rowtype;
  v_over text[];
begin
  perform cs.must('scan');
  perform pg_advisory_xact_lock(hashtextextended('cs.scan ' || p_tenant, 0));
  if exists (select from scan s join worker w on w.id = s.worker
      where s.tenant = p_tenant and s.state = 'running' and s.worker <> p_worker and w.gone_at is null
        and w.beat_at > clock_timestamp() - p_lease_ms * interval '1 millisecond') then
    return null;
  end if;
  -- What is left of others makes room. A listing that a newer one takes the place of never goes on.
  update scan set state = 'failed', finished_at = p_at, error = 'LEASE_LOST'
    where tenant = p_tenant and state = 'running' and (kind, due_at) <> (p_kind, p_due_at);
  if p_kind = 'full' then
    with over as (
      update scan set cursor = null, staged = 0, twice = 0
        where tenant = p_tenant and kind = 'full' and state = 'failed' and due_at < p_due_at and staged > 0 returning id
    ) select array_agg(id) into v_over from over;
    if v_over is not null then delete from scan_object where scan_id = any (v_over); end if;
  end if;
  insert into scan as s (id, tenant, kind, due_at, state, worker, attempts, started_at)
    values (p_id, p_tenant, p_kind, p_due_at, 'running', p_worker, 1, p_at)
    on conflict (tenant, kind, due_at) do update
      set state = 'running', worker = excluded.worker, finished_at = null,
        attempts = case s.state when 'failed' then 1 else s.attempts + 1 end
      where s.state = 'failed' or s.state = 'running' and s.attempts < 3
    returning * into v_scan;
  if not found then return null; end if;
  return jsonb_build_object('id', v_scan.id, 'cursor', v_scan.cursor);
end $$;

-- The tenant of a scan that this worker does; until the end of this transaction nobody takes it over.
create or replace function cs.scan_here(p_id text, p_worker uuid) returns text language plpgsql as $$
declare
  v_tenant text;
begin
  select tenant into v_tenant from cs.scan where id = p_id and worker = p_worker and state = 'running' for update;
  if not found then
    raise exception 'expected scan % to be running here', p_id using errcode = 'CS003';
  end if;
  return v_tenant;
end $$;

-- Ends a scan; one that came through asks for a second pass. p_data: canonical data of scan.completed; null when it failed, with
-- p_error. p_links: where the next look at changes begins.
drop function cs.scan_end;
create function cs.scan_end(
  p_id text, p_worker uuid, p_data text, p_error text, p_summary jsonb, p_findings jsonb, p_links jsonb, p_at bigint
) returns void language plpgsql security definer set search_path = cs, journal, pg_temp as $$
declare
  v_tenant text;
  v_kind text;
begin
  perform cs.must('scan');
  update scan set state = case when p_data is null then 'failed' else 'done' end, error = p_error, finished_at = p_at,
      summary = p_summary, cursor = case when p_data is null then cursor end,
      applications = (p_data::jsonb ->> 'applications')::integer, findings = (p_data::jsonb ->> 'findings')::integer
    where id = p_id and worker = p_worker and state = 'running' returning tenant, kind into v_tenant, v_kind;
  if not found then
    raise exception 'expected scan % to be running here', p_id using errcode = 'CS003';
  end if;
  -- A whole listing that failed goes on where it stood.
  if p_data is not null or v_kind = 'delta' then
    delete from scan_object where scan_id = p_id;
  end if;
  insert into finding (scan_id, code, result, observed, required, target, at)
    select p_id, code, result, observed, required, coalesce(target, '{}'), p_at
    from jsonb_to_recordset(coalesce(p_findings, '[]'))
      as f(code text, result text, observed text, required text, target jsonb);
  if p_data is not null then
    insert into scan_link (tenant, collection, link, at)
      select v_tenant, l.collection, l.link, p_at from jsonb_to_recordset(coalesce(p_links, '[]')) as l(collection text, link text)
      on conflict (tenant, collection) do update set link = excluded.link, at = excluded.at;
    insert into pass_due as d (tenant, since, whole, scans)
      values (v_tenant, greatest(p_at, 1 + (select max(due_at) from scan where tenant = v_tenant and kind = 'details')),
        v_kind = 'full', 1)
      on conflict (tenant) do update set since = greatest(excluded.since, d.since + 1), whole = d.whole or excluded.whole,
        scans = d.scans + 1;
  end if;
  perform pg_notify('cs_changed', '');
  if p_data is not null then perform journal.append(null, 'scan.completed', p_data, p_at); end if;
end $$;

create or replace function cs.detail_read(p_id text, p_worker uuid, p_part text, p_available boolean) returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
declare
  v_tenant text;
  v_begun bigint;
begin
  perform cs.must('scan');
  v_tenant := cs.scan_here(p_id, p_worker);
  update detail_reading set cursor = null, read_at = begun_at, available = p_available, pass = p_id
    where tenant = v_tenant and part = p_part returning begun_at into v_begun;
  if p_part = 'owners' and p_available then
    delete from owners_due where tenant = v_tenant and at <= v_begun;
  end if;
end $$;

-- Ends a pass; what it has read is kept either way, and one that failed (p_error) is owed.
drop function cs.detail_end;
create function cs.detail_end(p_id text, p_worker uuid, p_error text, p_summary jsonb, p_at bigint) returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
declare
  v_pass scan%rowtype;
begin
  perform cs.must('scan');
  update scan set state = case when p_error is null then 'done' else 'failed' end, error = p_error, finished_at = p_at,
      summary = p_summary
    where id = p_id and worker = p_worker and state = 'running' and kind = 'details' returning * into v_pass;
  if not found then
    raise exception 'expected pass % to be running here', p_id using errcode = 'CS003';
  end if;
  if p_error is null then
    delete from pass_due where tenant = v_pass.tenant and since = v_pass.due_at;
  end if;
  perform pg_notify('cs_changed', '');
end $$;

-- As in 0036, by one writer of a tenant at a time, and only of objects that nobody else has judged since they were read
-- (p_judged: [{objectId, was, digest, terms, turnsAt}]); the others are returned, to be looked at again.
create or replace function cs.findings_put(p_tenant text, p_objects text[], p_findings jsonb, p_judged jsonb, p_at bigint) returns jsonb
language plpgsql security definer set search_path = cs, pg_temp set plan_cache_mode = force_custom_plan as $$
declare
  v_objects text[];
  v_stale text[];
  v_opened integer;
  v_cleared integer;
begin
  perform cs.must('finding');
  perform pg_advisory_xact_lock(hashtextextended('cs.findings ' || p_tenant, 0));
  select coalesce(array_agg(g."objectId"), '{}') into v_stale
    from jsonb_to_recordset(p_judged) as g("objectId" text, was text)
    where g.was <> coalesce((select j.digest || j.terms from fleet_judged j where j.tenant = p_tenant and j.object_id = g."objectId"), '');
  select coalesce(array_agg(o), '{}') into v_objects from unnest(p_objects) o where o <> all (v_stale);
  with given as materialized (
    select f."objectId" as object_id, coalesce(f.credential, '') as credential, f.code, f.rank, f.kind, f."appId" as app_id,
      f.name, f."row" as row_name, f.environment, f.observed, f.required
    from jsonb_to_recordset(p_findings) as f("objectId" text, credential text, code text, rank smallint, kind text,
      "appId" text, name text, "row" text, environment text, observed text, required text)
    where f."objectId" in (select unnest(v_objects))
      and (f.code <> 'changed-out-of-band' or cs.stands_out_of_band(p_tenant, f."objectId", coalesce(f.credential, '')))
  ), cleared as (
    update fleet_finding f set cleared_at = p_at,
        last_seen = greatest(f.first_seen, coalesce((select at from fleet_look where tenant = p_tenant), f.first_seen))
      where f.tenant = p_tenant and f.cleared_at is null and f.object_id = any (v_objects)
        and (f.object_id, f.credential, f.code) not in (select g.object_id, g.credential, g.code from given g)
        and (f.code <> 'changed-out-of-band' or not cs.stands_out_of_band(p_tenant, f.object_id, f.credential))
      returning f.id
  ), written as (
    insert into fleet_finding as f (tenant, object_id, credential, code, rank, kind, app_id, name, row_name, environment, observed,
        required, first_seen)
      select p_tenant, g.object_id, g.credential, g.code, g.rank, g.kind, g.app_id, g.name, g.row_name, g.environment, g.observed,
        g.required, p_at
      from given g
      on conflict (tenant, object_id, credential, code) where cleared_at is null do update set rank = excluded.rank,
        app_id = excluded.app_id, name = excluded.name, row_name = excluded.row_name, environment = excluded.environment,
        observed = excluded.observed, required = excluded.required
        where (f.rank, f.app_id, f.name, f.row_name, f.environment, f.observed, f.required) is distinct from
          (excluded.rank, excluded.app_id, excluded.name, excluded.row_name, excluded.environment, excluded.observed, excluded.required)
      returning f.first_seen
  )
  select (select count(*) from written where first_seen = p_at), (select count(*) from cleared) into v_opened, v_cleared;
  if v_opened > 100 and (select reltuples < 0 from pg_class where oid = 'cs.fleet_finding'::regclass) then
    analyze fleet_finding;
  end if;
  insert into fleet_judged as j (tenant, object_id, digest, terms, turns_at)
    select p_tenant, g."objectId", g.digest, g.terms, g."turnsAt"
    from jsonb_to_recordset(p_judged) as g("objectId" text, digest text, terms text, "turnsAt" bigint)
    where g."objectId" <> all (v_stale)
    on conflict (tenant, object_id) do update set digest = excluded.digest, terms = excluded.terms, turns_at = excluded.turns_at
      where (j.digest, j.terms, j.turns_at) is distinct from (excluded.digest, excluded.terms, excluded.turns_at);
  return jsonb_build_object('opened', v_opened, 'cleared', v_cleared, 'stale', to_jsonb(v_stale));
end $$;

grant execute on function cs.scan_ask to cs_api;
grant execute on function cs.scan_end, cs.detail_end to cs_scanner;
grant select on cs.pass_due, cs.scan_asked to cs_scanner, cs_api;
