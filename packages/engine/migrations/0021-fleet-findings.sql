-- What a second, slower pass reads of the fleet (owners, app management policies, last use), and what is said of it.

-- A pass is a scan of its own: one worker per tenant and time does it.
alter table cs.scan drop constraint scan_kind_check, add constraint scan_kind_check check (kind in ('full', 'delta', 'details'));

-- Who owns an object, ids only. No row: not read, which is not the same as no owner.
create table cs.object_owners (
  tenant text not null,
  object_id text not null,
  owners jsonb not null check (octet_length(owners::text) <= 262144),
  -- When it was read to be different from before; see also detail_reading.
  read_at bigint not null,
  primary key (tenant, object_id)
);
-- Whose owners are to be read again, since when.
create table cs.owners_due (
  tenant text not null,
  object_id text not null,
  at bigint not null,
  primary key (tenant, object_id)
);
-- How long policies of the tenant let a secret live. Object '': the tenant's default for this kind of object.
create table cs.object_policy (
  tenant text not null,
  object_id text not null,
  kind text not null check (kind in ('application', 'service-principal')),
  -- Null: an own policy that switches the default off.
  secret_seconds_max bigint,
  -- Holds for objects that were created then or later.
  created_from bigint not null,
  primary key (tenant, object_id, kind)
);
create table cs.credential_use (
  tenant text not null,
  id text not null,
  last_used_at bigint not null,
  primary key (tenant, id)
);
-- A whole reading of one part: where it goes on, when it began, and when the last one that came through had begun.
create table cs.detail_reading (
  tenant text not null,
  part text not null check (part in ('owners', 'policies', 'uses')),
  cursor jsonb check (octet_length(cursor::text) <= 65536),
  begun_at bigint not null,
  read_at bigint,
  -- False: the tenant does not give it (licence, permission, other cloud); nothing is known then.
  available boolean not null default true,
  primary key (tenant, part)
);

create table cs.fleet_finding (
  id bigint generated always as identity primary key,
  tenant text not null,
  -- '': of the tenant as a whole.
  object_id text not null,
  -- '': of the object as a whole.
  credential text not null,
  code text not null,
  -- Place of its code in the closed list, the most urgent first.
  rank smallint not null,
  kind text,
  app_id text not null,
  name text not null,
  folded text generated always as (lower(name)) stored,
  -- Row of the inventory; null: not listed.
  row_name text,
  environment text,
  observed text not null,
  required text not null,
  first_seen bigint not null,
  -- The last look that saw it. Null while it is open: every look since the first has seen it (fleet_look).
  last_seen bigint,
  cleared_at bigint,
  check ((last_seen is null) = (cleared_at is null))
) with (fillfactor = 90);
create unique index fleet_finding_open on cs.fleet_finding (tenant, object_id, credential, code) where cleared_at is null;
create index fleet_finding_listed on cs.fleet_finding (rank, folded, id) where cleared_at is null;
create index fleet_finding_code on cs.fleet_finding (code, folded, id) where cleared_at is null;
create index fleet_finding_object on cs.fleet_finding (tenant, object_id, id);
create index fleet_finding_cleared on cs.fleet_finding (cleared_at) where cleared_at is not null;

-- When all of a tenant was last looked at.
create table cs.fleet_look (tenant text primary key, at bigint not null);

-- Open findings by the words that can be filtered by. Only the one scanner of a tenant writes findings of it.
create table cs.finding_count (
  tenant text not null,
  code text not null,
  environment text not null,
  listed boolean not null,
  count bigint not null,
  primary key (tenant, code, environment, listed)
);

create function cs.findings_added() returns trigger language plpgsql as $$
begin
  insert into cs.finding_count as c (tenant, code, environment, listed, count)
    select tenant, code, coalesce(environment, ''), row_name is not null, count(*)
    from added where cleared_at is null group by 1, 2, 3, 4 order by 1, 2, 3, 4
    on conflict (tenant, code, environment, listed) do update set count = c.count + excluded.count;
  return null;
end $$;
create function cs.findings_changed() returns trigger language plpgsql as $$
begin
  insert into cs.finding_count as c (tenant, code, environment, listed, count)
    select tenant, code, coalesce(environment, ''), row_name is not null, sum(n) from (
      select *, 1 as n from after union all select *, -1 from before) as u
    where cleared_at is null group by 1, 2, 3, 4 having sum(n) <> 0 order by 1, 2, 3, 4
    on conflict (tenant, code, environment, listed) do update set count = c.count + excluded.count;
  return null;
end $$;
create trigger findings_added after insert on cs.fleet_finding referencing new table as added
  for each statement execute function cs.findings_added();
create trigger findings_changed after update on cs.fleet_finding referencing old table as before new table as after
  for each statement execute function cs.findings_changed();

