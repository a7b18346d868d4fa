-- An intent is committed only while nothing stops it: the kill switch and an emergency that goes first are looked at in the
-- transaction that commits, not in one before it. Returns the attempt, or {"stopped": "frozen" | "emergency"}.
-- p_tenant: whose kill switch counts, or null (what is taken back is taken back whatever is frozen); p_application: whose
-- emergency goes first, or null. Both are the approved plan's words, not the row's.
drop function cs.intent(text, bigint, uuid, text, text, integer, text, text, text, text, text, bigint);
create function cs.intent(
  p_run text, p_fence bigint, p_worker uuid, p_step text, p_direction text, p_attempt integer, p_verb text, p_call text,
  p_nonce text, p_target text, p_facts text, p_at bigint, p_tenant text, p_application text
) returns jsonb language plpgsql security definer set search_path = cs, journal, pg_temp as $$
declare
  v_state text;
  v_step step%rowtype;
begin
  perform cs.must('journal');
  v_state := cs.hold_still(p_run, p_fence, p_worker);
  if v_state not in ('executing', 'overlapping', 'retiring', 'rolling_back') then
    raise exception 'expected a state with effects, got %', v_state using errcode = 'CS003';
  end if;
  if exists (select from control where frozen and scope in ('all', 'tenant:' || p_tenant) and p_tenant is not null) then
    return '{"stopped":"frozen"}';
  end if;
  if exists (select from run where target_key = p_application and trigger = 'compromise' and not cs.is_final(state)) then
    return '{"stopped":"emergency"}';
  end if;
  insert into step (run_id, step, direction, attempt, verb, call, fence, nonce, intent, intent_at)
    values (p_run, p_step, p_direction, p_attempt, p_verb, p_call, p_fence, p_nonce, p_facts::jsonb, p_at)
    returning * into v_step;
  perform cs.changed(p_run, false);
  perform journal.append(p_run, 'step.intent', '{"attempt":' || p_attempt || ',"call":' || quote(p_call)
    || ',"direction":' || quote(p_direction) || ',"facts":' || p_facts || ',"step":' || quote(p_step)
    || ',"target":' || p_target || ',"verb":' || quote(p_verb) || '}', p_at);
  return to_jsonb(v_step);
end $$;
grant execute on function cs.intent to cs_executor;

-- What became of several credentials of one application, in one transaction: the ledger never shows half of it.
-- p_credentials: [{id, state, run, expiresAt, gone}].
drop function cs.credential_set(text, text, text, text, text, text, text, text, bigint, bigint, bigint, boolean);
create function cs.credentials_set(
  p_tenant text, p_object_id text, p_app_id text, p_application text, p_kind text, p_at bigint, p_credentials jsonb
) returns void language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('credential_set');
  insert into credential as c (tenant, object_id, id, app_id, application, kind, state, run_id, expires_at, seen_at, gone_at)
    select p_tenant, p_object_id, s.id, p_app_id, p_application, p_kind, s.state, s.run, s."expiresAt", p_at,
        case when s.gone then p_at end
      from jsonb_to_recordset(p_credentials) as s(id text, state text, run text, "expiresAt" bigint, gone boolean)
    on conflict (tenant, object_id, id) do update set state = excluded.state, run_id = coalesce(excluded.run_id, c.run_id),
      expires_at = coalesce(excluded.expires_at, c.expires_at),
      seen_at = greatest(c.seen_at, excluded.seen_at), gone_at = excluded.gone_at;
end $$;
grant execute on function cs.credentials_set to cs_executor;
