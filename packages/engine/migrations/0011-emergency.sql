-- Emergencies and break-glass.

-- A run that is held ends when an authorised emergency run takes it over; only its holder moves it.
insert into cs.may_move (role, from_state, to_state) values ('cs_executor', 'held', 'superseded');

insert into cs.permission (role, act) values ('cs_api', 'break_glass'), ('cs_executor', 'wake');
set local role cs_log;
insert into journal.may (role, type, direct) values
  ('cs_api', 'breakglass.granted', false), ('cs_api', 'breakglass.confirmed', false),
  ('cs_api', 'breakglass.reviewed', false), ('cs_api', 'freeze.set', false), ('cs_api', 'freeze.lifted', false),
  ('cs_executor', 'freeze.set', false), ('cs_executor', 'freeze.lifted', false);
reset role;

-- One person started a run alone. Statements and envelopes are attachments.
create table cs.break_glass (
  run_id text primary key references cs.run,
  target_key text not null,
  plan_digest text not null,
  person text not null,
  role text not null,
  level text not null check (level in ('session', 'idp', 'passkey')),
  statement_digest text not null references cs.attachment,
  evidence_digest text not null references cs.attachment,
  at bigint not null,
  -- By when a second person confirms it, and somebody reviews it.
  confirm_until bigint not null,
  review_until bigint not null,
  confirmed_by text,
  confirmed_role text,
  confirmed_statement text references cs.attachment,
  confirmed_evidence text references cs.attachment,
  confirmed_at bigint
);
create index break_glass_target on cs.break_glass (target_key);

-- What was said of it afterwards; an objection leaves the application locked.
create table cs.break_glass_review (
  id bigint generated always as identity primary key,
  run_id text not null references cs.break_glass,
  person text not null,
  role text not null,
  result text not null check (result in ('accepted', 'objected')),
  statement_digest text not null references cs.attachment,
  evidence_digest text not null references cs.attachment,
  at bigint not null
);
create index break_glass_reviewed on cs.break_glass_review (run_id);

-- The first use of the application that no review has accepted, or null.
create function cs.unreviewed(p_target_key text) returns text language sql stable as $$
  select b.run_id from cs.break_glass b
  where b.target_key = p_target_key and not exists (
    select from cs.break_glass_review r where r.run_id = b.run_id and r.result = 'accepted')
  order by b.at limit 1
$$;

-- Whether one of the roles of a list in a plan has this person.
create function cs.is_named(p_allowed jsonb, p_person text, p_role text) returns boolean language sql immutable as $$
  select exists (select from jsonb_array_elements(p_allowed) a where a ->> 'role' = p_role and a -> 'people' ? p_person)
$$;

-- One person alone lets a run start: attachments, row, entry, the loud notice and the move, in one transaction.
create function cs.break_glass_grant(
  p_run text, p_plan_digest text, p_person text, p_role text, p_level text, p_statement bytea, p_envelope bytea,
  p_at bigint, p_not_before bigint
) returns void language plpgsql security definer set search_path = cs, journal, pg_temp as $$
declare
  v_run run%rowtype;
  v_terms jsonb;
  v_statement text;
  v_evidence text;
begin
  perform cs.must('break_glass');
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
  select convert_from(body, 'UTF8')::jsonb -> 'breakGlass' into v_terms from plan where digest = p_plan_digest;
  if v_terms is null or not cs.is_named(v_terms -> 'grant', p_person, p_role) then
    raise exception 'expected one whom the plan lets start alone, got %', p_person using errcode = '42501';
  end if;
  v_statement := cs.attach(p_statement, 'statement', p_at);
  v_evidence := cs.attach(p_envelope, 'envelope', p_at);
  insert into break_glass (run_id, target_key, plan_digest, person, role, level, statement_digest, evidence_digest, at,
      confirm_until, review_until)
    values (p_run, v_run.target_key, p_plan_digest, p_person, p_role, p_level, v_statement, v_evidence, p_at,
      p_at + (v_terms ->> 'confirmWithinSeconds')::bigint * 1000, p_at + (v_terms ->> 'reviewWithinSeconds')::bigint * 1000);
  perform cs.notices(p_run, jsonb_build_array(jsonb_build_object('kind', 'breakglass.used', 'channel', 'owners',
    'key', p_run || ':breakglass', 'payload', jsonb_build_object('application', v_run.target_key, 'person', p_person))), p_at);
  perform journal.append(p_run, 'breakglass.granted', '{"evidenceDigest":' || quote(v_evidence) || ',"level":' || quote(p_level)
    || ',"person":' || quote(p_person) || ',"role":' || quote(p_role) || ',"statementDigest":' || quote(v_statement) || '}', p_at);
  perform cs.move(p_run, v_run.fence, v_run.worker, 'awaiting_approval', 'approved', coalesce(p_not_before, p_at), p_at,
    '{"code":"break-glass","person":' || quote(p_person) || '}', null, true, null, null, false);
