-- Findings of the fleet that people accept until a date. It quiets the finding and nothing else: no validation reads it.

create table cs.acceptance (
  id bigint generated always as identity primary key,
  -- What is accepted: this finding, as it was seen. One that shows something else counts again.
  tenant text not null,
  object_id text not null,
  credential text not null,
  code text not null,
  observed text not null,
  until_at bigint not null,
  asked_by text not null,
  asked_at bigint not null,
  reason_digest text not null references cs.attachment,
  -- A second person, of security. Without one nothing is accepted.
  confirmed_by text check (confirmed_by <> asked_by),
  confirmed_at bigint,
  ended text check (ended in ('expired', 'withdrawn')),
  ended_by text,
  ended_at bigint,
  check (until_at > asked_at),
  check ((ended is null) = (ended_at is null)),
  check ((confirmed_by is null) = (confirmed_at is null))
);
create unique index acceptance_open on cs.acceptance (tenant, object_id, credential, code) where ended_at is null;
create index acceptance_of on cs.acceptance (tenant, object_id, credential, code, id);
create index acceptance_until on cs.acceptance (until_at) where ended_at is null;

-- What the newest acceptance of a finding means for it at p_at. `changed`: something else is seen than was accepted.
create function cs.acceptance_state(p_acceptance cs.acceptance, p_observed text, p_at bigint) returns text
language sql immutable as $$
  select case
    when (p_acceptance).id is null or (p_acceptance).ended = 'withdrawn' then 'none'
    when (p_acceptance).ended = 'expired' or (p_acceptance).until_at <= p_at then
      case when (p_acceptance).confirmed_at is null then 'none' else 'expired' end
    when (p_acceptance).observed <> p_observed then 'changed'
    when (p_acceptance).confirmed_at is null then 'asked'
    else 'accepted' end
$$;

-- Ends what is over, with an entry each; returns how many. At most 1,000 at a time.
create function cs.acceptances_expire(p_at bigint) returns integer
language plpgsql security definer set search_path = cs, journal, pg_temp as $$
declare
  v_id bigint;
  v_count integer := 0;
begin
  perform cs.must('acceptance_expire');
  for v_id in select id from acceptance where ended_at is null and until_at <= p_at order by id limit 1000
      for update skip locked loop
    update acceptance set ended = 'expired', ended_at = p_at where id = v_id;
    perform journal.append(null, 'acceptance.expired', '{"acceptance":' || v_id || '}', p_at);
    v_count := v_count + 1;
  end loop;
  if v_count > 0 then perform pg_notify('cs_changed', ''); end if;
  return v_count;
end $$;

-- Asks that findings which are open be accepted, as they are seen. Returns the acceptances, in the order of the findings.
create function cs.acceptance_ask(p_findings bigint[], p_until bigint, p_person text, p_reason bytea, p_at bigint) returns jsonb
language plpgsql security definer set search_path = cs, journal, pg_temp as $$
declare
  v_finding bigint;
  v_of fleet_finding%rowtype;
  v_reason text;
  v_id bigint;
  v_made jsonb := '[]';
begin
  perform cs.must('acceptance');
  perform cs.acceptances_expire(p_at);
  v_reason := cs.attach(p_reason, 'reason', p_at);
  foreach v_finding in array p_findings loop
    select * into v_of from fleet_finding where id = v_finding;
    if not found then
      raise exception 'expected a finding of the fleet, got %', v_finding using errcode = 'CS004';
    end if;
    if v_of.cleared_at is not null then
      raise exception 'expected a finding that is so now, % is no more', v_finding using errcode = 'CS003';
    end if;
    insert into acceptance (tenant, object_id, credential, code, observed, until_at, asked_by, asked_at, reason_digest)
      values (v_of.tenant, v_of.object_id, v_of.credential, v_of.code, v_of.observed, p_until, p_person, p_at, v_reason)
      on conflict (tenant, object_id, credential, code) where ended_at is null do nothing returning id into v_id;
    if not found then
      raise exception 'expected a finding that nobody has asked to accept, % was asked for', v_finding using errcode = 'CS003';
    end if;
    perform journal.append(null, 'acceptance.asked', '{"acceptance":' || v_id || ',"code":' || quote(v_of.code) || ',"credential":'
      || quote(nullif(v_of.credential, '')) || ',"object":' || quote(nullif(v_of.object_id, '')) || ',"observed":'
      || quote(v_of.observed) || ',"person":' || quote(p_person) || ',"reasonDigest":' || quote(v_reason) || ',"tenant":'
      || quote(v_of.tenant) || ',"until":' || quote(journal.time_text(p_until)) || '}', p_at);
    v_made := v_made || to_jsonb(v_id);
  end loop;
  perform pg_notify('cs_changed', '');
  return v_made;