-- The tenant of a scan that this worker does.
create function cs.scan_here(p_id text, p_worker uuid) returns text language plpgsql as $$
declare
  v_tenant text;
begin
  select tenant into v_tenant from cs.scan where id = p_id and worker = p_worker and state = 'running';
  if not found then
    raise exception 'expected scan % to be running here', p_id using errcode = 'CS003';
  end if;
  return v_tenant;
end $$;

-- Asks for the owners of these objects; null: of all that a merge at p_at has written.
create function cs.owners_want(p_id text, p_worker uuid, p_objects text[], p_at bigint) returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
declare
  v_tenant text;
begin
  perform cs.must('scan');
  v_tenant := cs.scan_here(p_id, p_worker);
  insert into owners_due as o (tenant, object_id, at)
    select tenant, object_id, p_at from directory_object
    where tenant = v_tenant and gone_at is null
      and case when p_objects is null then changed_at = p_at else object_id = any (p_objects) end
    on conflict (tenant, object_id) do update set at = excluded.at;
end $$;

-- Begins a whole reading of one part, or returns where it goes on.
create function cs.detail_begin(p_id text, p_worker uuid, p_part text, p_at bigint) returns jsonb
language plpgsql security definer set search_path = cs, pg_temp as $$
declare
  v_tenant text;
  v_cursor jsonb;
begin
  perform cs.must('scan');
  v_tenant := cs.scan_here(p_id, p_worker);
  select cursor into v_cursor from detail_reading where tenant = v_tenant and part = p_part;
  if v_cursor is null then
    insert into detail_reading (tenant, part, begun_at) values (v_tenant, p_part, p_at)
      on conflict (tenant, part) do update set begun_at = excluded.begun_at;
  end if;
  return v_cursor;
end $$;

-- Keeps where a whole reading goes on, and that its worker gets on with it.
create function cs.detail_at(p_id text, p_worker uuid, p_part text, p_cursor jsonb) returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('scan');
  update detail_reading set cursor = p_cursor where tenant = cs.scan_here(p_id, p_worker) and part = p_part;
  update scan set attempts = 1 where id = p_id;
end $$;

-- A whole reading came through, or cannot be had.
create function cs.detail_read(p_id text, p_worker uuid, p_part text, p_available boolean) returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
declare
  v_tenant text;
  v_begun bigint;
begin
  perform cs.must('scan');
  v_tenant := cs.scan_here(p_id, p_worker);
  update detail_reading set cursor = null, read_at = begun_at, available = p_available
    where tenant = v_tenant and part = p_part returning begun_at into v_begun;
  if p_part = 'owners' and p_available then
    delete from owners_due where tenant = v_tenant and at <= v_begun;
  end if;
end $$;

-- Owners as they were read at p_at: [{objectId, owners}]. p_asked: the objects that were asked for one by one.
create function cs.owners_put(p_id text, p_worker uuid, p_rows jsonb, p_asked text[], p_at bigint) returns integer
language plpgsql security definer set search_path = cs, pg_temp as $$
declare
  v_tenant text;
  v_count integer;
begin
  perform cs.must('scan');
  v_tenant := cs.scan_here(p_id, p_worker);
  insert into object_owners as o (tenant, object_id, owners, read_at)
    select v_tenant, r."objectId", r.owners, p_at
    from jsonb_to_recordset(p_rows) as r("objectId" text, owners jsonb)
      join directory_object d on d.tenant = v_tenant and d.object_id = r."objectId"
    on conflict (tenant, object_id) do update set owners = excluded.owners, read_at = excluded.read_at
      where o.owners is distinct from excluded.owners;
  get diagnostics v_count = row_count;
  if p_asked is not null then
    delete from owners_due where tenant = v_tenant and object_id = any (p_asked) and at <= p_at;
    update scan set attempts = 1 where id = p_id;
  end if;
  return v_count;
end $$;

-- All policies of a tenant: [{objectId, kind, secretSecondsMax, createdFrom}].
create function cs.policies_put(p_id text, p_worker uuid, p_rows jsonb) returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
declare
  v_tenant text;
begin
  perform cs.must('scan');
  v_tenant := cs.scan_here(p_id, p_worker);
  delete from object_policy where tenant = v_tenant;
  insert into object_policy (tenant, object_id, kind, secret_seconds_max, created_from)
    select v_tenant, r."objectId", r.kind, r."secretSecondsMax", r."createdFrom"
    from jsonb_to_recordset(p_rows) as r("objectId" text, kind text, "secretSecondsMax" bigint, "createdFrom" bigint);
end $$;

-- Last uses: [{id, lastUsedAt}]. A use that was seen once is never forgotten for an older one.
create function cs.uses_put(p_id text, p_worker uuid, p_rows jsonb) returns integer
language plpgsql security definer set search_path = cs, pg_temp as $$
declare
  v_tenant text;
  v_count integer;