end $$;

-- A second person confirms it, while the run is open.
create function cs.break_glass_confirm(
  p_run text, p_person text, p_role text, p_level text, p_statement bytea, p_envelope bytea, p_at bigint
) returns void language plpgsql security definer set search_path = cs, journal, pg_temp as $$
declare
  v_run run%rowtype;
  v_use break_glass%rowtype;
  v_terms jsonb;
  v_statement text;
  v_evidence text;
begin
  perform cs.must('break_glass');
  select * into v_run from run where id = p_run for update;
  select * into v_use from break_glass where run_id = p_run for update;
  if not found then
    raise exception 'expected a break-glass use of %, got none', p_run using errcode = 'CS004';
  end if;
  if cs.is_final(v_run.state) or v_use.confirmed_by is not null then
    raise exception 'expected an open run that nobody has confirmed, got %', v_run.state using errcode = 'CS003';
  end if;
  select convert_from(body, 'UTF8')::jsonb -> 'breakGlass' into v_terms from plan where digest = v_use.plan_digest;
  if p_person = v_use.person or not cs.is_named(v_terms -> 'confirm', p_person, p_role) then
    raise exception 'expected a second person whom the plan names, got %', p_person using errcode = '42501';
  end if;
  v_statement := cs.attach(p_statement, 'statement', p_at);
  v_evidence := cs.attach(p_envelope, 'envelope', p_at);
  update break_glass set confirmed_by = p_person, confirmed_role = p_role, confirmed_statement = v_statement,
    confirmed_evidence = v_evidence, confirmed_at = p_at where run_id = p_run;
  -- A run that holds for want of this word goes on by itself.
  update run set not_before = least(not_before, p_at) where id = p_run;
  perform cs.changed(p_run, true);
  perform journal.append(p_run, 'breakglass.confirmed', '{"evidenceDigest":' || quote(v_evidence) || ',"level":' || quote(p_level)
    || ',"person":' || quote(p_person) || ',"role":' || quote(p_role) || ',"statementDigest":' || quote(v_statement) || '}', p_at);
end $$;

-- Somebody else has looked at it. The run may have closed, so the entry stands beside its chain and names it.
create function cs.break_glass_review(
  p_run text, p_person text, p_role text, p_level text, p_result text, p_statement bytea, p_envelope bytea, p_at bigint
) returns void language plpgsql security definer set search_path = cs, journal, pg_temp as $$
declare
  v_use break_glass%rowtype;
  v_terms jsonb;
  v_statement text;
  v_evidence text;
begin
  perform cs.must('break_glass');
  select * into v_use from break_glass where run_id = p_run for update;
  if not found then
    raise exception 'expected a break-glass use of %, got none', p_run using errcode = 'CS004';
  end if;
  if exists (select from break_glass_review where run_id = p_run and result = 'accepted') then
    raise exception 'expected a use that waits for its review, got one that was accepted' using errcode = 'CS003';
  end if;
  select convert_from(body, 'UTF8')::jsonb -> 'breakGlass' into v_terms from plan where digest = v_use.plan_digest;
  if p_person = v_use.person or not cs.is_named(v_terms -> 'confirm', p_person, p_role) then
    raise exception 'expected somebody else whom the plan names, got %', p_person using errcode = '42501';
  end if;
  v_statement := cs.attach(p_statement, 'statement', p_at);
  v_evidence := cs.attach(p_envelope, 'envelope', p_at);
  insert into break_glass_review (run_id, person, role, result, statement_digest, evidence_digest, at)
    values (p_run, p_person, p_role, p_result, v_statement, v_evidence, p_at);
  perform pg_notify('cs_changed', p_run);
  perform journal.append(null, 'breakglass.reviewed', '{"evidenceDigest":' || quote(v_evidence) || ',"level":' || quote(p_level)
    || ',"of":' || quote(p_run) || ',"person":' || quote(p_person) || ',"result":' || quote(p_result)
    || ',"role":' || quote(p_role) || ',"statementDigest":' || quote(v_statement) || '}', p_at);
end $$;

-- The executor wants a run looked at now: an emergency of the same application has come, or is about to take it over.
create function cs.wake(p_run text, p_at bigint) returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('wake');
  update run set not_before = least(not_before, p_at) where id = p_run and worker is null and not is_final(state);
  perform cs.changed(p_run, true);
end $$;

-- As before, and: one emergency at a time, and nothing by itself while a break-glass use waits for its review.
create or replace function cs.submit_run(
  p_id text, p_tenant text, p_environment text, p_target_key text, p_target text, p_procedure text, p_trigger text,
  p_requester text, p_reason bytea, p_replaces text, p_at bigint, p_not_before bigint, p_unless_open boolean
) returns text language plpgsql security definer set search_path = cs, journal, pg_temp as $$
declare
  v_open text;
  v_reason text;
