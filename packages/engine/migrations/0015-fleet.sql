-- The fleet: every application and service principal of a tenant with its credentials, as the directory lists them.
--
-- A listing is staged page by page with the place where it goes on, so that another worker can take it up. Only when it is
-- whole are the differences written: a fleet in which nothing has changed costs no write at all.

create table cs.directory_object (
  tenant text not null,
  object_id text not null,
  kind text not null check (kind in ('application', 'service-principal')),
  app_id text not null,
  name text not null,
  created_at bigint,
  audience text,
  disabled boolean not null,
  -- What the directory names as its record in a service catalogue (serviceManagementReference).
  service_ref text,
  -- When a scan last wrote this row, not when it last saw the object.
  changed_at bigint not null,
  gone_at bigint,
  primary key (tenant, object_id)
) with (fillfactor = 90);
create index directory_object_app on cs.directory_object (tenant, app_id);

-- Null: the credential of something that is no directory object, such as a database role.
alter table cs.credential add column holder text check (holder in ('application', 'service-principal'));
update cs.credential set holder = 'application' where kind <> 'role';

alter table cs.scan
  add column kind text not null default 'full' check (kind in ('full', 'delta')),
  -- Where the listing goes on; null: at its beginning.
  add column cursor jsonb check (octet_length(cursor::text) <= 65536),
  add column staged integer not null default 0,
  add column summary jsonb,
  drop constraint scan_tenant_due_at_key,
  add unique (tenant, kind, due_at);

-- Where a later look at what has changed begins: the directory's own link.
create table cs.scan_link (
  tenant text not null,
  collection text not null,
  link text not null check (length(link) <= 8192),
  at bigint not null,
  primary key (tenant, collection)
);

-- Staged pages; a crash of the server empties them, which the merge notices by `scan.staged`.
create unlogged table cs.scan_object (
  scan_id text not null,
  page integer not null,
  object_id text not null,
  -- `unreadable`: listed, but not in the documented form: what is known of it stays as it is. `removed`: said to be gone.
  state text not null check (state in ('listed', 'unreadable', 'removed')),
  kind text not null,
  app_id text,
  name text,
  created_at bigint,
  audience text,
  disabled boolean,
  service_ref text
);
create unlogged table cs.scan_credential (
  scan_id text not null,
  page integer not null,
  object_id text not null,
  id text not null,
  kind text not null,
  starts_at bigint,
  expires_at bigint,
  marker jsonb
);

drop function cs.credential_seen, cs.credential_gone, cs.scan_begin, cs.scan_end;

-- The scan due at p_due_at for the one worker that does it, as {id, cursor}; null for everybody else. What a dead worker has
-- left goes on where it stood. Without progress it is given up after three tries.
create function cs.scan_open(
  p_id text, p_tenant text, p_kind text, p_due_at bigint, p_worker uuid, p_lease_ms integer, p_at bigint
) returns jsonb language plpgsql security definer set search_path = cs, pg_temp as $$
declare
  v_scan scan%rowtype;
begin
  perform cs.must('scan');
  insert into scan as s (id, tenant, kind, due_at, state, worker, attempts, started_at)
    values (p_id, p_tenant, p_kind, p_due_at, 'running', p_worker, 1, p_at)
    on conflict (tenant, kind, due_at) do update
      set state = 'running', worker = excluded.worker, attempts = s.attempts + 1
      where s.attempts < 3 and (s.state = 'failed' or s.state = 'running' and not exists (
        select from worker w where w.id = s.worker and w.gone_at is null
          and w.beat_at > clock_timestamp() - p_lease_ms * interval '1 millisecond'))
    returning * into v_scan;
  if not found then return null; end if;
  return jsonb_build_object('id', v_scan.id, 'cursor', v_scan.cursor);
end $$;

-- Stages one page: [{objectId, state, kind, appId, name, createdAt, audience, disabled, serviceRef}] and
-- [{objectId, id, kind, startsAt, expiresAt, marker}], with the place where the listing goes on.
create function cs.scan_page(
  p_id text, p_worker uuid, p_page integer, p_objects jsonb, p_credentials jsonb, p_cursor jsonb
) returns void language plpgsql security definer set search_path = cs, pg_temp as $$
declare
  v_count integer;
