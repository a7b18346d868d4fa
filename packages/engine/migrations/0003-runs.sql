-- How a run moves. Functions run as their owner; who called is session_user, so each process logs in as itself.
-- SQLSTATE: CS001 stale fence, CS002 lock held, CS003 state conflict, CS004 not found, CS005 conflict, CS006 limit,
-- CS007 lease lost, 42501 not allowed, 22023 invalid.

create table cs.permission (
  role name not null,
  act text not null,
  primary key (role, act)
);

-- A part of the moves that evidence calls legal, by who may make them.
create table cs.may_move (
  role name not null,
  from_state text not null,
  to_state text not null,
  primary key (role, from_state, to_state)
);
insert into cs.may_move (role, from_state, to_state)
select 'cs_api', f, t from (values
  ('awaiting_approval', '{approved,rejected,withdrawn}'::text[]),
  ('requested', '{withdrawn}'), ('planned', '{withdrawn}'), ('approved', '{withdrawn}'), ('scheduled', '{withdrawn}')
) m(f, ts), unnest(ts) t
union all
select 'cs_executor', f, t from (values
  ('requested', '{planned,blocked}'::text[]),
  ('planned', '{awaiting_approval}'),
  ('awaiting_approval', '{expired,superseded}'),
  ('approved', '{scheduled,executing,expired,superseded,blocked}'),
  ('scheduled', '{executing,expired,superseded,blocked}'),
  ('executing', '{overlapping,held,rolling_back}'),
  ('overlapping', '{retiring,held,rolling_back,superseded}'),
  ('retiring', '{completed,overlapping,held}'),
  ('held', '{executing,overlapping,retiring,rolling_back}'),
  ('rolling_back', '{rolled_back,held}')
) m(f, ts), unnest(ts) t;

create function cs.is_final(p_state text) returns boolean language sql immutable as $$
  select p_state in ('completed', 'rolled_back', 'rejected', 'expired', 'withdrawn', 'superseded', 'blocked')
$$;

create function cs.digest(p_bytes bytea) returns text language sql immutable as $$
  select 'sha256:' || encode(sha256(p_bytes), 'hex')
$$;

-- A JSON string, or null.
create function cs.quote(p_text text) returns text language sql immutable as $$
  select coalesce(to_json(p_text)::text, 'null')
$$;

create function cs.must(p_act text) returns void language plpgsql as $$
begin
  if not exists (select from cs.permission where role = session_user and act = p_act) then
    raise exception 'expected a login that may %, got %', p_act, session_user using errcode = '42501';
  end if;
end $$;

-- Says why a compare-and-swap found no row.
create function cs.refuse(p_run text, p_fence bigint, p_state text) returns void language plpgsql as $$
declare
  v_fence bigint;
  v_state text;
begin
  select fence, state into v_fence, v_state from cs.run where id = p_run;
  if not found then
    raise exception 'expected run %, got none', p_run using errcode = 'CS004';
  end if;
  if v_fence = p_fence and v_state <> p_state then
    raise exception 'expected state %, got %', p_state, v_state using errcode = 'CS003';
  end if;
  raise exception 'expected fence % and its holder, got %', p_fence, v_fence using errcode = 'CS001';
end $$;

-- Locks the run against moves and take-over until commit, if the caller still holds it.
create function cs.hold_still(p_run text, p_fence bigint, p_worker uuid) returns text language plpgsql as $$
declare
  v_state text;
begin
  select state into v_state from cs.run where id = p_run and fence = p_fence and worker = p_worker for share;
  if not found then perform cs.refuse(p_run, p_fence, null); end if;
  return v_state;
end $$;

create function cs.attach(p_bytes bytea, p_kind text, p_at bigint) returns text language plpgsql as $$
begin
  insert into cs.attachment (digest, kind, bytes, stored_at) values (cs.digest(p_bytes), p_kind, p_bytes, p_at)
    on conflict (digest) do nothing;
  return cs.digest(p_bytes);
end $$;

create function cs.changed(p_run text, p_due boolean) returns void language plpgsql as $$
begin
  perform pg_notify('cs_changed', p_run);
  if p_due then perform pg_notify('cs_due', p_run); end if;
end $$;

