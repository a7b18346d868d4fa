-- What a person confirmed to have done by hand, for a step that asks a person. One word stands per step and direction.
create table cs.confirmation (
  id bigint generated always as identity primary key,
  run_id text not null references cs.run,
  step text not null,
  direction text not null check (direction in ('do', 'undo')),
  person text not null,
  level text not null check (level in ('session', 'idp', 'passkey')),
  at bigint not null,
  withdrawn_at bigint,
  withdrawn_by text
);
create unique index confirmation_standing on cs.confirmation (run_id, step, direction) where withdrawn_at is null;

insert into cs.permission (role, act) values ('cs_api', 'confirm');
set local role cs_log;
insert into journal.may (role, type, direct) values ('cs_api', 'step.confirmed', false);
reset role;

-- An owner of the plan's application gives a word or takes it back, and the executor is woken. The row lock orders it
-- against moves: in `retiring` no word is given or taken back any more, so what the executor reads there stays true.
create function cs.confirm_step(
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
  if not (case p_direction when 'do' then v_run.state in ('executing', 'overlapping', 'held')
      when 'undo' then v_run.state in ('rolling_back', 'held') end) then
    raise exception 'expected a run that waits for this, got %', v_run.state using errcode = 'CS003';
  end if;
  select convert_from(body, 'UTF8')::jsonb into v_plan from plan where digest = v_run.plan_digest;
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

grant execute on function cs.confirm_step to cs_api;
grant select on cs.confirmation to cs_api, cs_executor;