begin
  perform cs.must('scan');
  insert into scan_object (scan_id, page, object_id, state, kind, app_id, name, created_at, audience, disabled, service_ref)
    select p_id, p_page, o."objectId", o.state, o.kind, o."appId", o.name, o."createdAt", o.audience, o.disabled, o."serviceRef"
    from jsonb_to_recordset(p_objects) as o("objectId" text, state text, kind text, "appId" text, name text,
      "createdAt" bigint, audience text, disabled boolean, "serviceRef" text);
  get diagnostics v_count = row_count;
  insert into scan_credential (scan_id, page, object_id, id, kind, starts_at, expires_at, marker)
    select p_id, p_page, c."objectId", c.id, c.kind, c."startsAt", c."expiresAt", c.marker
    from jsonb_to_recordset(p_credentials) as c("objectId" text, id text, kind text, "startsAt" bigint,
      "expiresAt" bigint, marker jsonb);
  update scan set cursor = p_cursor, staged = staged + v_count, attempts = 1
    where id = p_id and worker = p_worker and state = 'running';
  if not found then
    raise exception 'expected scan % to be running here', p_id using errcode = 'CS003';
  end if;
end $$;

-- Begins a listing anew: what was staged of it is thrown away.
create function cs.scan_restart(p_id text, p_worker uuid) returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('scan');
  update scan set cursor = null, staged = 0 where id = p_id and worker = p_worker and state = 'running';
  if not found then
    raise exception 'expected scan % to be running here', p_id using errcode = 'CS003';
  end if;
  delete from scan_object where scan_id = p_id;
  delete from scan_credential where scan_id = p_id;
end $$;

-- Writes what a staged listing shows to be different, and returns how much that was. What a whole listing does not show is
-- gone, unless it was written less than p_lag_ms before the listing began: replicas show a change late.
create function cs.scan_merge(p_id text, p_worker uuid, p_lag_ms bigint, p_at bigint) returns jsonb
language plpgsql security definer set search_path = cs, pg_temp as $$
declare
  v_scan scan%rowtype;
  v_staged integer;
  v_twice integer;
  v_objects integer;
  v_credentials integer;
  v_unreadable integer;
  v_objects_changed integer;
  v_credentials_changed integer;
  v_objects_gone integer;
  v_credentials_gone integer;