-- Further entries of a transition: [{"type", "data": canonical text}].
create function cs.append_all(p_run text, p_entries jsonb, p_at bigint) returns void language plpgsql as $$
declare
  v_entry jsonb;
begin
  for v_entry in select value from jsonb_array_elements(coalesce(p_entries, '[]')) with ordinality order by ordinality loop
    if not journal.may_direct(v_entry ->> 'type') then
      raise exception 'expected a login that may write %, got %', v_entry ->> 'type', session_user using errcode = '42501';
    end if;
    perform journal.append(p_run, v_entry ->> 'type', v_entry ->> 'data', p_at);
  end loop;
end $$;

-- Notices for the outbox: [{"kind", "channel", "key", "payload"}]; a known key is sent only once.
create function cs.notices(p_run text, p_notices jsonb, p_at bigint) returns void language plpgsql as $$
begin
  insert into cs.notice (run_id, kind, channel, key, payload, state, attempts, not_before, created_at, updated_at)
    select p_run, kind, channel, key, coalesce(payload, '{}'), 'due', 0, p_at, p_at, p_at
    from jsonb_to_recordset(coalesce(p_notices, '[]')) as n(kind text, channel text, key text, payload jsonb)
    on conflict (key) do nothing;
  if found then perform pg_notify('cs_notice', ''); end if;
end $$;

create function cs.take_locks(p_run text, p_take jsonb) returns void language plpgsql as $$
declare
  v_lock record;
  v_holder text;
begin
  -- One order for everybody: two runs that want the same keys wait for each other instead of blocking for ever.
  for v_lock in select key, held from jsonb_to_recordset(p_take) as t(key text, held text) order by key collate "C" loop
    insert into cs.run_lock (key, run_id, held) values (v_lock.key, p_run, v_lock.held)
      on conflict (key) do update set held = case when 'run' in (run_lock.held, excluded.held) then 'run' else 'effects' end
      where run_lock.run_id = p_run;
    if not found then
      select run_id into v_holder from cs.run_lock where key = v_lock.key;
      raise exception 'expected lock % to be free, got it held by %', v_lock.key, v_holder
        using errcode = 'CS002', detail = coalesce(v_holder, '');
    end if;
  end loop;
end $$;

-- The one way a run changes its state. The caller has looked at permissions of its own.
create function cs.move(
  p_run text, p_fence bigint, p_worker uuid, p_from text, p_to text, p_not_before bigint, p_at bigint, p_because text,
  p_entries jsonb, p_release boolean, p_data jsonb, p_take jsonb, p_answered boolean
) returns bigint language plpgsql as $$
declare
  v_final boolean := cs.is_final(p_to);
  v_fence bigint;
begin
  if not exists (select from cs.may_move where role = session_user and from_state = p_from and to_state = p_to) then
    raise exception 'expected a login that may move % to %, got %', p_from, p_to, session_user using errcode = '42501';
  end if;
  update cs.run set state = p_to, fence = fence + 1, attempts = 0, updated_at = p_at, data = coalesce(p_data, data),
      asked = case when not v_final and p_to <> 'rolling_back' and not p_answered then asked end,
      not_before = case when not v_final then p_not_before end,
      worker = case when not v_final and not p_release then worker end
    where id = p_run and fence = p_fence and state = p_from and worker is not distinct from p_worker
    returning fence into v_fence;
  if not found then perform cs.refuse(p_run, p_fence, p_from); end if;
  if v_final then
    delete from cs.run_lock where run_id = p_run;
  elsif p_to not in ('executing', 'rolling_back') then
    delete from cs.run_lock where run_id = p_run and held = 'effects';
  end if;
  if v_final or p_to = 'rolling_back' or p_answered then
    update cs.directive set taken_at = p_at where run_id = p_run and taken_at is null;
  end if;
  if p_take is not null and not v_final then perform cs.take_locks(p_run, p_take); end if;
  perform cs.changed(p_run, not v_final and p_release and p_not_before is not null);

  perform cs.append_all(p_run, p_entries, p_at);
  perform journal.append(p_run, 'run.moved', '{"because":' || coalesce(p_because, 'null') || ',"fence":' || v_fence
    || ',"from":' || cs.quote(p_from) || ',"to":' || cs.quote(p_to) || '}', p_at);
  if v_final then
    perform journal.append(p_run, 'run.closed', '{"entries":' || journal.run_length(p_run) + 1
      || ',"state":' || cs.quote(p_to) || '}', p_at);
  end if;
  return v_fence;