end $$;

-- A second person, of security, accepts what was asked for, as long as it is seen as it was then.
create function cs.acceptance_confirm(p_acceptances bigint[], p_person text, p_at bigint) returns void
language plpgsql security definer set search_path = cs, journal, pg_temp as $$
declare
  v_id bigint;
  v_of acceptance%rowtype;
begin
  perform cs.must('acceptance');
  foreach v_id in array p_acceptances loop
    select * into v_of from acceptance where id = v_id for update;
    if not found then
      raise exception 'expected an acceptance, got %', v_id using errcode = 'CS004';
    end if;
    if v_of.ended_at is not null or v_of.until_at <= p_at or v_of.confirmed_at is not null then
      raise exception 'expected an acceptance that waits for a second person, % does not', v_id using errcode = 'CS003';
    end if;
    if p_person = v_of.asked_by then
      raise exception 'expected a second person, got the one who asked' using errcode = '42501';
    end if;
    if not exists (select from fleet_finding f where f.tenant = v_of.tenant and f.object_id = v_of.object_id
        and f.credential = v_of.credential and f.code = v_of.code and f.cleared_at is null and f.observed = v_of.observed) then
      raise exception 'expected the finding as it was when it was asked for, % shows something else', v_id using errcode = 'CS003';
    end if;
    update acceptance set confirmed_by = p_person, confirmed_at = p_at where id = v_id;
    perform journal.append(null, 'acceptance.confirmed', '{"acceptance":' || v_id || ',"askedBy":' || quote(v_of.asked_by)
      || ',"person":' || quote(p_person) || '}', p_at);
  end loop;
  perform pg_notify('cs_changed', '');
end $$;

-- Takes them back, asked for or accepted: from now on they count.
create function cs.acceptance_withdraw(p_acceptances bigint[], p_person text, p_at bigint) returns void
language plpgsql security definer set search_path = cs, journal, pg_temp as $$
declare
  v_id bigint;
begin
  perform cs.must('acceptance');
  foreach v_id in array p_acceptances loop
    if not exists (select from acceptance where id = v_id) then
      raise exception 'expected an acceptance, got %', v_id using errcode = 'CS004';
    end if;
    update acceptance set ended = 'withdrawn', ended_by = p_person, ended_at = p_at
      where id = v_id and ended_at is null and until_at > p_at;
    if not found then
      raise exception 'expected an acceptance that has not ended, % has', v_id using errcode = 'CS003';
    end if;
    perform journal.append(null, 'acceptance.withdrawn', '{"acceptance":' || v_id || ',"person":' || quote(p_person) || '}', p_at);
  end loop;
  perform pg_notify('cs_changed', '');
end $$;

insert into cs.permission (role, act) values
  ('cs_api', 'acceptance'), ('cs_api', 'acceptance_expire'), ('cs_executor', 'acceptance_expire');
set local role cs_log;
grant execute on function journal.time_text to cs_migrator;
insert into journal.may (role, type, direct) values
  ('cs_api', 'acceptance.asked', false), ('cs_api', 'acceptance.confirmed', false), ('cs_api', 'acceptance.withdrawn', false),
  ('cs_api', 'acceptance.expired', false), ('cs_executor', 'acceptance.expired', false);
reset role;
grant execute on function cs.acceptance_ask, cs.acceptance_confirm, cs.acceptance_withdraw to cs_api;
grant execute on function cs.acceptances_expire, cs.acceptance_state to cs_api, cs_executor;
grant select on cs.acceptance to cs_api, cs_executor;
