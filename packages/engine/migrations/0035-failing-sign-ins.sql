-- Sign-ins that fail for their secret, as the directory's own log tells of them.

alter table cs.detail_reading drop constraint detail_reading_part_check,
  add constraint detail_reading_part_check check (part in ('owners', 'policies', 'uses', 'failures'));

-- What the last readings have seen. No row: none was seen, or nothing was read (detail_reading).
create table cs.sign_in_failure (
  tenant text not null,
  app_id text not null,
  -- '': the log does not say with which.
  credential text not null,
  -- The directory's own number, without AADSTS.
  error integer not null,
  -- Kept for as long as they go on.
  first_at bigint not null,
  last_at bigint not null,
  -- Within what the last reading has looked at.
  count integer not null,
  addresses text[] not null check (cardinality(addresses) <= 8),
  primary key (tenant, app_id, credential, error)
);

-- What a reading of everything since p_since has seen: [{appId, credential, error, firstAt, lastAt, count, addresses}]; not
-- p_whole: it has not seen all, and what it does not name may go on. Returns the objects that this says something new of.
create function cs.failures_put(p_id text, p_worker uuid, p_rows jsonb, p_since bigint, p_whole boolean) returns jsonb
language plpgsql security definer set search_path = cs, pg_temp as $$
declare
  v_tenant text;
  v_apps text[];
begin
  perform cs.must('scan');
  v_tenant := cs.scan_here(p_id, p_worker);
  with given as materialized (
    select r."appId" as app_id, coalesce(r.credential, '') as credential, r.error, r."firstAt" as first_at, r."lastAt" as last_at,
      r.count, r.addresses
    from jsonb_to_recordset(p_rows) as r("appId" text, credential text, error integer, "firstAt" bigint, "lastAt" bigint,
      count integer, addresses text[])
  ), gone as (
    delete from sign_in_failure f where f.tenant = v_tenant and (p_whole or f.last_at < p_since)
      and not exists (select from given g where (g.app_id, g.credential, g.error) = (f.app_id, f.credential, f.error))
    returning f.app_id
  ), seen as (
    insert into sign_in_failure as f (tenant, app_id, credential, error, first_at, last_at, count, addresses)
      select v_tenant, g.* from given g
    on conflict (tenant, app_id, credential, error) do update set first_at = least(f.first_at, excluded.first_at),
      last_at = excluded.last_at, count = excluded.count, addresses = excluded.addresses
    returning f.app_id
  )
  select array_agg(app_id) into v_apps from (select app_id from gone union select app_id from seen) as u;
  return coalesce((select jsonb_agg(d.object_id) from directory_object d
    where d.tenant = v_tenant and d.app_id = any (v_apps) and d.gone_at is null), '[]');
end $$;
grant execute on function cs.failures_put to cs_scanner;
grant select on cs.sign_in_failure to cs_scanner, cs_api, cs_executor;

-- Failing sign-ins stand third among findings, by urgency.
update cs.fleet_finding set rank = rank + 1 where rank >= 2;
