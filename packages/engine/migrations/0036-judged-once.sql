-- What is said of an object of the fleet is worked out again only when something it rests on has changed, or when time alone
-- changes it: a look at a fleet in which nothing has changed reads digests and writes nothing.

create table cs.fleet_judged (
  tenant text not null,
  object_id text not null,
  -- Of everything in the ledger that was looked at for it, and of what policy and the inventory ask of it.
  digest text not null,
  terms text not null,
  -- When time alone changes what is said; null: it does not.
  turns_at bigint,
  primary key (tenant, object_id)
) with (fillfactor = 80);

drop function cs.findings_put, cs.fleet_looked;

-- As in 0028, in one statement, and with it what was looked at: [{objectId, digest, terms, turnsAt}]. Hundreds of thousands of
-- findings are written in batches, the first of them into a table without statistics: a plan is made for each batch, and the
-- first that fills the table has it counted.
create function cs.findings_put(p_tenant text, p_objects text[], p_findings jsonb, p_judged jsonb, p_at bigint) returns jsonb
language plpgsql security definer set search_path = cs, pg_temp set plan_cache_mode = force_custom_plan as $$
declare
  v_opened integer;
  v_cleared integer;
begin
  perform cs.must('finding');
  with given as materialized (
    select f."objectId" as object_id, coalesce(f.credential, '') as credential, f.code, f.rank, f.kind, f."appId" as app_id,
      f.name, f."row" as row_name, f.environment, f.observed, f.required
    from jsonb_to_recordset(p_findings) as f("objectId" text, credential text, code text, rank smallint, kind text,
      "appId" text, name text, "row" text, environment text, observed text, required text)
    where f."objectId" in (select unnest(p_objects))
      and (f.code <> 'changed-out-of-band' or cs.stands_out_of_band(p_tenant, f."objectId", coalesce(f.credential, '')))
  ), cleared as (
    update fleet_finding f set cleared_at = p_at,
        last_seen = greatest(f.first_seen, coalesce((select at from fleet_look where tenant = p_tenant), f.first_seen))
      where f.tenant = p_tenant and f.cleared_at is null and f.object_id = any (p_objects)
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
    on conflict (tenant, object_id) do update set digest = excluded.digest, terms = excluded.terms, turns_at = excluded.turns_at
      where (j.digest, j.terms, j.turns_at) is distinct from (excluded.digest, excluded.terms, excluded.turns_at);
  return jsonb_build_object('opened', v_opened, 'cleared', v_cleared);
end $$;

-- All of a tenant was looked at; p_written: how many findings were opened or cleared.
create function cs.fleet_looked(p_tenant text, p_written integer, p_at bigint) returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('finding');
  insert into fleet_look as l (tenant, at) values (p_tenant, p_at)
    on conflict (tenant) do update set at = greatest(l.at, excluded.at);
  if p_written > 10000 then
    analyze fleet_finding, fleet_judged;
  end if;
  perform pg_notify('cs_changed', '');
end $$;

grant execute on function cs.findings_put, cs.fleet_looked to cs_scanner, cs_executor;
grant select on cs.fleet_judged to cs_scanner, cs_executor;