begin
  perform cs.must('submit_run');
  if p_unless_open or p_trigger = 'compromise' then
    perform pg_advisory_xact_lock(hashtextextended('cs.target:' || p_target_key, 0));
  end if;
  if p_trigger = 'compromise' and exists (select from run where target_key = p_target_key and trigger = 'compromise'
      and not is_final(state) and id is distinct from p_replaces) then
    raise exception 'expected no open emergency run of %', p_target_key using errcode = 'CS003';
  end if;
  if p_unless_open then
    -- What a person started alone and nobody has reviewed locks the application for everything that asks by itself.
    if p_requester like 'system:%' then
      v_open := cs.unreviewed(p_target_key);
      if v_open is not null then return v_open; end if;
    end if;
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

-- As before, and: in an emergency also after the cut.
create or replace function cs.confirm_step(
  p_run text, p_step text, p_direction text, p_person text, p_level text, p_given boolean, p_at bigint
) returns void language plpgsql security definer set search_path = cs, journal, pg_temp as $$
declare
  v_run run%rowtype;
  v_plan jsonb;
begin
  perform cs.must('confirm');
  select * into v_run from run where id = p_run for update;
  if not found then
    raise exception 'expected run %, got none', p_run using errcode = 'CS004';
  end if;
  select convert_from(body, 'UTF8')::jsonb into v_plan from plan where digest = v_run.plan_digest;
  -- In an emergency the cut does not wait for it, so the word may come after it.
  if not (case p_direction when 'do' then v_run.state in ('executing', 'overlapping', 'held')
        or v_run.state = 'retiring' and v_plan ? 'emergency'
      when 'undo' then v_run.state in ('rolling_back', 'held') end) then
    raise exception 'expected a run that waits for this, got %', v_run.state using errcode = 'CS003';
  end if;
  if not exists (select from jsonb_array_elements(v_plan -> 'steps') s
      where s ->> 'id' = p_step and s ->> 'verb' like 'manual.ask@%')
    or not exists (select from step where run_id = p_run and step.step = p_step and direction = 'do') then
    raise exception 'expected a step that was asked of a person, got %', p_step using errcode = 'CS003';
  end if;
  if not v_plan -> 'baseline' -> 'owners' ? p_person then
    raise exception 'expected an owner of the application, got %', p_person using errcode = '42501';
  end if;
  if p_given then
    insert into confirmation (run_id, step, direction, person, level, at)
      values (p_run, p_step, p_direction, p_person, p_level, p_at)
      on conflict (run_id, step, direction) where withdrawn_at is null do nothing;
  else
    update confirmation set withdrawn_at = p_at, withdrawn_by = p_person
      where run_id = p_run and step = p_step and direction = p_direction and withdrawn_at is null;
  end if;
  if not found then
    raise exception 'expected another word than the one that stands' using errcode = 'CS003';
  end if;
  if v_run.state <> 'held' then
    update run set not_before = least(not_before, p_at) where id = p_run;
  end if;
  perform cs.changed(p_run, v_run.state <> 'held');
  perform journal.append(p_run, 'step.confirmed', '{"confirmation":' || quote(case when p_given then 'given' else 'withdrawn' end)
    || ',"direction":' || quote(p_direction) || ',"level":' || quote(p_level) || ',"person":' || quote(p_person)
    || ',"step":' || quote(p_step) || '}', p_at);
end $$;

-- As before, with an entry.
create or replace function cs.freeze(p_scope text, p_frozen boolean, p_person text, p_at bigint) returns void
language plpgsql security definer set search_path = cs, journal, pg_temp as $$
begin
  perform cs.must('freeze');
  if p_scope <> 'all' and p_scope !~ '^tenant:.' then
    raise exception 'expected scope all or tenant:<name>' using errcode = '22023';
  end if;
  insert into control (scope, frozen, person, at) values (p_scope, p_frozen, p_person, p_at)
    on conflict (scope) do update set frozen = excluded.frozen, person = excluded.person, at = excluded.at;
  perform pg_notify('cs_control', p_scope);
  perform journal.append(null, case when p_frozen then 'freeze.set' else 'freeze.lifted' end,
    '{"person":' || cs.quote(p_person) || ',"scope":' || cs.quote(p_scope) || '}', p_at);
end $$;

grant execute on function cs.break_glass_grant, cs.break_glass_confirm, cs.break_glass_review to cs_api;
grant execute on function cs.wake to cs_executor;
grant execute on function cs.unreviewed to cs_api, cs_executor;
grant select on cs.break_glass, cs.break_glass_review to cs_api, cs_executor;
