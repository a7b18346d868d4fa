-- A change of a credential that no run had done stands until a person says what it was, or until the credential is gone.

alter table cs.audit_change
  add column explained_by text,
  add column explained_at bigint,
  -- What was said, as an attachment.
  add column explanation text references cs.attachment,
  add check ((explained_by is null) = (explained_at is null) and (explained_by is null) = (explanation is null));
-- The list's order, the newest first.
create index audit_change_newest on cs.audit_change (at, tenant, entry, credential, act);
create index audit_change_standing on cs.audit_change (tenant, object_id) where verdict = 'out-of-band' and explained_at is null;

-- Whether nobody has explained it and the credential may still be there. A removal stands until it is explained: the
-- credential of a change that was made and then removed by somebody else is gone, and its removal stands in its place.
create function cs.audit_stands(p_change cs.audit_change) returns boolean language sql stable as $$
  select p_change.verdict = 'out-of-band' and p_change.explained_at is null and (p_change.act <> 'added' or (
    not exists (select from cs.credential c where c.tenant = p_change.tenant and c.object_id = p_change.object_id
      and c.id = p_change.credential and c.gone_at is not null)
    and not exists (select from cs.audit_change r where r.object_id = p_change.object_id and r.credential = p_change.credential
      and r.tenant = p_change.tenant and r.act = 'removed' and r.at >= p_change.at)))
$$;

-- As in 0021, and: what is said of a change that no run had done is never taken back while it stands, whatever a look has
-- seen meanwhile.
create or replace function cs.findings_put(p_tenant text, p_objects text[], p_findings jsonb, p_at bigint) returns jsonb
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
      and not exists (select from given g where (g.object_id, g.credential, g.code) = (f.object_id, f.credential, f.code))
      and (f.code <> 'changed-out-of-band' or not cs.stands_out_of_band(p_tenant, f.object_id, f.credential));
  get diagnostics v_cleared = row_count;
  with given as materialized (
    select f."objectId" as object_id, coalesce(f.credential, '') as credential, f.code, f.rank, f.kind, f."appId" as app_id,
      f.name, f."row" as row_name, f.environment, f.observed, f.required
    from jsonb_to_recordset(p_findings) as f("objectId" text, credential text, code text, rank smallint, kind text,
      "appId" text, name text, "row" text, environment text, observed text, required text)
    where f."objectId" = any (p_objects)
      and (f.code <> 'changed-out-of-band' or cs.stands_out_of_band(p_tenant, f."objectId", coalesce(f.credential, '')))
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

create function cs.stands_out_of_band(p_tenant text, p_object text, p_credential text) returns boolean
language sql stable as $$
  select exists (select from cs.audit_change a where a.tenant = p_tenant and a.object_id = p_object
    and a.credential = p_credential and a.verdict = 'out-of-band' and a.explained_at is null and cs.audit_stands(a))
$$;

-- A person says what a change was that no run had done: the words as an attachment, the row, what was said of the credential,
-- and the entry, in one transaction.
create function cs.audit_explain(
  p_tenant text, p_entry text, p_credential text, p_act text, p_person text, p_reason bytea, p_at bigint
) returns void language plpgsql security definer set search_path = cs, journal, pg_temp as $$
declare
  v_change audit_change%rowtype;
  v_reason text;
begin
  perform cs.must('explain');
  select * into v_change from audit_change
    where (tenant, entry, credential, act) = (p_tenant, p_entry, p_credential, p_act) for update;
  if not found then
    raise exception 'expected a change that was read, got none of this name' using errcode = 'CS004';
  end if;
  if v_change.verdict not in ('out-of-band', 'unknown') or v_change.explained_at is not null then
    raise exception 'expected a change that waits for an explanation, got one that is %',
      case when v_change.explained_at is null then v_change.verdict else 'explained' end using errcode = 'CS003';
  end if;
  v_reason := cs.attach(p_reason, 'reason', p_at);
  update audit_change set explained_by = p_person, explained_at = p_at, explanation = v_reason
    where (tenant, entry, credential, act) = (p_tenant, p_entry, p_credential, p_act);
  update fleet_finding f set cleared_at = p_at,
      last_seen = greatest(f.first_seen, coalesce((select at from fleet_look where tenant = p_tenant), f.first_seen))
    where f.tenant = p_tenant and f.object_id = v_change.object_id and f.credential = p_credential and f.cleared_at is null
      and f.code = 'changed-out-of-band' and not cs.stands_out_of_band(p_tenant, v_change.object_id, p_credential);
  perform pg_notify('cs_changed', '');
  perform journal.append(null, 'audit.explained', '{"act":' || cs.quote(p_act) || ',"credential":'
    || cs.quote(nullif(p_credential, '')) || ',"entry":' || cs.quote(p_entry) || ',"objectId":' || cs.quote(v_change.object_id)
    || ',"person":' || cs.quote(p_person) || ',"reasonDigest":' || cs.quote(v_reason) || ',"tenant":' || cs.quote(p_tenant)
    || ',"verdict":' || cs.quote(v_change.verdict) || '}', p_at);
end $$;

insert into cs.permission (role, act) values ('cs_api', 'explain');
set local role cs_log;
insert into journal.may (role, type, direct) values ('cs_api', 'audit.explained', false);
reset role;
grant execute on function cs.audit_explain to cs_api;
grant execute on function cs.audit_stands to cs_scanner, cs_api, cs_executor;