end $$;

-- Files a request. With p_unless_open the id of an open run of the same target is returned instead.
create function cs.submit_run(
  p_id text, p_tenant text, p_environment text, p_target_key text, p_target text, p_procedure text, p_trigger text,
  p_requester text, p_reason bytea, p_replaces text, p_at bigint, p_not_before bigint, p_unless_open boolean
) returns text language plpgsql security definer set search_path = cs, journal, pg_temp as $$
declare
  v_open text;
  v_reason text;
begin
  perform cs.must('submit_run');
  if p_unless_open then
    perform pg_advisory_xact_lock(hashtextextended('cs.target:' || p_target_key, 0));
    select id into v_open from run where target_key = p_target_key and not is_final(state) order by created_at limit 1;
    if found then return v_open; end if;
  end if;
  if p_reason is not null then v_reason := cs.attach(p_reason, 'reason', p_at); end if;
  insert into run (id, tenant, environment, target_key, target, procedure, trigger, requester, reason_digest, state, fence,
      not_before, attempts, data, replaces, created_at, updated_at)
    values (p_id, p_tenant, p_environment, p_target_key, p_target::jsonb, p_procedure, p_trigger, p_requester, v_reason,
      'requested', 0, p_not_before, 0, '{}', p_replaces, p_at, p_at);
  perform cs.changed(p_id, true);
  perform journal.append(p_id, 'run.requested', '{"procedure":' || quote(p_procedure) || ',"reasonDigest":' || quote(v_reason)
    || ',"replaces":' || quote(p_replaces) || ',"requester":' || quote(p_requester) || ',"target":' || p_target
    || ',"trigger":' || quote(p_trigger) || '}', p_at);
  return p_id;
end $$;

-- The executor moves a run it holds; returns the new fence. p_plan freezes a plan, p_findings records a validation,
-- p_answered says that the move answers what a person asked for.
create function cs.transition(
  p_run text, p_fence bigint, p_worker uuid, p_from text, p_to text, p_not_before bigint, p_at bigint, p_because text,
  p_entries jsonb, p_release boolean, p_data jsonb, p_take jsonb, p_plan bytea, p_policy_digest text, p_findings jsonb,
  p_notices jsonb, p_answered boolean
) returns bigint language plpgsql security definer set search_path = cs, journal, pg_temp as $$
begin
  perform cs.must('transition');
  if p_worker is null then
    raise exception 'expected the worker that holds the run' using errcode = '22023';
  end if;
  -- The lock that the update needs is taken first: two that both share it could only wait for each other.
  perform from run where id = p_run for no key update;
  perform cs.hold_still(p_run, p_fence, p_worker);
  if p_plan is not null then
    insert into plan (digest, run_id, body, frozen_at) values (cs.digest(p_plan), p_run, p_plan, p_at);
    update run set plan_digest = cs.digest(p_plan) where id = p_run;
  end if;
  if p_policy_digest is not null then update run set policy_digest = p_policy_digest where id = p_run; end if;
  insert into finding (run_id, code, result, observed, required, target, at)
    select p_run, code, result, observed, required, coalesce(target, '{}'), p_at
    from jsonb_to_recordset(coalesce(p_findings, '[]'))
      as f(code text, result text, observed text, required text, target jsonb);
  perform cs.notices(p_run, p_notices, p_at);
  return cs.move(p_run, p_fence, p_worker, p_from, p_to, p_not_before, p_at, p_because, p_entries, p_release, p_data, p_take,
    p_answered);
end $$;

-- A person's decision over a plan: attachments, approval and entry, and the move it brings about, in one transaction.
-- p_seen: how many approvals the caller had read when it judged the quorum; another number is CS005, read again.
create function cs.decide(
  p_run text, p_plan_digest text, p_person text, p_role text, p_decision text, p_level text, p_statement bytea,
  p_envelope bytea, p_at bigint, p_seen integer, p_quorum boolean, p_not_before bigint
) returns text language plpgsql security definer set search_path = cs, journal, pg_temp as $$
declare
  v_run run%rowtype;
  v_statement text;
  v_evidence text;
  v_to text;
