-- After an older backup was restored, a person who has read what it lacks lets work go on. Nothing that was open in it is
-- taken up: what is known of it may be less than what was done.
set local role cs_log;
insert into journal.may (role, type, direct) values ('cs_executor', 'log.restored', false);
create index log_entry_restored on journal.log_entry (idx) where type = 'log.restored';
reset role;

insert into cs.permission (role, act) values ('cs_executor', 'restore');
insert into cs.may_move (role, from_state, to_state)
select 'cs_executor', f, 'withdrawn'
  from unnest('{requested,planned,awaiting_approval,approved,scheduled}'::text[]) f;

-- Whether a run in this state has had no effect yet.
create function cs.untouched(p_state text) returns boolean language sql immutable as $$
  select p_state in ('requested', 'planned', 'awaiting_approval', 'approved', 'scheduled')
$$;

-- Writes `log.restored` and puts every open run to rest, in one transaction: one that had touched nothing is withdrawn, every
-- other is held. p_seen, p_signed: canonical checkpoint references. Returns how many of each.
create function cs.log_restored(
  p_person text, p_reason bytea, p_report bytea, p_seen text, p_signed text, p_unknown integer, p_at bigint
) returns jsonb language plpgsql security definer set search_path = cs, journal, pg_temp as $$
declare
  v_run run%rowtype;
  v_because text := '{"code":"log-restored","person":' || cs.quote(p_person) || '}';
  v_data jsonb;
  v_ids text[];
  v_held integer;
  v_withdrawn integer;
begin
  perform cs.must('restore');
  -- One order for everybody; whoever holds a run loses it here.
  select coalesce(array_agg(id order by id), '{}') into v_ids
    from (select id from run where not is_final(state) order by id for update) open;
  select count(*) filter (where not cs.untouched(state)), count(*) filter (where cs.untouched(state)) into v_held, v_withdrawn
    from run where id = any (v_ids);
  perform journal.append(null, 'log.restored', '{"held":' || v_held || ',"person":' || quote(p_person)
    || ',"reasonDigest":' || quote(cs.attach(p_reason, 'reason', p_at))
    || ',"reportDigest":' || quote(cs.attach(p_report, 'restored-report', p_at))
    || ',"seen":' || p_seen || ',"signed":' || p_signed || ',"unknown":' || p_unknown
    || ',"withdrawn":' || v_withdrawn || '}', p_at);
  for v_run in select * from run where id = any (v_ids) order by id loop
    v_data := jsonb_set(v_run.data, '{held}',
      jsonb_build_object('code', 'log-restored', 'from', coalesce(v_run.data #>> '{held,from}', v_run.state)));
    if v_run.state = 'held' then
      update run set fence = fence + 1, worker = null, asked = null, not_before = null, data = v_data where id = v_run.id;
      update directive set taken_at = p_at where run_id = v_run.id and taken_at is null;
      perform cs.changed(v_run.id, false);
    elsif cs.untouched(v_run.state) then
      perform cs.move(v_run.id, v_run.fence, v_run.worker, v_run.state, 'withdrawn', null, p_at, v_because, null, true, null, null,
        true);
    else
      perform cs.move(v_run.id, v_run.fence, v_run.worker, v_run.state, 'held', null, p_at, v_because, null, true, v_data, null, true);
    end if;
  end loop;
  return jsonb_build_object('held', v_held, 'withdrawn', v_withdrawn);
end $$;

grant execute on function cs.log_restored to cs_executor;
