-- The same change of a credential is told of by several ways in: webhooks, and the directory's own log. It proposes once.

alter table cs.hook_event
  -- Tenant, application and the directory's entry of what it tells of; null: the rule does not say.
  add column change text unique,
  drop constraint hook_event_outcome_check,
  add constraint hook_event_outcome_check
    check (outcome in ('proposed', 'open', 'known', 'ignored', 'unlisted', 'ambiguous', 'rule-failed'));

drop function cs.hook_take;
-- As in 0016, and: what another event has told of already files nothing; that event's run is the answer.
create function cs.hook_take(
  p_hook text, p_id text, p_type text, p_key integer, p_outcome text, p_rule integer, p_change text, p_run jsonb,
  p_reason bytea, p_at bigint, p_keep_ms bigint
) returns jsonb language plpgsql security definer set search_path = cs, journal, pg_temp as $$
declare
  v_event hook_event%rowtype;
  v_run text;
begin
  perform cs.must('hook');
  delete from hook_event where (hook, id) in (select hook, id from hook_event where at < p_at - p_keep_ms order by at limit 1000);
  insert into hook_event (hook, id, type, key, outcome, rule, change, at)
    values (p_hook, p_id, p_type, p_key, p_outcome, p_rule, case when p_run is not null then p_change end, p_at)
    on conflict do nothing;
  if not found then
    select * into v_event from hook_event where hook = p_hook and id = p_id;
    if not found then
      select run_id into v_run from hook_event where change = p_change;
      insert into hook_event (hook, id, type, key, outcome, rule, run_id, at)
        values (p_hook, p_id, p_type, p_key, 'known', p_rule, v_run, p_at) on conflict do nothing;
      return jsonb_build_object('new', true, 'outcome', 'known', 'run', v_run);
    end if;
    return jsonb_build_object('new', false, 'outcome', v_event.outcome, 'run', v_event.run_id);
  end if;
  if p_run is null then
    return jsonb_build_object('new', true, 'outcome', p_outcome, 'run', null);
  end if;
  v_run := cs.submit_run(p_id => p_run ->> 'id', p_tenant => p_run ->> 'tenant', p_environment => p_run ->> 'environment',
    p_target_key => p_run ->> 'targetKey', p_target => p_run ->> 'target', p_procedure => p_run ->> 'procedure',
    p_trigger => 'event', p_requester => case session_user when 'cs_scanner' then 'system:audit' else 'system:webhook' end,
    p_reason => p_reason, p_replaces => null, p_at => p_at, p_not_before => p_at, p_unless_open => true);
  -- A run of the application was open already: then that one is the answer.
  update hook_event set run_id = v_run, outcome = case when v_run = p_run ->> 'id' then 'proposed' else 'open' end
    where hook = p_hook and id = p_id returning * into v_event;
  return jsonb_build_object('new', true, 'outcome', v_event.outcome, 'run', v_run);
end $$;

-- What somebody added and nobody has taken as an event yet.
create index audit_change_added on cs.audit_change (tenant, read_at) where verdict = 'out-of-band' and act = 'added';

insert into cs.permission (role, act) values ('cs_scanner', 'hook');
grant execute on function cs.hook_take to cs_api, cs_scanner;
grant select on cs.hook_event to cs_scanner;
