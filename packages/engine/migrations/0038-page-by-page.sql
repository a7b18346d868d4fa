-- A listing is written page by page: what a page shows of an object is so, whatever becomes of the rest of the listing. Only
-- what is concluded from what was not shown waits until all of it was. Each transaction is as long as a page, not as a fleet.

drop function cs.scan_page, cs.scan_restart, cs.scan_merge, cs.scan_end, cs.owners_want;
drop table cs.scan_object, cs.scan_credential;

-- What an index of the ledger costs when a fleet is listed for the first time it must be worth. The order of expiry holds the
-- tenant as well; and nearly all of it was made by others: only what was not is looked for by its state.
drop index cs.credential_expiry_tenant, cs.credential_state;
create index credential_state on cs.credential (state, tenant, object_id, id) where gone_at is null and state <> 'foreign';

-- Which objects a listing has shown so far; a crash of the server empties it, which the end notices by `scan.staged`.
create unlogged table cs.scan_object (
  scan_id text not null,
  object_id text not null,
  -- `unreadable`: listed, but not in the documented form: what is known of it stays as it is. `removed`: said to be gone.
  state text not null check (state in ('listed', 'unreadable', 'removed')),
  credentials integer not null,
  -- When the first page that showed it was written.
  at bigint not null,
  primary key (object_id, scan_id)
);

-- What a scan has done so far.
alter table cs.scan
  add column twice integer not null default 0,
  add column objects_changed integer not null default 0,
  add column credentials_changed integer not null default 0,
  add column objects_gone integer not null default 0,
  add column credentials_gone integer not null default 0;

-- Writes what one page shows to be different, with the place where the listing goes on. Objects come as a list for each column,
-- and their credentials, each with what it repeats of its object. What is there already is looked up row by row, by its key: a
-- page costs the same however large the fleet, and the cost of looking at all of it must never seem the smaller one.
create function cs.scan_page(
  p_id text, p_worker uuid, p_cursor jsonb, p_lag_ms bigint, p_at bigint,
  p_objects text[], p_states text[], p_kinds text[], p_app_ids text[], p_names text[], p_created_at bigint[], p_audiences text[],
  p_disabled boolean[], p_service_refs text[], p_counts integer[],
  p_holders text[], p_holder_kinds text[], p_holder_app_ids text[], p_holder_names text[],
  p_ids text[], p_credential_kinds text[], p_starts_at bigint[], p_expires_at bigint[], p_markers jsonb[]
) returns void language plpgsql security definer
set search_path = cs, pg_temp set plan_cache_mode = force_custom_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  v_scan scan%rowtype;
  v_twice text[];
  v_twice_at bigint[];
  v_objects integer;
  v_credentials integer;
  v_gone integer;