begin
  perform cs.must('scan');
  v_tenant := cs.scan_here(p_id, p_worker);
  insert into credential_use as u (tenant, id, last_used_at)
    select v_tenant, r.id, max(r."lastUsedAt") from jsonb_to_recordset(p_rows) as r(id text, "lastUsedAt" bigint)
    where r."lastUsedAt" is not null group by r.id
    on conflict (tenant, id) do update set last_used_at = excluded.last_used_at where u.last_used_at < excluded.last_used_at;
  get diagnostics v_count = row_count;
  return v_count;
end $$;

-- Ends a pass; what it has read is kept either way.
create function cs.detail_end(p_id text, p_worker uuid, p_done boolean, p_summary jsonb, p_at bigint) returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('scan');
  update scan set state = case when p_done then 'done' else 'failed' end, finished_at = p_at, summary = p_summary
    where id = p_id and worker = p_worker and state = 'running' and kind = 'details';
  if not found then
    raise exception 'expected pass % to be running here', p_id using errcode = 'CS003';
  end if;
  perform pg_notify('cs_changed', '');
end $$;

-- Everything that is to be said now of these objects of a tenant; what was said before and is not among it is cleared.
-- [{objectId, credential, code, rank, kind, appId, name, row, environment, observed, required}]
create function cs.findings_put(p_tenant text, p_objects text[], p_findings jsonb, p_at bigint) returns jsonb
language plpgsql security definer set search_path = cs, pg_temp as $$
declare
  v_opened integer;
  v_cleared integer;
begin
  perform cs.must('finding');
  with given as materialized (
    select f."objectId" as object_id, coalesce(f.credential, '') as credential, f.code
    from jsonb_to_recordset(p_findings) as f("objectId" text, credential text, code text)
  )
  update fleet_finding f set cleared_at = p_at,
      last_seen = greatest(f.first_seen, coalesce((select at from fleet_look where tenant = p_tenant), f.first_seen))
    where f.tenant = p_tenant and f.cleared_at is null and f.object_id = any (p_objects)
      and not exists (select from given g where (g.object_id, g.credential, g.code) = (f.object_id, f.credential, f.code));
  get diagnostics v_cleared = row_count;
  with given as materialized (
    select f."objectId" as object_id, coalesce(f.credential, '') as credential, f.code, f.rank, f.kind, f."appId" as app_id,
      f.name, f."row" as row_name, f.environment, f.observed, f.required
    from jsonb_to_recordset(p_findings) as f("objectId" text, credential text, code text, rank smallint, kind text,
      "appId" text, name text, "row" text, environment text, observed text, required text)
    where f."objectId" = any (p_objects)
  ), written as (
    insert into fleet_finding as f (tenant, object_id, credential, code, rank, kind, app_id, name, row_name, environment, observed,
        required, first_seen)
      select p_tenant, g.object_id, g.credential, g.code, g.rank, g.kind, g.app_id, g.name, g.row_name, g.environment, g.observed,
        g.required, p_at
      from given g left join fleet_finding k on k.tenant = p_tenant and k.object_id = g.object_id and k.credential = g.credential
        and k.code = g.code and k.cleared_at is null
      where k.id is null or (k.rank, k.app_id, k.name, k.row_name, k.environment, k.observed, k.required)
        is distinct from (g.rank, g.app_id, g.name, g.row_name, g.environment, g.observed, g.required)
      on conflict (tenant, object_id, credential, code) where cleared_at is null do update set rank = excluded.rank,
        app_id = excluded.app_id, name = excluded.name, row_name = excluded.row_name, environment = excluded.environment,
        observed = excluded.observed, required = excluded.required
      returning f.first_seen
  )
  select count(*) filter (where first_seen = p_at) into v_opened from written;
  if v_opened > 10000 then
    analyze fleet_finding;
  end if;
  return jsonb_build_object('opened', v_opened, 'cleared', v_cleared);
end $$;

-- All of a tenant was looked at.
create function cs.fleet_looked(p_tenant text, p_at bigint) returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('finding');
  insert into fleet_look as l (tenant, at) values (p_tenant, p_at)
    on conflict (tenant) do update set at = greatest(l.at, excluded.at);
  perform pg_notify('cs_changed', '');
end $$;

insert into cs.permission (role, act) values ('cs_scanner', 'finding'), ('cs_executor', 'finding');
grant execute on function cs.owners_want, cs.detail_begin, cs.detail_at, cs.detail_read, cs.owners_put, cs.policies_put,
  cs.uses_put, cs.detail_end to cs_scanner;
grant execute on function cs.findings_put, cs.fleet_looked to cs_scanner, cs_executor;
grant select on cs.object_owners, cs.owners_due, cs.object_policy, cs.credential_use, cs.detail_reading, cs.fleet_finding,
  cs.fleet_look, cs.finding_count to cs_scanner, cs_api, cs_executor;
