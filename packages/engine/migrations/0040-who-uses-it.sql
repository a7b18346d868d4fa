-- Who uses an application beside those that the inventory declares, as far as it can be seen without asking anybody: addresses
-- that sign in with its secrets, entries of vaults that point at it. Names and addresses only, never a value.

alter table cs.detail_reading drop constraint detail_reading_part_check,
  add constraint detail_reading_part_check check (part in ('owners', 'policies', 'uses', 'failures', 'callers'));

create table cs.caller_found (
  tenant text not null,
  app_id text not null,
  address text not null check (octet_length(address) <= 100),
  last_at bigint not null,
  primary key (tenant, app_id, address)
);
-- Until when the sign-ins of an application were read.
create table cs.callers_read (
  tenant text not null,
  app_id text not null,
  read_at bigint not null,
  primary key (tenant, app_id)
);

create table cs.entry_found (
  tenant text not null,
  object_id text not null,
  connection text not null,
  name text not null,
  -- What in the entry points at the application: a tag, or its name.
  because text not null,
  primary key (tenant, object_id, connection, name)
);
-- When the entries of a vault were last listed; not available: we may not list them, and nothing is concluded.
create table cs.vault_reading (
  connection text primary key,
  read_at bigint not null,
  available boolean not null
);

-- Who signed in with an application until p_at: [{address, lastAt}]; what was last seen before p_since is forgotten.
create function cs.callers_put(p_id text, p_worker uuid, p_app_id text, p_rows jsonb, p_since bigint, p_at bigint) returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
declare
  v_tenant text;
begin
  perform cs.must('scan');
  v_tenant := cs.scan_here(p_id, p_worker);
  insert into caller_found as c (tenant, app_id, address, last_at)
    select v_tenant, p_app_id, r.address, max(r."lastAt") from jsonb_to_recordset(p_rows) as r(address text, "lastAt" bigint) group by 3
    on conflict (tenant, app_id, address) do update set last_at = excluded.last_at where c.last_at < excluded.last_at;
  delete from caller_found where tenant = v_tenant and app_id = p_app_id and last_at < p_since;
  insert into callers_read as r (tenant, app_id, read_at) values (v_tenant, p_app_id, p_at)
    on conflict (tenant, app_id) do update set read_at = excluded.read_at;
  update scan set attempts = 1 where id = p_id;
end $$;

-- Which entries of these vaults point at these applications: [{objectId, connection, name, because}], and no others of them do.
create function cs.entries_put(p_tenant text, p_objects text[], p_connections text[], p_rows jsonb) returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('entry-found');
  with given as materialized (
    select r."objectId" as object_id, r.connection, r.name, r.because
    from jsonb_to_recordset(p_rows) as r("objectId" text, connection text, name text, because text)
  ), gone as (
    delete from entry_found e where e.tenant = p_tenant and e.object_id = any (p_objects) and e.connection = any (p_connections)
      and (e.object_id, e.connection, e.name) not in (select object_id, connection, name from given)
  )
  insert into entry_found as e (tenant, object_id, connection, name, because) select p_tenant, g.* from given g
    on conflict (tenant, object_id, connection, name) do update set because = excluded.because
      where e.because <> excluded.because;
end $$;

-- All vaults, and whether their entries could be listed now: [{connection, available}], null: it did not answer, and what was
-- found in it before stays. What was found in a vault that is not among them, or may not be listed any more, is no longer known.
create function cs.vaults_read(p_rows jsonb, p_at bigint) returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('entry-found');
  insert into vault_reading as v (connection, read_at, available)
    select r.connection, p_at, r.available from jsonb_to_recordset(p_rows) as r(connection text, available boolean)
    where r.available is not null
    on conflict (connection) do update set read_at = excluded.read_at, available = excluded.available;
  delete from vault_reading where connection not in (select r.connection from jsonb_to_recordset(p_rows) as r(connection text));
  delete from entry_found where connection not in (select connection from vault_reading where available);
  perform pg_notify('cs_changed', '');
end $$;

insert into cs.permission (role, act) values ('cs_executor', 'entry-found');
grant execute on function cs.callers_put to cs_scanner;
grant execute on function cs.entries_put, cs.vaults_read to cs_executor;
grant select on cs.caller_found, cs.callers_read to cs_scanner, cs_api;
grant select on cs.entry_found, cs.vault_reading to cs_executor, cs_api;