begin
  perform cs.must('scan');
  select * into v_scan from scan where id = p_id and worker = p_worker and state = 'running' for update;
  if not found then
    raise exception 'expected scan % to be running here', p_id using errcode = 'CS003';
  end if;
  -- A listing that shifts while it is read shows an object on two pages: the later one counts.
  select coalesce(array_agg(s.object_id), '{}'), coalesce(array_agg(s.at), '{}') into v_twice, v_twice_at
    from scan_object s where s.scan_id = p_id and s.object_id = any (p_objects);
  insert into scan_object as s (scan_id, object_id, state, credentials, at)
    select p_id, o.object_id, o.state, o.count, p_at from unnest(p_objects, p_states, p_counts) as o(object_id, state, count)
    on conflict (scan_id, object_id) do update set state = excluded.state, credentials = excluded.credentials;

  with changed as (
    insert into directory_object as d (tenant, object_id, kind, app_id, name, created_at, audience, disabled, service_ref, changed_at)
      select v_scan.tenant, o.object_id, o.kind, o.app_id, o.name, o.created_at, o.audience, o.disabled, o.service_ref, p_at
      from unnest(p_objects, p_states, p_kinds, p_app_ids, p_names, p_created_at, p_audiences, p_disabled, p_service_refs)
          as o(object_id, state, kind, app_id, name, created_at, audience, disabled, service_ref)
        left join directory_object k on k.tenant = v_scan.tenant and k.object_id = o.object_id
      where o.state = 'listed' and (k.object_id is null or k.gone_at is not null
        or (k.kind, k.app_id, k.name, k.created_at, k.audience, k.disabled, k.service_ref)
          is distinct from (o.kind, o.app_id, o.name, o.created_at, o.audience, o.disabled, o.service_ref))
      on conflict (tenant, object_id) do update set kind = excluded.kind, app_id = excluded.app_id, name = excluded.name,
        created_at = excluded.created_at, audience = excluded.audience, disabled = excluded.disabled,
        service_ref = excluded.service_ref, changed_at = excluded.changed_at, gone_at = null
      returning object_id
  ), due as (
    -- Owners of what has changed are read again; of what changes are told of, always. Before a first reading, all are read.
    insert into owners_due as w (tenant, object_id, at)
      select v_scan.tenant, o.object_id, p_at from (
        select object_id from changed where v_scan.kind <> 'delta'
        union all select object_id from unnest(p_objects, p_states) as g(object_id, state) where v_scan.kind = 'delta' and state = 'listed') o
      where exists (select from detail_reading where tenant = v_scan.tenant and part = 'owners')
      on conflict (tenant, object_id) do update set at = excluded.at
  )
  select count(*) into v_objects from changed;

  -- A known credential keeps its state; a new one is ours only if its marker's nonce is one of a committed intent.
  insert into credential as c (tenant, object_id, id, app_id, application, holder, kind, state, run_id, marker, starts_at, expires_at, seen_at)
    select v_scan.tenant, r.object_id, r.id, r.app_id, r.name, r.holder, r.kind,
      case when r.marker is null then 'foreign' when n.run_id is null then 'unknown'
        when is_final(n.state) then 'orphan' else 'ours-unpublished' end,
      n.run_id, r.marker, r.starts_at, r.expires_at, p_at
    from unnest(p_holders, p_holder_kinds, p_holder_app_ids, p_holder_names, p_ids, p_credential_kinds, p_starts_at, p_expires_at, p_markers)
        as r(object_id, holder, app_id, name, id, kind, starts_at, expires_at, marker)
      left join credential k on k.tenant = v_scan.tenant and k.object_id = r.object_id and k.id = r.id
      left join lateral (
        select s.run_id, u.state from step s join run u on u.id = s.run_id
        where s.nonce = r.marker ->> 'nonce' and s.direction = 'do' and s.run_id = r.marker ->> 'run' limit 1
      ) n on r.marker is not null
    where k.id is null or k.gone_at is not null
      or (k.app_id, k.application, k.holder, k.kind, k.starts_at, k.expires_at)
        is distinct from (r.app_id, r.name, r.holder, r.kind, r.starts_at, r.expires_at)
      -- Listed before its intent was visible here, or given up before its run closed: judged again.
      or k.state in ('unknown', 'ours-unpublished') or k.state = 'foreign' and r.marker is not null
    on conflict (tenant, object_id, id) do update set seen_at = greatest(c.seen_at, excluded.seen_at),
      gone_at = null, app_id = excluded.app_id, application = excluded.application, holder = excluded.holder,
      kind = excluded.kind, starts_at = excluded.starts_at, expires_at = excluded.expires_at,
      marker = coalesce(excluded.marker, c.marker), run_id = coalesce(c.run_id, excluded.run_id),
      state = case when c.state in ('unknown', 'foreign') and excluded.run_id is not null then excluded.state
        when c.state = 'ours-unpublished' and excluded.state = 'orphan' then 'orphan' else c.state end;
  get diagnostics v_credentials = row_count;

  -- In a table of which nothing is counted yet, keys are not believed to be of any use.
  if v_objects > 100 and (select reltuples < 0 from pg_class where oid = 'cs.directory_object'::regclass) then
    analyze directory_object, credential, scan_object;
  end if;

  -- An object is listed with all that it holds: the rest is gone, unless it was written less than p_lag_ms before the listing
  -- began (replicas show a change late), or by an earlier page of this listing and not by a run of ours.
  update credential c set gone_at = p_at
    from unnest(p_objects, p_states) as o(object_id, state)
      left join unnest(v_twice, v_twice_at) as t(object_id, at) on t.object_id = o.object_id
    where o.state = 'listed' and c.tenant = v_scan.tenant and c.object_id = o.object_id and c.gone_at is null and c.kind <> 'role'
      and (c.seen_at < v_scan.started_at - p_lag_ms or c.run_id is null and c.seen_at >= t.at)
      and (c.object_id, c.id) not in (select r.object_id, r.id from unnest(p_holders, p_ids) as r(object_id, id));
  get diagnostics v_gone = row_count;

  update scan set cursor = p_cursor, attempts = 1, staged = staged + cardinality(p_objects) - cardinality(v_twice),
      twice = twice + cardinality(v_twice), objects_changed = objects_changed + v_objects,
      credentials_changed = credentials_changed + v_credentials, credentials_gone = credentials_gone + v_gone
    where id = p_id;
end $$;