begin
  perform cs.must('scan');
  select * into v_scan from scan where id = p_id and worker = p_worker and state = 'running' for update;
  if not found then
    raise exception 'expected scan % to be running here', p_id using errcode = 'CS003';
  end if;
  -- Staged rows have no statistics of their own yet; without them a whole listing is joined row by row.
  if v_scan.staged > 1000 then
    analyze scan_object, scan_credential;
  end if;
  select count(*), count(*) - count(distinct object_id) into v_staged, v_twice from scan_object where scan_id = p_id;
  if v_staged <> v_scan.staged then
    raise exception 'expected % staged objects, got %', v_scan.staged, v_staged using errcode = 'CS003';
  end if;
  -- A listing that shifts while it is read shows an object on two pages: the later one counts.
  if v_twice > 0 then
    delete from scan_object a using scan_object b
      where a.scan_id = p_id and b.scan_id = p_id and a.object_id = b.object_id and (a.page, a.ctid) < (b.page, b.ctid);
    delete from scan_credential c where c.scan_id = p_id and not exists (
      select from scan_object o where o.scan_id = p_id and o.object_id = c.object_id and o.page = c.page);
  end if;
  select count(*) filter (where state = 'listed'), count(*) filter (where state = 'unreadable')
    into v_objects, v_unreadable from scan_object where scan_id = p_id;

  insert into directory_object as d (tenant, object_id, kind, app_id, name, created_at, audience, disabled, service_ref, changed_at)
    select v_scan.tenant, o.object_id, o.kind, o.app_id, o.name, o.created_at, o.audience, o.disabled, o.service_ref, p_at
    from scan_object o left join directory_object k on k.tenant = v_scan.tenant and k.object_id = o.object_id
    where o.scan_id = p_id and o.state = 'listed' and (k.object_id is null or k.gone_at is not null
      or (k.kind, k.app_id, k.name, k.created_at, k.audience, k.disabled, k.service_ref)
        is distinct from (o.kind, o.app_id, o.name, o.created_at, o.audience, o.disabled, o.service_ref))
    on conflict (tenant, object_id) do update set kind = excluded.kind, app_id = excluded.app_id, name = excluded.name,
      created_at = excluded.created_at, audience = excluded.audience, disabled = excluded.disabled,
      service_ref = excluded.service_ref, changed_at = excluded.changed_at, gone_at = null;
  get diagnostics v_objects_changed = row_count;

  -- A known credential keeps its state; a new one is ours only if its marker's nonce is one of a committed intent.
  insert into credential as c (tenant, object_id, id, app_id, application, holder, kind, state, run_id, marker, starts_at, expires_at, seen_at)
    select v_scan.tenant, r.object_id, r.id, o.app_id, o.name, o.kind, r.kind,
      case when r.marker is null then 'foreign' when n.run_id is null then 'unknown'
        when is_final(n.state) then 'orphan' else 'ours-unpublished' end,
      n.run_id, r.marker, r.starts_at, r.expires_at, p_at
    from scan_credential r
      join scan_object o on o.scan_id = p_id and o.object_id = r.object_id and o.state = 'listed'
      left join credential k on k.tenant = v_scan.tenant and k.object_id = r.object_id and k.id = r.id
      left join lateral (
        select s.run_id, u.state from step s join run u on u.id = s.run_id
        where s.nonce = r.marker ->> 'nonce' and s.direction = 'do' and s.run_id = r.marker ->> 'run' limit 1
      ) n on r.marker is not null
    where r.scan_id = p_id and (k.id is null or k.gone_at is not null
      or (k.app_id, k.application, k.holder, k.kind, k.starts_at, k.expires_at)
        is distinct from (o.app_id, o.name, o.kind, r.kind, r.starts_at, r.expires_at)
      -- Listed before its intent was visible here, or given up before its run closed: judged again.
      or k.state in ('unknown', 'ours-unpublished') or k.state = 'foreign' and r.marker is not null)
    on conflict (tenant, object_id, id) do update set seen_at = greatest(c.seen_at, excluded.seen_at),
      gone_at = null, app_id = excluded.app_id, application = excluded.application, holder = excluded.holder,
      kind = excluded.kind, starts_at = excluded.starts_at, expires_at = excluded.expires_at,
      marker = coalesce(excluded.marker, c.marker), run_id = coalesce(c.run_id, excluded.run_id),
      state = case when c.state in ('unknown', 'foreign') and excluded.run_id is not null then excluded.state
        when c.state = 'ours-unpublished' and excluded.state = 'orphan' then 'orphan' else c.state end;
  get diagnostics v_credentials_changed = row_count;

  update directory_object d set gone_at = p_at
    where d.tenant = v_scan.tenant and d.gone_at is null and d.changed_at < v_scan.started_at - p_lag_ms
      and case v_scan.kind
        when 'full' then not exists (select from scan_object o where o.scan_id = p_id and o.object_id = d.object_id and o.state <> 'removed')
        else exists (select from scan_object o where o.scan_id = p_id and o.object_id = d.object_id and o.state = 'removed') end;
  get diagnostics v_objects_gone = row_count;

  update credential c set gone_at = p_at
    where c.tenant = v_scan.tenant and c.gone_at is null and c.kind <> 'role' and c.seen_at < v_scan.started_at - p_lag_ms
      and not exists (select from scan_credential r where r.scan_id = p_id and r.object_id = c.object_id and r.id = c.id)
      and case v_scan.kind
        when 'full' then not exists (select from scan_object o where o.scan_id = p_id and o.object_id = c.object_id and o.state = 'unreadable')
        else exists (select from scan_object o where o.scan_id = p_id and o.object_id = c.object_id and o.state <> 'unreadable') end;
  get diagnostics v_credentials_gone = row_count;

  select count(*) into v_credentials from scan_credential where scan_id = p_id;
  delete from scan_object where scan_id = p_id;
  delete from scan_credential where scan_id = p_id;
  if v_objects_changed + v_credentials_changed > 10000 then
    analyze directory_object, credential;
  end if;
  return jsonb_build_object('objects', v_objects, 'credentials', v_credentials, 'unreadable', v_unreadable, 'twice', v_twice,
    'objectsChanged', v_objects_changed, 'credentialsChanged', v_credentials_changed,
    'objectsGone', v_objects_gone, 'credentialsGone', v_credentials_gone);
end $$;

-- Ends a scan. p_data: canonical data of scan.completed; null when it failed. p_links: where the next look at changes begins.
create function cs.scan_end(
  p_id text, p_worker uuid, p_data text, p_summary jsonb, p_findings jsonb, p_links jsonb, p_at bigint
) returns void language plpgsql security definer set search_path = cs, journal, pg_temp as $$
declare
  v_tenant text;
begin
  perform cs.must('scan');
  update scan set state = case when p_data is null then 'failed' else 'done' end, finished_at = p_at, summary = p_summary,
      cursor = case when p_data is null then cursor end,
      applications = (p_data::jsonb ->> 'applications')::integer, findings = (p_data::jsonb ->> 'findings')::integer
    where id = p_id and worker = p_worker and state = 'running' returning tenant into v_tenant;
  if not found then
    raise exception 'expected scan % to be running here', p_id using errcode = 'CS003';
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

delete from cs.permission where act = 'credential_seen';
grant execute on function cs.scan_open, cs.scan_page, cs.scan_restart, cs.scan_merge, cs.scan_end to cs_scanner;
grant select on cs.directory_object, cs.scan_link to cs_scanner, cs_api, cs_executor;
