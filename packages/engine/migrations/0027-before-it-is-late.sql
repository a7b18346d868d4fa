-- What owners are told before it is late: that a credential expires, once for each time that policy names, and what they
-- have before them, once a week.

-- p_threshold_seconds before it ends: told. A role whose end is moved is told of anew.
create table cs.expiry_told (
  tenant text not null,
  object_id text not null,
  id text not null,
  expires_at bigint not null,
  threshold_seconds bigint not null,
  notice_id bigint not null references cs.notice,
  primary key (tenant, object_id, id, expires_at, threshold_seconds)
);
create index expiry_told_notice on cs.expiry_told (notice_id);

-- Who was written to, or had nothing to be written, at which of the weekly times. The empty person: everybody was, so that
-- this time is over.
create table cs.weekly_told (
  instant bigint not null,
  person text not null,
  primary key (instant, person)
);

-- The credential that a plan replaces; null when what is stored is no plan.
create function cs.replaced_by(p_plan bytea) returns text language plpgsql immutable as $$
begin
  return convert_from(p_plan, 'UTF8')::jsonb -> 'old' ->> 'id';
exception when others then
  return null;
end $$;

-- One notice about credentials of the same owners: [{tenant, objectId, id, expiresAt, thresholdSeconds, item}]. Those that
-- were told for this time before are left out; p_items_max stand in it. Returns how many are told now.
create function cs.expiry_tell(p_credentials jsonb, p_payload jsonb, p_items_max integer, p_at bigint) returns integer
language plpgsql security definer set search_path = cs, pg_temp as $$
declare
  v_notice bigint;
  v_items jsonb;
  v_total integer;
begin
  perform cs.must('notice_take');
  -- A key of its own for each look; what makes it once is the table above.
  insert into notice (run_id, kind, channel, key, payload, state, attempts, not_before, created_at, updated_at)
    values (null, 'credential.expiring', 'owners', 'expiry:' || gen_random_uuid(), '{}', 'due', 0, p_at, p_at, p_at)
    returning id into v_notice;
  with given as (
    select * from jsonb_to_recordset(p_credentials) as c(tenant text, "objectId" text, id text, "expiresAt" bigint,
      "thresholdSeconds" bigint, item jsonb)
  ), fresh as (
    insert into expiry_told (tenant, object_id, id, expires_at, threshold_seconds, notice_id)
      select tenant, "objectId", id, "expiresAt", "thresholdSeconds", v_notice from given
      on conflict do nothing returning tenant, object_id, id, expires_at
  ), told as (
    select g.item, row_number() over (order by g."expiresAt", g.id) as place
    from fresh f join given g on (g.tenant, g."objectId", g.id) = (f.tenant, f.object_id, f.id)
  )
  select count(*), coalesce(jsonb_agg(item order by place) filter (where place <= p_items_max), '[]')
    into v_total, v_items from told;
  if v_total = 0 then
    delete from notice where id = v_notice;
    return 0;
  end if;
  update notice set payload = p_payload || jsonb_build_object('expiring',
      jsonb_build_object('total', v_total, 'items', v_items))
    where id = v_notice;
  perform pg_notify('cs_notice', '');
  return v_total;
end $$;

-- Writes to one owner, unless that was done for this time. p_payload null: there is nothing to say. False: it was done before.
create function cs.weekly_tell(p_instant bigint, p_person text, p_payload jsonb, p_at bigint) returns boolean
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('notice_take');
  insert into weekly_told (instant, person) values (p_instant, p_person) on conflict do nothing;
  if not found then return false; end if;
  if p_payload is not null then
    insert into notice (run_id, kind, channel, key, payload, state, attempts, not_before, created_at, updated_at)
      values (null, 'owner.weekly', 'owners', 'weekly:' || p_instant || ':' || p_person, p_payload, 'due', 0, p_at, p_at, p_at);
    perform pg_notify('cs_notice', '');
  end if;
  return true;
end $$;

grant execute on function cs.expiry_tell, cs.weekly_tell, cs.replaced_by to cs_notifier;
grant select on cs.expiry_told, cs.weekly_told to cs_notifier;
-- No secret stands in the ledger.
grant select on cs.credential, cs.scan to cs_notifier;