-- Begins a listing anew: which objects it has shown is forgotten. What it has written stays.
create function cs.scan_restart(p_id text, p_worker uuid) returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('scan');
  update scan set cursor = null, staged = 0, twice = 0 where id = p_id and worker = p_worker and state = 'running';
  if not found then
    raise exception 'expected scan % to be running here', p_id using errcode = 'CS003';
  end if;
  delete from scan_object where scan_id = p_id;
end $$;

-- What a whole listing has not shown is gone, unless it was written less than p_lag_ms before the listing began; of changes only
-- what is said to be. At most p_rows_max objects and as many credentials at a time: null, there may be more. In the end what the
-- scan came to.
create function cs.scan_conclude(p_id text, p_worker uuid, p_lag_ms bigint, p_rows_max integer, p_at bigint) returns jsonb
language plpgsql security definer set search_path = cs, pg_temp as $$
declare
  v_scan scan%rowtype;
  v_staged integer;
  v_listed integer;
  v_unreadable integer;
  v_shown integer;
  v_objects integer;
  v_credentials integer;
begin
  perform cs.must('scan');
  select * into v_scan from scan where id = p_id and worker = p_worker and state = 'running' for update;
  if not found then
    raise exception 'expected scan % to be running here', p_id using errcode = 'CS003';
  end if;
  select count(*), count(*) filter (where state = 'listed'), count(*) filter (where state = 'unreadable'), coalesce(sum(credentials), 0)
    into v_staged, v_listed, v_unreadable, v_shown from scan_object where scan_id = p_id;
  if v_staged <> v_scan.staged then
    raise exception 'expected % staged objects, got %', v_scan.staged, v_staged using errcode = 'CS003';
  end if;
  -- The rows of a listing have no statistics of their own yet; without them they are joined row by row.
  if v_staged > 1000 then
    analyze scan_object;
  end if;

  with due as (
    select c.object_id, c.id from credential c
    where c.tenant = v_scan.tenant and c.gone_at is null and c.kind <> 'role' and c.seen_at < v_scan.started_at - p_lag_ms
      and case v_scan.kind
        when 'full' then not exists (select from scan_object o where o.scan_id = p_id and o.object_id = c.object_id and o.state <> 'removed')
        else exists (select from scan_object o where o.scan_id = p_id and o.object_id = c.object_id and o.state = 'removed') end
    limit p_rows_max
  )
  update credential c set gone_at = p_at from due where c.tenant = v_scan.tenant and c.object_id = due.object_id and c.id = due.id;
  get diagnostics v_credentials = row_count;

  with due as (
    select d.object_id from directory_object d
    where d.tenant = v_scan.tenant and d.gone_at is null and d.changed_at < v_scan.started_at - p_lag_ms
      and case v_scan.kind
        when 'full' then not exists (select from scan_object o where o.scan_id = p_id and o.object_id = d.object_id and o.state <> 'removed')
        else exists (select from scan_object o where o.scan_id = p_id and o.object_id = d.object_id and o.state = 'removed') end
    limit p_rows_max
  )
  update directory_object d set gone_at = p_at from due where d.tenant = v_scan.tenant and d.object_id = due.object_id;
  get diagnostics v_objects = row_count;

  update scan set attempts = 1, objects_gone = objects_gone + v_objects, credentials_gone = credentials_gone + v_credentials
    where id = p_id returning * into v_scan;
  if v_objects = p_rows_max or v_credentials = p_rows_max then return null; end if;
  if v_scan.objects_changed + v_scan.credentials_changed > 10000 then
    analyze directory_object, credential;
  end if;
  return jsonb_build_object('objects', v_listed, 'credentials', v_shown, 'unreadable', v_unreadable, 'twice', v_scan.twice,
    'objectsChanged', v_scan.objects_changed, 'credentialsChanged', v_scan.credentials_changed,
    'objectsGone', v_scan.objects_gone, 'credentialsGone', v_scan.credentials_gone);
end $$;

-- Ends a scan. p_data: canonical data of scan.completed; null when it failed. p_links: where the next look at changes begins.
create function cs.scan_end(
  p_id text, p_worker uuid, p_data text, p_summary jsonb, p_findings jsonb, p_links jsonb, p_at bigint
) returns void language plpgsql security definer set search_path = cs, journal, pg_temp as $$
declare
  v_tenant text;
  v_kind text;
begin
  perform cs.must('scan');
  update scan set state = case when p_data is null then 'failed' else 'done' end, finished_at = p_at, summary = p_summary,
      cursor = case when p_data is null then cursor end,
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
  end if;
  perform pg_notify('cs_changed', '');
  if p_data is not null then perform journal.append(null, 'scan.completed', p_data, p_at); end if;
end $$;

grant execute on function cs.scan_page, cs.scan_restart, cs.scan_conclude, cs.scan_end to cs_scanner;
