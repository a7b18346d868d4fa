-- Deliveries of webhooks: each event once, with what became of it.

create table cs.hook_event (
  hook text not null,
  -- The sender's own id of the event.
  id text not null,
  type text not null,
  -- Which of the hook's keys signed, counted from 0.
  key integer not null,
  outcome text not null check (outcome in ('proposed', 'open', 'ignored', 'unlisted', 'ambiguous', 'rule-failed')),
  -- Which rule decided, counted from 0; null: none held.
  rule integer,
  run_id text references cs.run,
  at bigint not null,
  primary key (hook, id)
);
create index hook_event_at on cs.hook_event (at);

-- Takes an event once: the row, and the request it leads to, in one transaction. p_run: the arguments of cs.submit_run, or
-- null. Returns {new, outcome, run}; for an event that came before, what became of it then. Events older than p_keep_ms are forgotten.
create function cs.hook_take(
  p_hook text, p_id text, p_type text, p_key integer, p_outcome text, p_rule integer, p_run jsonb, p_reason bytea,
  p_at bigint, p_keep_ms bigint
) returns jsonb language plpgsql security definer set search_path = cs, journal, pg_temp as $$
declare
  v_event hook_event%rowtype;
  v_run text;
begin
  perform cs.must('hook');
  delete from hook_event where (hook, id) in (select hook, id from hook_event where at < p_at - p_keep_ms order by at limit 1000);
  insert into hook_event (hook, id, type, key, outcome, rule, at)
    values (p_hook, p_id, p_type, p_key, p_outcome, p_rule, p_at) on conflict do nothing;
  if not found then
    select * into v_event from hook_event where hook = p_hook and id = p_id;
    return jsonb_build_object('new', false, 'outcome', v_event.outcome, 'run', v_event.run_id);
  end if;
  if p_run is null then
    return jsonb_build_object('new', true, 'outcome', p_outcome, 'run', null);
  end if;
  v_run := cs.submit_run(p_id => p_run ->> 'id', p_tenant => p_run ->> 'tenant', p_environment => p_run ->> 'environment',
    p_target_key => p_run ->> 'targetKey', p_target => p_run ->> 'target', p_procedure => p_run ->> 'procedure',
    p_trigger => 'event', p_requester => 'system:webhook', p_reason => p_reason, p_replaces => null, p_at => p_at,
    p_not_before => p_at, p_unless_open => true);
  -- A run of the application was open already: then that one is the answer.
  update hook_event set run_id = v_run, outcome = case when v_run = p_run ->> 'id' then 'proposed' else 'open' end
    where hook = p_hook and id = p_id returning * into v_event;
  return jsonb_build_object('new', true, 'outcome', v_event.outcome, 'run', v_run);
end $$;

insert into cs.permission (role, act) values ('cs_api', 'hook');
grant execute on function cs.hook_take to cs_api;
grant select on cs.hook_event to cs_api, cs_executor;