begin
  perform cs.must('decide');
  select * into v_run from run where id = p_run for update;
  if not found then
    raise exception 'expected run %, got none', p_run using errcode = 'CS004';
  end if;
  if v_run.state <> 'awaiting_approval' then
    raise exception 'expected state awaiting_approval, got %', v_run.state using errcode = 'CS003';
  end if;
  if v_run.plan_digest is distinct from p_plan_digest then
    raise exception 'expected plan %, got %', v_run.plan_digest, p_plan_digest using errcode = 'CS003';
  end if;
  if exists (select from approval where run_id = p_run and person = p_person) then
    raise exception 'expected one decision per person and run, got a second' using errcode = 'CS003';
  end if;
  if (select count(*) from approval where run_id = p_run) <> p_seen then
    raise exception 'expected % approvals so far, got another number', p_seen using errcode = 'CS005';
  end if;
  v_statement := cs.attach(p_statement, 'statement', p_at);
  v_evidence := cs.attach(p_envelope, 'envelope', p_at);
  insert into approval values
    (p_run, p_person, p_plan_digest, p_role, p_decision, p_level, v_statement, v_evidence, p_at);
  v_to := case when p_decision = 'reject' then 'rejected' when p_quorum then 'approved' end;
  if v_to is null then perform cs.changed(p_run, false); end if;

  perform journal.append(p_run, 'approval.given', '{"decision":' || quote(p_decision) || ',"evidenceDigest":' || quote(v_evidence)
    || ',"level":' || quote(p_level) || ',"person":' || quote(p_person) || ',"role":' || quote(p_role)
    || ',"statementDigest":' || quote(v_statement) || '}', p_at);
  if v_to is not null then
    perform cs.move(p_run, v_run.fence, v_run.worker, 'awaiting_approval', v_to, coalesce(p_not_before, p_at), p_at,
      case when v_to = 'approved' then '{"code":"quorum"}' else '{"code":"rejected"}' end, null, true, null, null, false);
  end if;
  return coalesce(v_to, v_run.state);
end $$;

-- Takes a run back before its first effect. Later, a person rolls back instead (cs.direct).
create function cs.withdraw(p_run text, p_person text, p_at bigint) returns void
language plpgsql security definer set search_path = cs, journal, pg_temp as $$
declare
  v_run run%rowtype;
begin
  perform cs.must('withdraw');
  select * into v_run from run where id = p_run for update;
  if not found then
    raise exception 'expected run %, got none', p_run using errcode = 'CS004';
  end if;
  if v_run.state not in ('requested', 'planned', 'awaiting_approval', 'approved', 'scheduled') then
    raise exception 'expected a run before its first effect, got %', v_run.state using errcode = 'CS003';
  end if;
  perform cs.move(p_run, v_run.fence, v_run.worker, v_run.state, 'withdrawn', null, p_at,
    '{"code":"withdrawn","person":' || quote(p_person) || '}', null, true, null, null, false);
end $$;

-- Leaves a person's word for the executor and wakes it.
create function cs.direct(p_run text, p_kind text, p_person text, p_reason bytea, p_at bigint) returns void
language plpgsql security definer set search_path = cs, journal, pg_temp as $$
declare
  v_state text;
begin
  perform cs.must('direct');
  select state into v_state from run where id = p_run for update;
  if not found then
    raise exception 'expected run %, got none', p_run using errcode = 'CS004';
  end if;
  if v_state not in ('approved', 'scheduled', 'executing', 'overlapping', 'retiring', 'held', 'rolling_back') then
    raise exception 'expected a run under way, got %', v_state using errcode = 'CS003';
  end if;
  insert into directive (run_id, kind, person, reason_digest, at)
    values (p_run, p_kind, p_person, case when p_reason is not null then cs.attach(p_reason, 'reason', p_at) end, p_at);
  update run set asked = p_kind, not_before = least(not_before, p_at) where id = p_run;
  perform cs.changed(p_run, true);
end $$;
