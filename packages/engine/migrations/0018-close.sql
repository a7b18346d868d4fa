-- A held run can be closed as it stands: one person asks, a second one of security confirms, both over the same list of
-- what remains outside. The executor proves the words and moves the run.
insert into cs.may_move (role, from_state, to_state) values ('cs_executor', 'held', 'left_as_is');

alter table cs.run drop constraint run_state_check;
alter table cs.run add constraint run_state_check check (state in ('requested', 'blocked', 'planned', 'awaiting_approval',
  'approved', 'scheduled', 'executing', 'overlapping', 'retiring', 'completed', 'held', 'rolling_back', 'rolled_back',
  'rejected', 'expired', 'withdrawn', 'superseded', 'left_as_is'));

create or replace function cs.is_final(p_state text) returns boolean language sql immutable as $$
  select p_state in ('completed', 'rolled_back', 'rejected', 'expired', 'withdrawn', 'superseded', 'left_as_is', 'blocked')
$$;

insert into cs.permission (role, act) values ('cs_api', 'close');
set local role cs_log;
insert into journal.may (role, type, direct) values
  ('cs_api', 'close.asked', false), ('cs_api', 'close.confirmed', false);
reset role;

-- What people signed about closing a run. Statements, envelopes and lists are attachments.
create table cs.close_word (
  id bigint generated always as identity primary key,
  run_id text not null references cs.run,
  kind text not null check (kind in ('asked', 'confirmed')),
  person text not null,
  role text not null,
  level text not null check (level in ('session', 'idp', 'passkey')),
  statement_digest text not null references cs.attachment,
  evidence_digest text not null references cs.attachment,
  remains_digest text not null references cs.attachment,
  at bigint not null
);
create index close_word_run on cs.close_word (run_id, id);

-- One person's word about closing a held run: attachments, row, entry and notice, in one transaction. A confirmation is of
-- the last word asked, by somebody else and over the same list; with it the executor looks at the run.
create function cs.close_say(
  p_run text, p_kind text, p_plan_digest text, p_person text, p_role text, p_level text, p_statement bytea,
  p_envelope bytea, p_remains bytea, p_at bigint
) returns void language plpgsql security definer set search_path = cs, journal, pg_temp as $$
declare
  v_run run%rowtype;
  v_last close_word%rowtype;
  v_statement text;
  v_evidence text;
  v_remains text;
begin
  perform cs.must('close');
  select * into v_run from run where id = p_run for update;
  if not found then
    raise exception 'expected run %, got none', p_run using errcode = 'CS004';
  end if;
  if v_run.state <> 'held' then
    raise exception 'expected state held, got %', v_run.state using errcode = 'CS003';
  end if;
  if v_run.plan_digest is distinct from p_plan_digest then
    raise exception 'expected plan %, got %', v_run.plan_digest, p_plan_digest using errcode = 'CS003';
  end if;
  v_statement := cs.attach(p_statement, 'statement', p_at);
  v_evidence := cs.attach(p_envelope, 'envelope', p_at);
  v_remains := cs.attach(p_remains, 'remains', p_at);
  if p_kind = 'confirmed' then
    select * into v_last from close_word where run_id = p_run order by id desc limit 1;
    if v_last.kind is distinct from 'asked' or v_last.remains_digest <> v_remains then
      raise exception 'expected a close that was asked for over the same list' using errcode = 'CS003';
    end if;
    if v_last.person = p_person or p_role <> 'security' then
      raise exception 'expected a second person of security, got %', p_person using errcode = '42501';
    end if;
  end if;
  insert into close_word (run_id, kind, person, role, level, statement_digest, evidence_digest, remains_digest, at)
    values (p_run, p_kind, p_person, p_role, p_level, v_statement, v_evidence, v_remains, p_at);
  perform journal.append(p_run, 'close.' || p_kind, '{"evidenceDigest":' || quote(v_evidence) || ',"level":' || quote(p_level)
    || ',"person":' || quote(p_person) || ',"remainsDigest":' || quote(v_remains) || ',"role":' || quote(p_role)
    || ',"statementDigest":' || quote(v_statement) || '}', p_at);
  if p_kind = 'asked' then
    perform cs.notices(p_run, jsonb_build_array(jsonb_build_object('kind', 'close.asked', 'channel', 'owners',
      'key', v_statement, 'payload', jsonb_build_object('application', v_run.target_key, 'person', p_person))), p_at);
    perform cs.changed(p_run, false);
  else
    update run set not_before = least(not_before, p_at) where id = p_run;
    perform cs.changed(p_run, true);
  end if;
end $$;

grant execute on function cs.close_say to cs_api;
grant select on cs.close_word to cs_api, cs_executor;
